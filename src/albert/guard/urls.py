"""Which page an address means: two addresses of one page have one key."""

from __future__ import annotations

import html
import re
from urllib.parse import quote

_PARTS = re.compile(r"(?:(https?)://|//)?([^/?#]+)([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.IGNORECASE)
_HOST = re.compile(r"([\w.-]+)(?::(\d{1,5}))?")
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_MARKDOWN = re.compile(r"\\([!-/:-@\[-`{-~])")
_SAFE = "/:@!$&'()*+,;=%~-._?"
_DEFAULT_PORTS = {"http": "80", "https": "443", "": "443"}


def key(address: str) -> str:
    """Return ``host/path?query``, or nothing for what is no plain http address.

    The same page whatever its scheme (http, https or none), the case of its host,
    ``www.``, a default port, a trailing slash, its fragment and how its characters
    are escaped (RFC 3986, 6.2). The case of the path and the order of the query
    matter: servers may tell them apart. Nobody's page: an address with user
    information, a backslash, or a step upwards.
    """
    parts = _PARTS.fullmatch(address)
    if parts is None or "\\" in address or "/.." in address:
        return ""
    scheme, host, path, query = ((part or "") for part in parts.groups())
    place = _HOST.fullmatch(host)
    if place is None or "." not in place[1].strip("."):
        return ""
    name = _ascii(place[1].lower().removeprefix("www."))
    port = place[2] or ""
    at = f":{port}" if port not in ("", _DEFAULT_PORTS[scheme.lower()]) else ""
    asked = f"?{_escaped(query)}" if query else ""
    return f"{name}{at}{_escaped(path).rstrip('/')}{asked}" if name else ""


def host_of(key: str) -> str:
    return re.split(r"[/?]", key, maxsplit=1)[0]


def plain(address: str) -> str:
    """Return an address without the escapes of Markdown and HTML in it."""
    return html.unescape(_MARKDOWN.sub(r"\1", address))


def _ascii(host: str) -> str:
    """Return the host as resolvers ask for it (IDNA), or nothing if it is none."""
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def _escaped(text: str) -> str:
    return _ESCAPED.sub(_escape, quote(text, safe=_SAFE)) if text else ""


def _escape(found: re.Match[str]) -> str:
    char = chr(int(found[1], 16))
    return char if _UNRESERVED.fullmatch(char) else found[0].upper()
