"""The signature of a request to Outscale's API: version 4 of AWS's, under Outscale's names.

Source: Outscale's user guide, « Signature of API Requests ».
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

_ALGORITHM = "OSC4-HMAC-SHA256"
_SIGNED = "content-type;host;x-osc-date"
_TYPE = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Key:
    """An access key and its secret."""

    access: str
    secret: str = field(repr=False)


def headers(
    key: Key, *, region: str, host: str, path: str, body: bytes, now: datetime
) -> Mapping[str, str]:
    """Return the headers that sign a POST of ``body``; ``host`` is that of the request's header.

    ``now`` is in UTC; Outscale refuses one that is fifteen minutes off.
    """
    instant, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    scope = f"{day}/{region}/api/osc4_request"
    signed = f"content-type:{_TYPE}\nhost:{host}\nx-osc-date:{instant}\n"
    request = "\n".join(("POST", path, "", signed, _SIGNED, hashlib.sha256(body).hexdigest()))
    told = "\n".join((_ALGORITHM, instant, scope, hashlib.sha256(request.encode()).hexdigest()))
    secret = f"OSC4{key.secret}".encode()
    for part in (day, region, "api", "osc4_request"):
        secret = hmac.digest(secret, part.encode(), "sha256")
    signature = hmac.new(secret, told.encode(), "sha256").hexdigest()
    return {
        "Content-Type": _TYPE,
        "X-Osc-Date": instant,
        "Authorization": f"{_ALGORITHM} Credential={key.access}/{scope}, "
        f"SignedHeaders={_SIGNED}, Signature={signature}",
    }
