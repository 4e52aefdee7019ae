"""Questions whose answer is known, one JSON object a line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

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


def _labelled(path: Path, number: int, line: bytes) -> Labelled:
    where = f"{path.name}, ligne {number}"
    try:
        values: Any = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise DatasetInvalid(f"{where} : ce n'est pas du JSON.") from error
    if not isinstance(values, dict) or not all(
        isinstance(values.get(name), str) and values[name] for name in ("qid", "question")
    ):
        raise DatasetInvalid(f"{where} : il faut un objet avec « qid » et « question ».")
    sheets = [values["sid"]] if values.get("sid") else []
    return Labelled(
        qid=values["qid"],
        question=values["question"],
        sheets=(*sheets, *values.get("also", ())),
        source=values.get("source", ""),
        style=values.get("style") or values.get("kind", ""),
        gold=tuple(values.get("gold", ())),
    )
