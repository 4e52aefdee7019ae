"""Proof that no word of a sheet is lost: what its publisher wrote against our passages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from albert.corpus.chunking import pack
from albert.corpus.sources.service_public import ServicePublic
from albert.corpus.sources.service_public.body import DATA, INLINE, gap
from albert.corpus.sources.service_public.publication import INSTEAD, TEXT
from albert.corpus.sources.service_public.tree import Malformed, Node, load
from albert.corpus.store import CorpusStore
from albert.corpus.text import lowered, normalise, raised, words
from albert.domain.documents import Section, Sheet


@dataclass(slots=True)
class Proof:
    """How many sheets were compared, and those whose passages do not say the same words."""

    equal: int = 0
    included: int = 0
    """Sheets with several differing editions: each edition's words are in the passages."""
    lost: list[tuple[str, Counter[str]]] = field(default_factory=list)


def prove(
    store: CorpusStore, data: Path, *, tokens: int, progress: Callable[[int, int], None]
) -> Proof:
    """Compare each service-public sheet's words in its files with those of its passages.

    The words of the files are gathered by a walk of its own, which shares no code
    with the reader but the rule for blanks that the registry's JSON lost.
    """
    proof = Proof()
    files = ServicePublic(data).files()
    for number, (sid, paths) in enumerate(files.items(), start=1):
        progress(number, len(files))
        if not sid.startswith("F"):
            continue
        editions = [written for path in paths if (written := _written(path)) is not None]
        if not editions:
            continue
        kept = passages_words(store, store.sheet(f"service-public/{sid}"), tokens)
        missing = [edition - kept for edition in editions]
        if any(missing):
            proof.lost.append((sid, sum(missing, Counter())))
        elif kept in editions:
            proof.equal += 1
        elif len(editions) > 1:
            proof.included += 1
        else:
            proof.lost.append((sid, kept - editions[0]))
    return proof


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
