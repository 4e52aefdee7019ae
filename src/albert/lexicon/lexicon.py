"""What a citizen's words stand for in the words of the administration."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path

from albert.lexicon.words import WORD, fold, words

_LONGEST_PHRASE = 4


@dataclass(frozen=True, slots=True)
class Acronym:
    """``letters`` in upper case without accents; ``meanings`` the most usual first.

    ``ordinary`` when the letters are also a French word ("PLUS"), or so few that
    they may be one: then only capitals are the acronym.
    """

    letters: str
    meanings: tuple[str, ...]
    ordinary: bool = False


@dataclass(frozen=True, slots=True)
class Familiar:
    """A familiar or short spelling; ``kept`` when it has another, proper sense."""

    says: str
    means: str
    kept: bool = False


class Lexicon:
    """Acronyms and familiar words; ``expand`` says the same thing in the sheets' own words."""

    def __init__(self, acronyms: Iterable[Acronym] = (), familiar: Iterable[Familiar] = ()) -> None:
        self.acronyms = {acronym.letters: acronym for acronym in acronyms}
        self.familiar = tuple(familiar)

    def expand(self, question: str) -> str:
        """Return ``question`` with familiar words put plainly, and what it implies added.

        An acronym brings its long forms, a long form its acronym. The question's
        own words and their order stay.
        """
        plain = self._put_plainly(question)
        return " ".join((plain, *self.additions(plain)))

    def additions(self, question: str) -> list[str]:
        """Return the long forms of its acronyms and the acronyms of its long forms, each once."""
        shouting = question.isupper() and " " in question.strip()
        padded = f" {' '.join(words(question))} "
        found: dict[str, None] = {}
        for match in WORD.finditer(question):
            acronym = self.acronyms.get(fold(match.group()).upper())
            if acronym and _is_meant(acronym, match.group(), shouting=shouting):
                found |= dict.fromkeys(m for m in acronym.meanings if _key(m) not in padded)
        held = set(padded.split())
        for key, letters in self._by_meaning.items():
            if key in padded and letters.lower() not in held:
                found[letters] = None
        return list(found)

    def merged(self, other: Lexicon) -> Lexicon:
        """Return both; where they know the same acronym, this one's meaning comes first."""
        together = dict(other.acronyms)
        for letters, mine in self.acronyms.items():
            if theirs := other.acronyms.get(letters):
                meanings = {_key(m): m for m in (*theirs.meanings, *mine.meanings)}
                ours = tuple(dict.fromkeys(meanings[_key(m)] for m in mine.meanings))
                rest = tuple(m for m in meanings.values() if m not in ours)
                mine = Acronym(letters, (ours + rest)[:2], mine.ordinary or theirs.ordinary)
            together[letters] = mine
        return Lexicon(together.values(), (*self.familiar, *other.familiar))

    def save(self, path: Path) -> None:
        """Write the lexicon as JSON, in one step."""
        content = {
            "acronyms": [asdict(a) for _, a in sorted(self.acronyms.items())],
            "familiar": [asdict(f) for f in self.familiar],
        }
        aside = path.with_suffix(".new")
        aside.write_text(json.dumps(content, ensure_ascii=False, indent=0), "utf-8")
        aside.replace(path)

    @cached_property
    def _by_meaning(self) -> Mapping[str, str]:
        return {_key(a.meanings[0]): a.letters for a in self.acronyms.values() if a.meanings}

    @cached_property
    def _phrases(self) -> Mapping[tuple[str, ...], Familiar]:
        return {tuple(words(entry.says)): entry for entry in self.familiar}

    def _put_plainly(self, question: str) -> str:
        spans = list(WORD.finditer(question))
        folded = [fold(span.group()) for span in spans]
        pieces, end, place = [], 0, 0
        while place < len(spans):
            size, entry = self._longest_at(folded, place)
            if entry:
                until = spans[place + size - 1].end()
                start = until if entry.kept else spans[place].start()
                means = f" {entry.means}" if entry.kept else entry.means
                pieces += [question[end:start], means]
                end = until
            place += size
        return "".join((*pieces, question[end:]))

    def _longest_at(self, folded: list[str], place: int) -> tuple[int, Familiar | None]:
        for size in range(min(_LONGEST_PHRASE, len(folded) - place), 0, -1):
            if entry := self._phrases.get(tuple(folded[place : place + size])):
                return size, entry
        return 1, None


def load(path: Path) -> Lexicon:
    """Read what ``Lexicon.save`` wrote; the one written by hand where it cannot be read."""
    try:
        return _of(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return written_by_hand()


def written_by_hand() -> Lexicon:
    """Return the lexicon that ships with Albert: what the sheets themselves never explain."""
    data = files("albert.lexicon") / "data"
    return _of(
        {
            name: [
                json.loads(line)
                for line in (data / f"{name}.jsonl").read_text("utf-8").splitlines()
            ]
            for name in ("acronyms", "familiar")
        }
    )


def _of(content: dict[str, list[dict[str, object]]]) -> Lexicon:
    return Lexicon(
        [
            Acronym(str(a["letters"]), tuple(_strings(a["meanings"])), bool(a.get("ordinary")))
            for a in content["acronyms"]
        ],
        [
            Familiar(str(f["says"]), str(f["means"]), bool(f.get("kept")))
            for f in content["familiar"]
        ],
    )


def _strings(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _key(meaning: str) -> str:
    return f" {' '.join(words(meaning))} "


def _is_meant(acronym: Acronym, word: str, *, shouting: bool) -> bool:
    return not acronym.ordinary or (word.isupper() and not shouting)
