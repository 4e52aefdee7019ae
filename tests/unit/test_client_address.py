"""Whose address a request has: the peer's, or what trusted proxies say of it, and no more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Scope

from albert.asgi.client import UNKNOWN, TrustedProxies
from albert.domain.errors import SettingInvalid

PROXY, CLIENT = "127.0.0.1", "203.0.113.7"


def address(trusted: str, peer: str | None, *forwarded: str) -> str:
    headers = [(b"x-forwarded-for", line.encode("latin-1")) for line in forwarded]
    scope: Scope = {"client": peer and (peer, 4242), "headers": headers}
    return TrustedProxies.parse(trusted, "ALBERT_TRUSTED_PROXIES").client(scope)


def test_without_trusted_proxies_the_peer_is_the_client_whatever_it_says() -> None:
    assert address("", CLIENT, "198.51.100.1") == CLIENT


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "client"),
    [
        (PROXY, PROXY, [CLIENT], CLIENT),
        (PROXY, PROXY, ["198.51.100.1, " + CLIENT], CLIENT),
        (PROXY, PROXY, ["198.51.100.1", CLIENT], CLIENT),
        ("127.0.0.1, 10.0.0.0/8", PROXY, [f"1.2.3.4, {CLIENT}, 10.1.2.3"], CLIENT),
        (PROXY, PROXY, [PROXY], PROXY),
        (PROXY, PROXY, [], PROXY),
        (PROXY, "192.0.2.9", [CLIENT], "192.0.2.9"),
        ("::1,2001:db8:1::/48", "2001:db8:1::5", ["2001:DB8:0::7"], "2001:db8::7"),
        (PROXY, "::ffff:127.0.0.1", ["::ffff:203.0.113.7"], CLIENT),
    ],
    ids=[
        "one proxy",
        "what the client said itself is not believed",
        "nor in a header of its own",
        "two proxies",
        "the machine itself",
        "the proxy says nothing",
        "a stranger",
        "IPv6",
        "IPv4 within IPv6",
    ],
)
def test_the_first_address_from_the_right_that_is_not_trusted_is_the_client(
    trusted: str, peer: str, forwarded: list[str], client: str
) -> None:
    assert address(trusted, peer, *forwarded) == client


@pytest.mark.parametrize(
    "said",
    ["", "camille", "203.0.113.7:4242", "[2001:db8::7]", "fe80::1%eth0 x", "203.0.113.7,", "²"],
)
def test_an_address_that_makes_no_sense_leaves_the_peer(said: str) -> None:
    assert address(PROXY, PROXY, said) == PROXY


def test_who_has_no_address_is_unknown() -> None:
    assert address(PROXY, None, CLIENT) == UNKNOWN


@given(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n")))
def test_whatever_is_forwarded_the_address_can_stand_in_a_line(said: str) -> None:
    found = address(PROXY, PROXY, said)
    assert set(found) <= set("0123456789abcdef:.")


@pytest.mark.parametrize("said", ["nginx", "10.0.0.1/8", "127.0.0.1 10.0.0.1", "0.0.0.0/0", "::/0"])
def test_trusted_proxies_that_are_not_addresses_or_are_everybody_are_refused(said: str) -> None:
    with pytest.raises(SettingInvalid, match="ALBERT_TRUSTED_PROXIES"):
        TrustedProxies.parse(said, "ALBERT_TRUSTED_PROXIES")
