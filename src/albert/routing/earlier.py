"""The keys of the first generation's tables, still accepted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EARLIER: Mapping[str, tuple[str | int, ...]] = {
    "llm_hf_repo_id": ("hf_repo_id",),
    "llm_host": ("replicas", 0, "host"),
    "llm_port": ("replicas", 0, "port"),
    "gpu_mem_use": ("engine", "gpu_memory_share"),
    "tensor_parralel_size": ("engine", "tensor_parallel_size"),
}
_EVERY_HOST = "all"
"""Of ``llm_host``: each host has its own service, so the gateway's is beside it."""


def translated(
    entry: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, tuple[str | int, ...]]]:
    """Return the entry in today's keys, and for each of those that moved where it was said.

    What is said in both ways is left to be refused: the earlier key is then unknown.
    """
    made = dict(entry)
    if made.get("driver") == "gpt4all":  # what ran under that name is llama.cpp's work
        made["driver"] = "llama.cpp"
    moved: dict[str, tuple[str | int, ...]] = {}
    for earlier, place in EARLIER.items():
        if earlier not in entry or place[0] in entry:
            continue
        said = made.pop(earlier)
        if earlier == "llm_host" and said == _EVERY_HOST:
            said = "127.0.0.1"
        moved[".".join(map(str, place))] = (earlier,)
        if len(place) == 1:
            made[str(place[0])] = said
        elif place[0] == "replicas":
            made.setdefault("replicas", [{}])[0][place[2]] = said
        else:
            made.setdefault("engine", {})[place[1]] = said
    return made, moved
