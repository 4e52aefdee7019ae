"""What was fetched, whence, when: kept beside the data, and shown to the reader."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, get_args

from albert.domain.errors import CorpusError, HomeTooNew

FORMAT = 1
Whence = Literal["official", "registry", "local"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One file as it came: an archive, a JSON file, a package.

    ``address`` is an URL, ``name@version`` of a package, or a path as it was given;
    ``published`` an ISO 8601 date-time in UTC, or empty; ``size`` in bytes.
    """

    name: str
    address: str
    sha256: str = ""
    size: int = 0
    published: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What lies in a data set's folder. ``files`` counts them by folder, ``""`` for the top one."""

    dataset: str
    origin: Whence
    fetched_at: str
    pieces: tuple[Piece, ...]
    files: Mapping[str, int] = field(default_factory=dict)

    @property
    def published(self) -> str:
        """The newest date that a publisher gave, or ``""``."""
        return max((piece.published for piece in self.pieces), default="")

    @property
    def size(self) -> int:
        """Bytes that were fetched."""
        return sum(piece.size for piece in self.pieces)

    def piece(self, name: str) -> Piece | None:
        """Return what came under that name."""
        return next((piece for piece in self.pieces if piece.name == name), None)

    def dumps(self) -> str:
        """Return the manifest as JSON, keys in a fixed order."""
        return json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False, indent=1) + "\n"


def loads(text: str, path: Path) -> Manifest:
    """Return the manifest written by ``dumps``.

    Raises:
        HomeTooNew: a later version of Albert wrote it.
        CorpusError: it is damaged; the message names ``path``.
    """
    try:
        record = json.loads(text)
        newer = record["format"] > FORMAT
        made = None if newer else _manifest(record)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorpusError(
            f"Le manifeste « {path} » est abîmé : relancez « albert corpus fetch --force »."
        ) from error
    if made is None:
        raise HomeTooNew
    return made


def _manifest(record: Mapping[str, object]) -> Manifest:
    origins: dict[object, Whence] = {each: each for each in get_args(Whence)}
    pieces, files = record["pieces"], record["files"]
    if not isinstance(pieces, list) or not isinstance(files, dict):
        raise TypeError("pieces and files")
    return Manifest(
        dataset=_str(record["dataset"]),
        origin=origins[record["origin"]],
        fetched_at=_str(record["fetched_at"]),
        pieces=tuple(_piece(each) for each in pieces),
        files={_str(name): _int(count) for name, count in files.items()},
    )


def _piece(record: Mapping[str, object]) -> Piece:
    texts = {key: _str(record[key]) for key in ("name", "address", "sha256", "published", "etag")}
    return Piece(size=_int(record["size"]), **texts)


def _str(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _int(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(value)
    return value
