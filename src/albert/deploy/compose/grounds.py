"""What containers can reach and read of their machine, and what an environment assumes of it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from albert.deploy.plan import Plan
from albert.domain.errors import EnvironmentInvalid
from albert.routing.table import RoutedModel

_ADDRESSES = (
    *("POSTGRES_URI", "ALBERT_MODEL_URL", "SMTP_HOST", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    *("HF_ENDPOINT", "ALBERT_MAILJET_URL", "NPM_CONFIG_REGISTRY", "HTTP_PROXY", "HTTPS_PROXY"),
)
"""Of servers that containers call. That of the database has a network for it."""

_ORIGINS = ("official", "registry")


def own_database(values: Mapping[str, str]) -> bool:
    """Whether the database is that of ``databases.yml``, on the machine of the API itself."""
    return not values.get("POSTGRES_URI") and _is_loopback(values.get("POSTGRES_HOST", ""))


def check_reachable(values: Mapping[str, str], table: Iterable[RoutedModel], plan: Plan) -> None:
    """See that what containers call is not said by an address that means themselves.

    Raises:
        EnvironmentInvalid
    """
    apis = {one.host for one in plan.services if one.kind == "api"}
    if apis and not (values.get("POSTGRES_HOST") or values.get("POSTGRES_URI")):
        raise EnvironmentInvalid(
            "POSTGRES_HOST manque : « localhost » pour la base de contrib/compose/databases.yml "
            "sur la même machine, ou l'hôte d'une autre."
        )
    if own_database(values) and len(apis) > 1:
        raise EnvironmentInvalid(
            f"POSTGRES_HOST={values['POSTGRES_HOST']} donnerait à chaque hôte d'API_HOSTS une base "
            "à part : dites la machine de celle qu'ils partagent."
        )
    for proxy in values.get("ALBERT_TRUSTED_PROXIES", "").split(","):
        if _is_loopback(proxy.strip()):
            raise EnvironmentInvalid(
                f"ALBERT_TRUSTED_PROXIES : nginx ne vient pas à un conteneur par {proxy.strip()}, "
                "mais par la passerelle du réseau de Docker : « 172.16.0.0/12,192.168.0.0/16 », "
                "sans danger puisque l'API n'est publiée que sur la machine."
            )
    for name, address in _called(values, table):
        if _is_loopback(_host(address)):
            raise EnvironmentInvalid(
                f"{name} : « {_host(address)} » désigne pour un conteneur lui-même, non sa "
                "machine : donnez le nom ou l'adresse de la machine."
            )


def files_of(values: Mapping[str, str]) -> tuple[str, ...]:
    """Return the files of the machine that the API is told to read, by their whole paths.

    Raises:
        EnvironmentInvalid: a path depends on where one stands.
    """
    found: dict[str, None] = {}
    for name in ("ALBERT_WHITELIST", "ALBERT_CORPUS_FROM", "SSL_CERT_FILE"):
        for word in values.get(name, "").split(","):
            path = word.strip()
            if not path or (name == "ALBERT_CORPUS_FROM" and path in _ORIGINS):
                continue
            found[_whole(name, path)] = None
    return tuple(found)


def folders_of(values: Mapping[str, str]) -> tuple[str, ...]:
    """Return the folders of the machine that the API is told to write in.

    Raises:
        EnvironmentInvalid: a path depends on where one stands.
    """
    found: dict[str, None] = {}
    if backups := values.get("ALBERT_BACKUPS"):
        found[_whole("ALBERT_BACKUPS", backups)] = None
    if log := values.get("ALBERT_AUTH_LOG"):
        found[str(PurePosixPath(_whole("ALBERT_AUTH_LOG", log)).parent)] = None
    return tuple(found)


def _whole(name: str, path: str) -> str:
    if path.startswith("/"):
        return path
    raise EnvironmentInvalid(
        f"{name} : « {path} » n'est pas un chemin entier ; un conteneur n'a pas de dossier courant "
        ": commencez-le par « / »."
    )


def _called(values: Mapping[str, str], table: Iterable[RoutedModel]) -> Iterator[tuple[str, str]]:
    yield from ((name, values[name]) for name in _ADDRESSES if values.get(name))
    for model in table:
        for replica in model.replicas:
            if "://" in replica.host or (model.driver == "openai" and replica.host):
                yield f"La table de routage, « {model.name} »", replica.host


def _host(address: str) -> str:
    if "://" not in address:
        return address
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
