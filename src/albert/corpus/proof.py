"""Proof that no word of a sheet is lost: what its publisher wrote against our passages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

import orjson

from albert.corpus.chunking import pack
from albert.corpus.sources.service_public import ServicePublic
from albert.corpus.sources.service_public.body import DATA, INLINE, gap
from albert.corpus.sources.service_public.publication import INSTEAD, SOURCE, TEXT
from albert.corpus.sources.service_public.tree import Malformed, Node, load
from albert.corpus.store import CorpusStore
from albert.corpus.text import lowered, normalise, raised, words
from albert.domain.documents import Section, Sheet

_INLINE_TAG = re.compile(r"</?(?:a|strong|em|span|b|i|u|abbr|time)\b[^>]*>", re.IGNORECASE)
_RAISED = re.compile(r"<sup\b[^>]*>([^<]*)</sup>", re.IGNORECASE)
_ANY_TAG = re.compile(r"<[^>]*>")


@dataclass(slots=True)
class Proof:
    """How many sheets were compared, and those whose passages do not say the same words."""

    equal: int = 0
    included: int = 0
    """Sheets with several differing editions: each edition's words are in the passages."""
    lost: list[tuple[str, Counter[str]]] = field(default_factory=list)


Witness = Callable[[Path], Iterator[tuple[str, list[Counter[str]]]]]
"""Yields a sheet's key (``"service-public/F1"``) and the words of each of its editions."""


def prove(
    store: CorpusStore,
    data: Mapping[str, Path],
    *,
    tokens: int,
    progress: Callable[[int, int | None], None],
) -> Proof:
    """Compare each sheet's words in its publisher's files with those of its passages.

    ``data`` maps sources to their folders; those without a witness are passed over.
    The words of the files are gathered by walks of their own, which share no code
    with the readers but the rule for blanks that the registry's JSON lost.
    """
    proof = Proof()
    compared = 0
    for source, witness in WITNESSES.items():
        if source not in data:
            continue
        for key, editions in witness(data[source]):
            compared += 1
            progress(compared, None)
            _compare(proof, key, editions, passages_words(store, store.sheet(key), tokens))
    return proof


def _compare(proof: Proof, key: str, editions: list[Counter[str]], kept: Counter[str]) -> None:
    missing = [edition - kept for edition in editions]
    if any(missing):
        proof.lost.append((key, sum(missing, Counter())))
    elif kept in editions:
        proof.equal += 1
    elif len(editions) > 1:
        proof.included += 1
    else:
        proof.lost.append((key, kept - editions[0]))


def passages_words(store: CorpusStore, sheet: Sheet, tokens: int) -> Counter[str]:
    """Return the words of a sheet's passages, each heading counted once."""
    found = words(" ".join(headings_opened(pack(sheet, tokens=tokens))))
    for chunk in store.chunks(sheet):
        found += words(chunk.text)
    return found


def headings_opened(sections: list[Section]) -> Iterator[str]:
    """Yield each heading where it first stands."""
    for section in sections:
        yield from section.headings[len(section.headings) - section.opens :]


def _publications(data: Path) -> Iterator[tuple[str, list[Counter[str]]]]:
    for sid, paths in ServicePublic(data).files().items():
        if sid.startswith("F"):
            editions = [found for path in paths if (found := _written(path)) is not None]
            if editions:
                yield f"{SOURCE}/{sid}", editions


def _labour(data: Path) -> Iterator[tuple[str, list[Counter[str]]]]:
    """Read the HTML by striking its tags out: inline ones leave nothing, others a blank."""
    for sheet in orjson.loads((data / "fiches-travail.json").read_bytes()):
        try:
            titles = [s["title"] for s in sheet["sections"] if s["title"] != sheet["title"]]
            parts = [sheet["intro"], *(section["html"] for section in sheet["sections"])]
            key = f"travail-emploi/{sheet['pubId']}"
        except (KeyError, TypeError):
            continue  # named among the errors of the build
        yield key, [words(normalise(" ".join([*titles, *map(_struck, parts)])))]


def _struck(fragment: str) -> str:
    fragment = _RAISED.sub(lambda found: raised(found[1]), fragment)
    return unescape(_ANY_TAG.sub(" ", _INLINE_TAG.sub("", fragment)))


WITNESSES: dict[str, Witness] = {"service-public": _publications, "travail-emploi": _labour}


def _written(path: Path) -> Counter[str] | None:
    try:
        root, blanks_lost = load(path)
    except (Malformed, OSError):
        return None  # named among the errors of the build
    top = [child for child in root.get("children", ()) if child["type"] == "element"]
    names = {child["name"] for child in top}
    wanted = {"Introduction", *TEXT} if names & set(TEXT) else {"Introduction", *INSTEAD}
    found: Counter[str] = Counter()
    for child in top:
        if child["name"] in wanted:
            found += words(normalise(_flat(child, blanks_lost)))
    if not found:
        kept = [c for c in top if c["name"] == "dc:description"] or [
            c for c in top if c["name"] == "dc:title"
        ]
        found = words(normalise(" ".join(_flat(child, blanks_lost) for child in kept)))
    return found


def _flat(node: Node, blanks_lost: bool) -> str:
    """Return all text below an element, words of different blocks apart."""
    out = ""
    touching = False
    for child in node.get("children", ()):
        if child["type"] == "text":
            out += child["text"]
            touching = False
            continue
        name = child["name"]
        if name in DATA:
            continue
        text = _flat(child, blanks_lost)
        if name not in INLINE:
            out += f" {text} "
        else:
            text = {"Exposant": raised, "Indice": lowered}.get(name, str)(text)
            out += (gap(out, name, text) if touching and blanks_lost else "") + text
        touching = True
    return out
