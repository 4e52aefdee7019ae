"""Which mailbox an e-mail address means."""

from __future__ import annotations


def key(address: str) -> str:
    """Return the address in lower case: no mail server of ours tells cases apart."""
    return address.lower()
