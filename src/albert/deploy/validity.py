"""Values that cannot be, told alike by all that read an environment before its services do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from albert.asgi.client import TrustedProxies
from albert.deploy.compose.cards import card_counts
from albert.deploy.compose.limits import wrong_limits
from albert.domain.errors import AlbertError, EnvironmentInvalid, SettingInvalid
from albert.guard.whitelist import operators_list
from albert.settings import Settings, variable


def refuse_wrong(values: Mapping[str, str], settings: Settings, *, here: bool) -> None:
    """Stop a deployment whose environment has values that cannot be: all of them are told.

    Raises:
        EnvironmentInvalid
    """
    if found := tuple(wrong_values(values, settings, here=here)):
        raise EnvironmentInvalid("\n".join(found))


def wrong_values(values: Mapping[str, str], settings: Settings, *, here: bool) -> Iterator[str]:
    """Yield a sentence for each of ``values`` that cannot be.

    ``here``: the files that the API reads are those of this machine.
    """
    yield from _wrong_settings(settings, here=here)
    try:
        card_counts(values.get("GPU_COUNTS", ""))
    except EnvironmentInvalid as error:
        yield str(error)
    yield from wrong_limits(values)
    for name in ("ELASTIC_PORT", "QDRANT_PORT"):
        port = values.get(name, "")
        if port and not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
            yield f"{name} : « {port} » n'est pas un port (un nombre de 1 à 65535)."


def _wrong_settings(settings: Settings, *, here: bool) -> Iterator[str]:
    try:
        TrustedProxies.parse(settings.trusted_proxies, variable("trusted_proxies"))
    except SettingInvalid as error:
        yield str(error)
    if not _is_address(settings.front_url):
        yield "FRONT_URL n'est pas une adresse : écrivez « https://albert.exemple.gouv.fr »."
    if here and settings.whitelist:
        try:
            operators_list(Path(settings.whitelist).expanduser())
        except AlbertError as error:
            yield str(error)


def _is_address(said: str) -> bool:
    try:
        parts = urlsplit(said)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port, or an IPv6 address, that is none
        return False
