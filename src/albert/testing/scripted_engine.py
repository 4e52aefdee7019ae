"""An engine without a model, that fails as it is told: for the tests of what launches engines.

Its flags say how: ``die``, ``deaf`` (it loads for ever), ``refuse``, ``stubborn`` (it does not
heed SIGTERM), ``child`` (it starts a program that leaves its session), ``tell`` (it prints its
key and the names of its environment). Without any, it answers.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from albert.routing.table import RoutedModel
from albert.serving.engines.contract import Launch, Order

_KEY = "SCRIPTED_API_KEY"
_PROGRAM = "import signal; signal.pause()"


class ScriptedDriver:
    """Launches this module as the engine; it does not watch its input, so that a keeper must."""

    request_extra: Mapping[str, object] = {}

    def check_installed(self, model: RoutedModel) -> None:
        """It is there."""

    def check(self, order: Order) -> None:
        """Accept any weights."""

    def launch(self, order: Order) -> Launch:
        words = (str(order.port), *order.model.engine.flags)
        return Launch(
            argv=(sys.executable, "-P", "-m", __name__, *words), environment={_KEY: order.key}
        )


def main() -> None:
    port, *script = sys.argv[1:]
    if "die" in script:
        sys.exit("out of memory")
    if "stubborn" in script:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "tell" in script:
        _say(f"key {environment()[_KEY]}", *sorted(environment()))
    if "child" in script:
        child = subprocess.Popen(  # noqa: S603 — fixed words
            [sys.executable, "-c", _PROGRAM], start_new_session=True
        )
        _say(f"child {child.pid}")
    status = 503 if "deaf" in script else 400 if "refuse" in script else 200
    with ThreadingHTTPServer(("127.0.0.1", int(port)), _answers(status)) as server:
        server.serve_forever()


def environment() -> Mapping[str, str]:
    return dict(os.environ)  # noqa: TID251 — a program of its own: what it was given is the point


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _answers(status: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(status)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST = _answer  # noqa: N815 — http.server's names

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing of requests."""

    return Handler


if __name__ == "__main__":
    main()
