"""The form in which a prompt is kept: an LZ4 frame of its UTF-8."""

from __future__ import annotations

import lz4.frame


def packed(prompt: str) -> bytes:
    frame: bytes = lz4.frame.compress(prompt.encode("utf-8", "replace"))
    return frame


def unpacked(frame: bytes) -> str:
    prompt: bytes = lz4.frame.decompress(frame)
    return prompt.decode("utf-8")
