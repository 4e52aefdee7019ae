"""Large JSON files read one object at a time, in constant memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_BLOCK = 1 << 18
_LONGEST = 64 << 20
"""Characters after which an object that does not end is taken for damage."""
_SEPARATOR = re.compile(r"[\s,]*")


class NotTheForm(ValueError):
    """The file is not JSON, or not of the form asked for."""


def objects(path: Path, key: str) -> Iterator[dict[str, object]]:
    """Yield the objects of the list under ``key``, the first key of the file's object.

    Raises:
        NotTheForm: the file has another form, or is cut short.
    """
    with path.open(encoding="utf-8-sig") as file:
        try:
            yield from _Window(file).listed(key)
        except UnicodeDecodeError as error:
            raise NotTheForm(str(error)) from error


class _Window:
    """The stretch of a file that is in memory."""

    def __init__(self, file: IO[str]) -> None:
        self._file, self._text, self._at = file, file.read(_BLOCK), 0
        self._decode = json.JSONDecoder().raw_decode

    def listed(self, key: str) -> Iterator[dict[str, object]]:
        opening = re.compile(r'\s*\{\s*"' + re.escape(key) + r'"\s*:\s*\[').match(self._text)
        if opening is None:
            raise NotTheForm(f'{{"{key}": […]}}')
        self._at = opening.end()
        while not self._ends():
            value = self._value()
            if not isinstance(value, dict):
                raise NotTheForm("objets")
            yield value

    def _ends(self) -> bool:
        while True:
            separator = _SEPARATOR.match(self._text, self._at)
            self._at = separator.end() if separator else self._at
            if self._at < len(self._text):
                return self._text[self._at] == "]"
            self._more()

    def _value(self) -> object:
        while True:
            try:
                value, self._at = self._decode(self._text, self._at)
            except json.JSONDecodeError:
                self._more()
            else:
                return value

    def _more(self) -> None:
        rest = self._text[self._at :]
        block = self._file.read(max(_BLOCK, len(rest)))
        if not block or len(rest) > _LONGEST:
            raise NotTheForm("fin inattendue")
        self._text, self._at = rest + block, 0
