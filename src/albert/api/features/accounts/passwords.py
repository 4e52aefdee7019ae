"""Passwords: what they may be, and what is kept of them."""

from __future__ import annotations

import asyncio
import functools
import re
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from albert.domain.errors import PasswordInvalid

_FORM = re.compile(r"[A-Za-z0-9$!%*+\-?&#_=.,:;@]{8,128}")
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""argon2id with OWASP's parameters (Password Storage Cheat Sheet, 2025): 19 MiB, two passes."""
_AT_ONCE = 2
"""Hashes computed together: each holds a core and 19 MiB."""


def check_form(password: str) -> None:
    """See that a password may be chosen.

    Raises:
        PasswordInvalid
    """
    if not _FORM.fullmatch(password):
        raise PasswordInvalid


def hash_password(password: str) -> str:
    """Return what is kept of a password; 20 ms of a core.

    Raises:
        PasswordInvalid: its form is refused.
    """
    check_form(password)
    return _HASHER.hash(password)


async def hashed(password: str) -> str:
    """Return what is kept of a password, computed beside the event loop.

    Raises:
        PasswordInvalid: its form is refused.
    """
    check_form(password)
    return await asyncio.get_running_loop().run_in_executor(_threads(), hash_password, password)


async def verify_password(kept: str | None, password: str) -> bool:
    """Whether ``password`` is the one; as slow where there is no account or no password."""
    right = await asyncio.get_running_loop().run_in_executor(
        _threads(), _matches, kept, password[:1024]
    )
    return right and kept is not None


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_AT_ONCE, "password")


@functools.cache
def _nobody() -> str:
    """Checked where there is no account, so that the answer takes as long."""
    return _HASHER.hash("nobody has this password")


def _matches(kept: str | None, password: str) -> bool:
    nobody = _nobody()  # made by whoever comes first, not by the first unknown name
    try:
        return _HASHER.verify(kept or nobody, password)
    except (VerificationError, InvalidHashError):
        return False
