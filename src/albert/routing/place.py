"""At which line of a JSON text a value stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

_BLANKS = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


def line_of(text: str, path: Sequence[str | int]) -> int:
    """Return the line, from 1, of the value at ``path``, or of the last part of it that is there.

    ``text`` is valid JSON.
    """
    place = shown = _after_blanks(text, 0)
    for step in path:
        for key, key_place, value_place in _members(text, place):
            if key == step:
                shown, place = key_place, value_place
                break
        else:
            break
    return text.count("\n", 0, shown) + 1


def _members(text: str, place: int) -> Iterator[tuple[str | int, int, int]]:
    """Yield the key or number of each member, where it begins, and where its value does."""
    if text[place] not in "{[":
        return
    named = text[place] == "{"
    place = _after_blanks(text, place + 1)
    number = 0
    while text[place] not in "}]":
        key: str | int = number
        start = place
        if named:
            key, place = _DECODER.raw_decode(text, place)
            place = _after_blanks(text, _after_blanks(text, place) + 1)
        yield key, start, place
        _, place = _DECODER.raw_decode(text, place)
        place = _after_blanks(text, place)
        if text[place] == ",":
            place = _after_blanks(text, place + 1)
        number += 1


def _after_blanks(text: str, place: int) -> int:
    found = _BLANKS.match(text, place)
    return found.end() if found else place
