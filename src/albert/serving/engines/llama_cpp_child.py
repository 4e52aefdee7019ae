"""The program of the child process: ``python -P -m albert.serving.engines.llama_cpp_child``.

Reads one line of JSON from its input (``Wanted``), and serves until its input is
closed: so it never outlives its parent, killed or not, and neither key nor path shows
in the list of processes.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any, TypedDict


class Wanted(TypedDict):
    """What to serve, and how; ``window`` is in tokens, for each of ``slots`` readers."""

    path: str
    name: str
    key: str
    port: int
    window: int
    slots: int
    threads: int
    vectors: bool
    mean: bool
    """The vector of a text is the mean of its tokens': the model does not say."""
    flags: Mapping[str, bool | float | str]
    """Fields of ``CommonParams``, by name; they have the last word."""


BATCH = 64
"""Tokens of prompt read at once: a reader's leaving is noticed between two batches only."""

_WAITING = 256
"""Threads that hold connections: with the engine's own number, requests that wait for a slot
would leave none to answer ``/health``, and a busy engine would look like one that hangs."""


def main() -> None:
    wanted: Wanted = json.loads(sys.stdin.buffer.readline())
    # read when OpenMP loads: threads that wait by spinning fight over a shared processor
    # (beside another busy process: 2 tokens/s spinning, 70 passive; alone: no difference)
    os.putenv("OMP_WAIT_POLICY", "passive")
    import xllamacpp

    try:
        server = xllamacpp.Server(_params(xllamacpp.CommonParams(), wanted))
    except RuntimeError:  # its reason already stands in the log
        os._exit(1)
    sys.stdin.buffer.read()
    del server
    os._exit(0)  # the engine's threads may be in the middle of a batch


def _params(params: Any, wanted: Wanted) -> Any:  # noqa: ANN401 — xllamacpp ships no types
    params.model.path = wanted["path"]
    params.model_alias = {wanted["name"]}
    params.api_keys = [wanted["key"]]
    params.hostnames, params.port = ["127.0.0.1"], wanted["port"]
    params.n_parallel = wanted["slots"]
    params.n_ctx = wanted["window"] * wanted["slots"]
    params.n_batch = params.n_ubatch = BATCH
    params.n_threads_http = wanted["slots"] + _WAITING
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = wanted["threads"]
    params.fit_params = False  # the window is ours to choose
    params.cache_idle_slots = False  # it wants the next
    params.cache_ram_mib = 0  # by default up to 8 GiB of earlier conversations are kept
    params.sse_ping_interval = 1  # a comment line each second, even while the prompt is read
    params.verbosity = 2  # warnings and errors; from 4 on it prints prompts
    params.endpoint_metrics = True
    params.ui = False
    if wanted["vectors"]:
        params.embedding = True
        params.n_batch = params.n_ubatch = wanted["window"]  # a text is read in one batch
    if wanted["mean"]:
        params.pooling_type = 1  # llama.h: LLAMA_POOLING_TYPE_MEAN
    for name, value in wanted["flags"].items():
        setattr(params, name, value)
    return params


if __name__ == "__main__":
    main()
