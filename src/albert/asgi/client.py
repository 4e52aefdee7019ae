"""From which address a request comes, and whose word is taken for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from starlette.types import Scope

from albert.domain.errors import SettingInvalid

UNKNOWN = "-"
"""Where no address can be told: the other end of a Unix socket has none."""

_Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The proxies whose ``X-Forwarded-For`` is believed. It opens nothing to anybody."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def parse(cls, said: str, variable: str) -> TrustedProxies:
        """Read addresses and networks between commas; ``variable`` is where they are said.

        Raises:
            SettingInvalid
        """
        words = [word.strip() for word in said.split(",")]
        return cls(tuple(_network(word, variable) for word in words if word))

    def client(self, scope: Scope) -> str:
        """Return the address of whoever asks, as it is written today (no IPv4 within IPv6).

        Read from the right: each trusted proxy added who spoke to it, so the first address
        that is not trusted is the client's, and what stands before it is the client's own
        word. Where the header makes no sense, the address of the peer is returned.
        """
        peer = _address(scope["client"][0]) if scope.get("client") else None
        if peer is None:
            return UNKNOWN
        client = peer
        if self._trusts(peer):
            for said in _forwarded(scope):
                client = _address(said) or peer
                if client is peer or not self._trusts(client):
                    break
        return str(client)

    def _trusts(self, address: _Address) -> bool:
        return any(address in network for network in self.networks)


def _forwarded(scope: Scope) -> Iterator[str]:
    """Give what ``X-Forwarded-For`` says, the nearest first."""
    lines = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    if lines:
        yield from reversed(b",".join(lines).decode("latin-1").split(","))


def _address(said: str) -> _Address | None:
    said = said.strip()
    try:
        address = ip_address(said)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:  # any text may follow the « % »
            return None
        return address.ipv4_mapped or address
    return address


def _network(word: str, variable: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(word)
    except ValueError:
        raise SettingInvalid(
            f"{variable} : « {word} » n'est ni une adresse ni un réseau ; il faut par exemple "
            "127.0.0.1 ou 10.0.0.0/24, séparés par des virgules."
        ) from None
    if network.prefixlen == 0:
        raise SettingInvalid(
            f"{variable} : « {word} » croirait n'importe qui sur parole ; ne donnez que les "
            "adresses de vos mandataires."
        )
    return network
