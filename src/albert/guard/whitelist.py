"""The addresses that are known: one number each, sorted, in one small file."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path

import orjson

from albert.domain.errors import SettingInvalid
from albert.domain.mishaps import mishap
from albert.guard import mails, phones, urls
from albert.guard.contract import Kind

FORMAT = 1
"""Written in the file, and changed with what a key is; another format is made again."""

_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_NUMBER = re.compile(r"\(?\+?[\d(][\d ().\u00a0/-]*")

Keys = Mapping[Kind, Iterable[str]]


@dataclass(frozen=True, slots=True)
class Whitelist:
    """What is known, by key. ``made_from`` names the corpus that it was learnt from.

    An address is kept as 64 bits of its BLAKE2b digest: among a million of them,
    one that is not known passes for known once in 10^13 times.
    """

    digests: array[int] = field(default_factory=lambda: array("Q"))
    counts: Mapping[Kind, int] = field(default_factory=dict)
    made_from: str = ""
    own: frozenset[int] = frozenset()

    @classmethod
    def of(cls, keys: Keys, *, made_from: str = "") -> Whitelist:
        distinct = {kind: {key for key in found if key} for kind, found in keys.items()}
        digests = sorted({_digest(kind, key) for kind, found in distinct.items() for key in found})
        counts = {kind: len(found) for kind, found in distinct.items()}
        return cls(array("Q", digests), counts, made_from)

    def knows(self, kind: Kind, key: str) -> bool:
        digest = _digest(kind, key)
        place = bisect_left(self.digests, digest)
        found = place < len(self.digests) and self.digests[place] == digest
        return found or digest in self.own or (kind == "number" and key in well_known())

    def extended(self, keys: Keys) -> Whitelist:
        """Return it with the operator's own list besides."""
        own = frozenset(_digest(kind, key) for kind, found in keys.items() for key in found)
        return Whitelist(self.digests, self.counts, self.made_from, own)

    def save(self, path: Path) -> None:
        """Write it in one step; what the operator added is not part of it.

        Raises:
            HomeError, DiskFull
        """
        header = {"format": FORMAT, "made_from": self.made_from, "counts": self.counts}
        try:
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as f:
                f.write(orjson.dumps(header) + b"\n" + _little(self.digests).tobytes())
                f.flush()
                os.fsync(f.fileno())
            Path(f.name).replace(path)
        except OSError as error:
            raise mishap(error) from error

    @classmethod
    def load(cls, path: Path) -> Whitelist:
        """Read what ``save`` wrote; an empty one where there is none, or it cannot be used."""
        digests = array("Q")
        try:
            first, _, rest = path.read_bytes().partition(b"\n")
            header = orjson.loads(first)
            if header["format"] != FORMAT or sum(header["counts"].values()) < len(rest) // 8:
                return cls()
            digests.frombytes(rest)
            return cls(_little(digests), header["counts"], str(header["made_from"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls()


def operators_list(path: Path) -> dict[Kind, set[str]]:
    """Read the operator's own addresses: one a line, ``#`` before a remark.

    Raises:
        SettingInvalid: it cannot be read, or a line is no address; the line is named.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingInvalid(
            f"La liste blanche « {path} » est illisible : corrigez ALBERT_WHITELIST."
        ) from error
    keys: dict[Kind, set[str]] = {"url": set(), "mail": set(), "number": set()}
    for number, line in enumerate(text.splitlines(), start=1):
        said = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip()
        if not said:
            continue
        kind, key = key_of(said)
        if not key:
            raise SettingInvalid(
                f"« {path} », ligne {number} : {said!r} n'est ni une adresse, ni un courriel, "
                "ni un numéro ; corrigez ou retirez cette ligne."
            )
        keys[kind].add(key)
    return keys


def key_of(said: str) -> tuple[Kind, str]:
    """Return the kind and the key of an address that stands alone; an empty key if it is none."""
    if _MAIL.fullmatch(said):
        return "mail", mails.key(said)
    if _NUMBER.fullmatch(said):
        return "number", phones.key(said)
    return "url", "" if re.search(r"\s", said) else urls.key(said)


@cache
def well_known() -> frozenset[str]:
    """Return the short numbers that are known whatever the corpus says."""
    text = (files("albert.guard") / "data" / "numbers.txt").read_text("utf-8")
    return frozenset(line.split()[0] for line in text.splitlines() if line and line[0] != "#")


def _digest(kind: Kind, key: str) -> int:
    return int.from_bytes(blake2b(key.encode(), digest_size=8, person=kind.encode()).digest())


def _little(digests: array[int]) -> array[int]:
    """Return the numbers as they lie in the file: the low byte first."""
    if sys.byteorder == "big":
        digests = array("Q", digests)
        digests.byteswap()
    return digests
