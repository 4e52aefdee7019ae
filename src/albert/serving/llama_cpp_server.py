"""The program of the child process: ``python -P -m albert.serving.llama_cpp_server``.

Reads one line of JSON from its input (an ``Order``), writes the address it listens
on, and serves until its input is closed: so it never outlives its parent, killed or
not, and neither key nor path shows in the list of processes.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TypedDict


class Order(TypedDict):
    """What to serve, and how; ``window`` is in tokens, for each of ``parallel`` readers."""

    path: str
    name: str
    key: str
    window: int
    parallel: int
    threads: int


BATCH = 64
"""Tokens of prompt read at once: a reader's leaving is noticed between two batches only."""


def main() -> None:
    order: Order = json.loads(sys.stdin.buffer.readline())
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the engine prints goes to the log, not into our answer
    # read when OpenMP loads: threads that wait by spinning fight over a shared processor
    # (beside another busy process: 2 tokens/s spinning, 70 passive; alone: no difference)
    os.putenv("OMP_WAIT_POLICY", "passive")
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = order["path"]
    params.model_alias = {order["name"]}
    params.api_keys = [order["key"]]
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.n_parallel = order["parallel"]
    params.n_ctx = order["window"] * order["parallel"]
    params.n_batch = params.n_ubatch = BATCH
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = order["threads"]
    params.fit_params = False  # the window is ours to choose
    params.cache_ram_mib = 0  # by default up to 8 GiB of earlier conversations are kept
    params.sse_ping_interval = 1  # a comment line each second, even while the prompt is read
    params.verbosity = 2  # warnings and errors; from 4 on it prints prompts
    params.endpoint_metrics = True
    params.ui = False
    try:
        server = xllamacpp.Server(params)
    except RuntimeError:  # its reason already stands in the log
        os._exit(1)
    with answer:
        answer.write(f"{server.listening_address}\n")
    sys.stdin.buffer.read()
    os._exit(0)  # the engine's threads may be in the middle of a batch


if __name__ == "__main__":
    main()
