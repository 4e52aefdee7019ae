"""Before a service listens: whether it may, where it wants to."""

from __future__ import annotations

import ipaddress

from albert.asgi.run import listen
from albert.domain.errors import PortInUse, SettingInvalid


def check_exposure(host: str, key: str, variable: str) -> None:
    """Refuse to serve other machines without a key; ``variable`` is where it is said.

    Raises:
        SettingInvalid
    """
    if not key and not is_loopback(host):
        raise SettingInvalid(
            f"Écouter sur {host} demande une clé : donnez-la dans {variable}, "
            "ou restez sur 127.0.0.1."
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise SettingInvalid(
            f"{variable} contient des caractères qu'une clé ne peut avoir : "
            "prenez des lettres et des chiffres."
        )


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_port(host: str, port: int) -> None:
    """See that the port is free before a model is loaded.

    Raises:
        PortInUse, ServiceError
    """
    try:
        listen(host, port).close()
    except PortInUse:
        raise PortInUse(
            f"Un autre programme écoute déjà sur le port {port} : arrêtez-le, ou changez --port."
        ) from None
