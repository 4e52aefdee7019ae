"""Check safetensors files by their headers: what an engine would map must all be there.

The format: a 64-bit little-endian length, that many bytes of JSON, then the tensors' bytes
(https://github.com/huggingface/safetensors#format).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from albert.domain.errors import ModelFileInvalid

LONGEST_HEADER = 100_000_000
"""Bytes; the format's own bound."""

_WAY_OUT = "téléchargez-le de nouveau (--force), ou prenez une autre version du modèle"
_BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
}
"""Of one value; the size of a type that is not here is taken from its offsets."""


def looks_like(start: bytes) -> bool:
    """Whether a file that begins so may be safetensors."""
    return start[8:9] == b"{" and 2 <= int.from_bytes(start[:8], "little") <= LONGEST_HEADER


def tensors(path: Path) -> frozenset[str]:
    """Read the header, and return the names of the tensors.

    Raises:
        ModelFileInvalid: it is not safetensors, or is cut; the message says so.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(LONGEST_HEADER, size - 8):
            raise _invalid(path, "est coupé, ou n'est pas au format safetensors")
        try:
            header = json.loads(file.read(length), object_pairs_hook=_once)
        except (ValueError, RecursionError):
            raise _invalid(path, "a un en-tête safetensors illisible") from None
    if not isinstance(header, dict):
        raise _invalid(path, "a un en-tête safetensors illisible")
    header.pop("__metadata__", None)
    _check_places(path, header, size - 8 - length)
    return frozenset(header)


def check_index(path: Path, held: Mapping[str, frozenset[str]]) -> None:
    """Check an index of shards against the tensors that each file beside it holds.

    Raises:
        ModelFileInvalid: a shard is missing, or lacks a tensor that the index places there.
    """
    try:
        placed = json.loads(path.read_bytes())["weight_map"]
        wanted = [(str(tensor), str(shard)) for tensor, shard in placed.items()]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _invalid(path, "n'est pas l'index d'un modèle") from None
    for tensor, shard in wanted:
        if shard not in held:
            raise _invalid(path, f"nomme le fichier « {shard} », qui manque")
        if tensor not in held[shard]:
            raise _invalid(path, f"place « {tensor} » dans « {shard} », qui ne l'a pas")


def _check_places(path: Path, header: Mapping[str, Any], octets: int) -> None:
    """See that the tensors follow one another from the first byte to the last."""
    places = sorted((_place(path, name, entry), name) for name, entry in header.items())
    end = 0
    for (start, stop), name in places:
        if start != end:
            raise _invalid(path, f"place mal « {name} »")
        end = stop
    if end != octets or not places:
        raise _invalid(path, "est coupé, ou plus long qu'il ne le dit")


def _place(path: Path, name: str, entry: object) -> tuple[int, int]:
    """Return where a tensor begins and ends, in bytes after the header."""
    if not isinstance(entry, dict):
        raise _invalid(path, f"décrit mal « {name} »")
    shape, offsets = entry.get("shape"), entry.get("data_offsets")
    if not (_naturals(shape) and _naturals(offsets) and len(offsets) == 2):
        raise _invalid(path, f"décrit mal « {name} »")
    start, stop = offsets
    bits = _BITS.get(str(entry.get("dtype")))
    if stop < start or (bits and math.prod(shape) * bits != (stop - start) * 8):
        raise _invalid(path, f"décrit mal « {name} »")
    return start, stop


def _naturals(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(one) is int and one >= 0 for one in value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made


def _invalid(path: Path, sentence: str) -> ModelFileInvalid:
    return ModelFileInvalid(f"« {path.name} » {sentence} : {_WAY_OUT}.")
