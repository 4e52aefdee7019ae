"""Questions whose answer is known, one JSON object a line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from albert.domain.errors import DatasetInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A question with the sheets that answer it (none: no sheet does) and how it is put.

    ``gold`` holds the sentences that answer, word for word, where they were marked.
    """

    qid: str
    question: str
    sheets: tuple[str, ...] = ()
    source: str = ""
    style: str = ""
    gold: tuple[str, ...] = ()


def load(path: Path) -> list[Labelled]:
    """Read a dataset: ``qid``, ``question``; ``sid``, ``also``, ``style``, ``gold`` if known.

    Raises:
        DatasetInvalid: no such file, or a line that is not of that form; the message names it.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DatasetInvalid(f"{str(path)!r} ne se lit pas : vérifiez le chemin.") from error
    questions = [
        _labelled(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()
    ]
    if not questions:
        raise DatasetInvalid(f"{str(path)!r} ne contient aucune question.")
    return questions


class _Line(BaseModel):
    """A line of a dataset; other fields are its maker's own."""

    model_config = ConfigDict(strict=True)

    qid: str = Field(min_length=1)
    question: str = Field(min_length=1)
    sid: str | None = None
    also: list[str] = []
    source: str | None = None
    style: str | None = None
    kind: str | None = None
    gold: list[str] = []


def _labelled(path: Path, number: int, content: bytes) -> Labelled:
    try:
        line = _Line.model_validate_json(content)
    except ValidationError as error:
        where = error.errors()[0]["loc"]
        wrong = f"« {where[0]} » manque ou n'a pas la forme attendue" if where else _NOT_JSON
        raise DatasetInvalid(
            f"{path.name}, ligne {number} : {wrong} (il faut au moins « qid » et « question »)."
        ) from error
    return Labelled(
        qid=line.qid,
        question=line.question,
        sheets=(*([line.sid] if line.sid else []), *line.also),
        source=line.source or "",
        style=line.style or line.kind or "",
        gold=tuple(line.gold),
    )


_NOT_JSON = "ce n'est pas un objet JSON"
