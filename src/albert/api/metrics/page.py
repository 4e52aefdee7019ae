"""GET /metrics: for those who bear its key, or for this machine alone where it has none."""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address

import orjson
from starlette.types import Receive, Scope, Send

from albert.api.auth import bearer
from albert.api.metrics import catalogue, process, replicas
from albert.api.metrics.calls import CallMetrics
from albert.api.metrics.families import sample
from albert.api.metrics.replicas import ReplicaState
from albert.asgi.exchange import Reply, header
from albert.asgi.problems import Problem, problem_of
from albert.domain.errors import Unauthenticated

PATH = "/metrics"
_TYPE = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
_RELAYED = (b"x-forwarded-for", b"x-real-ip", b"forwarded")

Checks = Callable[[], tuple[int, int]]
"""Tokens that were known, and those that were read from the database."""


class Metrics:
    """The metrics of a worker; ``calls`` is the recorder to tell of each call."""

    def __init__(
        self,
        *,
        key: str = "",
        replicas: Callable[[], Iterable[ReplicaState]] = tuple,
        token_checks: Checks | None = None,
    ) -> None:
        self.calls = CallMetrics()
        self._key = key
        self._replicas = replicas
        self._token_checks = token_checks
        self._answers: Counter[tuple[str, int]] = Counter()

    def answered(self, part: str, status: int) -> None:
        """Count an HTTP answer of ``part`` of the API, a refusal too."""
        self._answers[part, status] += 1

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        reply = Reply(send)
        try:
            self._admit(scope)
        except Problem as problem:
            await reply.json(orjson.dumps(problem.detail()), problem.status, problem.headers)
            return
        text = self.text().encode()
        await reply.start(200, (_TYPE, (b"content-length", str(len(text)).encode())))
        await reply.end(b"" if scope["method"] == "HEAD" else text)

    def _admit(self, scope: Scope) -> None:
        """Let whoever may read pass.

        Raises:
            Problem: 401 without the key, 403 from elsewhere where there is none, 405.
        """
        if scope["method"] not in ("GET", "HEAD"):
            problem = Problem(405, "/metrics s'appelle par GET.", code="method_not_allowed")
            problem.headers = ((b"allow", b"GET, HEAD"),)
            raise problem
        if self._key:
            _compare(scope, self._key)
        elif not _near(scope):
            raise Problem(
                403,
                "Les métriques ne se lisent que depuis la machine d'Albert : "
                "donnez-leur une clé par ALBERT_METRICS_KEY pour les lire d'ailleurs.",
                code="metrics_without_key",
            )

    def text(self) -> str:
        """Return everything there is to read."""
        return "".join(self._write())

    def _write(self) -> Iterator[str]:
        yield from self.calls.write()
        yield catalogue.ANSWERS.header()
        for (part, status), count in sorted(self._answers.items()):
            labels = (("part", part), ("status", str(status)))
            yield sample(catalogue.ANSWERS.name, labels, count)
        yield catalogue.TOKEN_CHECKS.header()
        if self._token_checks is not None:
            for result, count in zip(("hit", "miss"), self._token_checks(), strict=True):
                yield sample(catalogue.TOKEN_CHECKS.name, (("result", result),), count)
        yield from replicas.write(self._replicas())
        yield from process.write()


def _compare(scope: Scope, key: str) -> None:
    """See that the request bears the key.

    Raises:
        Problem: 401.
    """
    try:
        said = bearer(scope)
    except Unauthenticated as error:
        raise problem_of(error) from None
    if not hmac.compare_digest(said.encode(), key.encode()):
        raise problem_of(Unauthenticated())


def _near(scope: Scope) -> bool:
    """Whether this machine asks, for itself: what a proxy relays comes from anywhere."""
    client = scope.get("client")
    if client is None or any(header(scope, name) for name in _RELAYED):
        return False
    try:
        return ip_address(client[0]).is_loopback
    except ValueError:  # a name, or a socket's path: it cannot be told who asks
        return False
