"""OpenAI's headers of what is left, and how a limit is said."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from albert.api.features.limits.gauge import Gauge
from albert.api.features.limits.ledger import Key, Kind
from albert.asgi.exchange import Header
from albert.domain.errors import LimitExceeded

_UNITS: Mapping[Kind, tuple[str, str]] = {
    "requests_minute": ("requêtes", " par minute"),
    "requests_day": ("requêtes", " par jour"),
    "tokens_minute": ("jetons", " par minute"),
    "tokens_day": ("jetons", " par jour"),
    "streams": ("réponses en flux", " à la fois"),
}


def duration(seconds: float) -> str:
    """Write a duration as OpenAI does: ``"250ms"``, ``"1s"``, ``"6m0s"``, ``"23h59m59s"``."""
    if seconds < 1:
        return f"{max(0, math.ceil(seconds * 1000))}ms"
    whole = math.ceil(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return (
        (f"{hours}h" if hours else "") + (f"{minutes}m" if whole >= 60 else "") + f"{whole % 60}s"
    )


def told(requests: Iterable[Gauge], tokens: Iterable[Gauge], now: float) -> tuple[Header, ...]:
    """Tell, of requests and of tokens, the limit of which the least is left."""
    said: tuple[Header, ...] = ()
    for names, gauges in ((_REQUESTS, requests), (_TOKENS, tokens)):
        nearest, least = None, 0
        for gauge in gauges:
            left = gauge.remaining(now)
            if nearest is None or left < least:
                nearest, least = gauge, left
        if nearest is not None:
            reset = max(0.0, nearest.ends - now)
            said += (
                (names[0], b"%d" % nearest.bound),
                (names[1], b"%d" % least),
                (names[2], duration(reset).encode()),
            )
    return said


def _names(unit: str) -> tuple[bytes, bytes, bytes]:
    limit, remaining, reset = (
        f"x-ratelimit-{word}-{unit}".encode() for word in ("limit", "remaining", "reset")
    )
    return limit, remaining, reset


_REQUESTS, _TOKENS = _names("requests"), _names("tokens")


def phrase(key: Key, most: int) -> str:
    """Say a limit in French: « 60 requêtes par minute »."""
    unit, per = _UNITS[key.kind]
    model = f" au modèle {key.model}" if key.model else ""
    if most < 2:  # French has its singular up to there: « 1 réponse en flux »
        first, *rest = unit.split()
        unit = " ".join([first.removesuffix("s"), *rest])
    return f"{most} {unit}{model}{per}"


def exceeded(gauge: Gauge, need: int, now: float) -> LimitExceeded:
    """Return the refusal of a call by a limit."""
    if need > gauge.bound > 0:
        return LimitExceeded(
            _seconds(gauge, now),
            phrase(gauge.key, gauge.bound),
            f"Cette demande peut prendre {need} jetons, plus que votre limite de "
            f"{phrase(gauge.key, gauge.bound)} : raccourcissez-la, ou baissez max_tokens.",
        )
    return LimitExceeded(_seconds(gauge, now), phrase(gauge.key, gauge.bound))


def _seconds(gauge: Gauge, now: float) -> int:
    """Return the whole seconds to wait: a stream may end at any moment."""
    wait = gauge.ends - now
    return max(1, math.ceil(wait)) if math.isfinite(wait) else 1
