"""A text longer than a model reads, in windows that it can: nothing is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from albert.inference.contract import Vectors
from albert.inference.tokens import upper_bound

_WORD = re.compile(r"\s*\S+|\s+$")


def windows(text: str, most: int) -> list[str]:
    """Cut ``text`` between words into windows of at most ``most`` tokens.

    Joined, they are the text. A word longer than a window is cut within.
    """
    if upper_bound(text) <= most:
        return [text]
    found, room = [""], most
    for word in _words(text, most):
        size = upper_bound(word)
        if size > room:
            found.append("")
            room = most
        found[-1] += word
        room -= size
    return found


def mean(rows: Vectors, weights: Sequence[int]) -> NDArray[np.float32]:
    """Return the unit vector of a text from those of its windows, weighted by their tokens.

    As E5's own engine does over windows: the mean over the whole text's tokens, but for
    the attention between windows.
    """
    total = np.asarray(weights, dtype=np.float32) @ rows
    return np.asarray(total / np.linalg.norm(total), dtype=np.float32)


def _words(text: str, most: int) -> Iterator[str]:
    for match in _WORD.finditer(text):
        word = match.group()
        while upper_bound(word) > most:
            size = max(1, most // 4)  # a character is 4 bytes at most
            yield word[:size]
            word = word[size:]
        if word:
            yield word
