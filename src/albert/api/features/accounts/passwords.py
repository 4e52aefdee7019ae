"""Passwords: what they may be, and what is kept of them."""

from __future__ import annotations

import asyncio
import functools
import re

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from albert.domain.errors import PasswordInvalid

_FORM = re.compile(r"[A-Za-z0-9$!%*+\-?&#_=.,:;@]{8,128}")
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""argon2id with OWASP's parameters (Password Storage Cheat Sheet, 2025): 19 MiB, two passes."""
_AT_ONCE = asyncio.Semaphore(2)
"""Hashes computed together: each holds a core and 19 MiB."""


def hash_password(password: str) -> str:
    """Return what is kept of a password; 20 ms of a core.

    Raises:
        PasswordInvalid: its form is refused.
    """
    if not _FORM.fullmatch(password):
        raise PasswordInvalid
    return _HASHER.hash(password)


async def verify_password(kept: str | None, password: str) -> bool:
    """Whether ``password`` is the one; as slow where there is no account or no password."""
    async with _AT_ONCE:
        right = await asyncio.to_thread(_matches, kept, password[:1024])
    return right and kept is not None


@functools.cache
def _nobody() -> str:
    """Checked where there is no account, so that the answer takes as long."""
    return _HASHER.hash("nobody has this password")


def _matches(kept: str | None, password: str) -> bool:
    try:
        return _HASHER.verify(kept or _nobody(), password)
    except (VerificationError, InvalidHashError):
        return False
