"""Wrong passwords: after five for a name, wait, and twice as long each time.

Counted before the password is looked at, in one statement: however many guesses come
together, on however many workers, no more than five are looked at.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from albert.domain.errors import AttemptsExceeded

FREE = 5
"""Attempts before the first wait."""
FIRST_WAIT = 30
LONGEST_WAIT = 15 * 60
"""Seconds. The wait doubles at each attempt: 30 s, 1 min, 2 min, 4 min, 8 min, 15 min."""

_DIGEST = "encode(sha256(convert_to(lower(CAST(:login AS text)), 'UTF8')), 'hex')"
"""By PostgreSQL's own ``lower``, which says which names are one account's."""

_OVER = "now() - interval '1 day'"
"""What is older is forgotten."""

_COUNT = text(f"""
INSERT INTO sign_in_attempts AS known (digest, failures, last_at)
VALUES ({_DIGEST}, 1, now())
ON CONFLICT (digest) DO UPDATE SET
    failures = CASE WHEN known.last_at < {_OVER} THEN 1 ELSE known.failures + 1 END,
    last_at = now(),
    locked_until = CASE
        WHEN known.last_at < {_OVER} OR known.failures + 1 < :free THEN NULL
        ELSE now() + interval '1 second' * least(
            :first * power(2, least(known.failures + 1 - :free, 20)), :longest
        )
    END
WHERE known.locked_until IS NULL OR known.locked_until <= now()
RETURNING failures
""")  # noqa: S608 — the fragments are our own

_WAIT = text(f"""
SELECT ceil(extract(epoch FROM locked_until - now()))::int
FROM sign_in_attempts WHERE digest = {_DIGEST}
""")  # noqa: S608 — the fragment is our own

_CLEAR = text(f"DELETE FROM sign_in_attempts WHERE digest = {_DIGEST}")  # noqa: S608 — our own

_SWEEP = text(f"""
DELETE FROM sign_in_attempts WHERE digest IN (
    SELECT digest FROM sign_in_attempts WHERE last_at < {_OVER}
    LIMIT 1000 FOR UPDATE SKIP LOCKED
)
""")  # noqa: S608 — the fragment is our own


async def count(session: AsyncSession, login: str) -> None:
    """Count an attempt on a name or an address, known or not, as if it were wrong.

    Raises:
        AttemptsExceeded: it must wait; the attempt is not to be looked at, right or wrong.
    """
    limits = {"free": FREE, "first": FIRST_WAIT, "longest": LONGEST_WAIT}
    counted = await session.execute(_COUNT, {"login": login, **limits})
    if counted.first() is None:
        seconds = await session.scalar(_WAIT, {"login": login})
        refused = AttemptsExceeded()
        refused.seconds = max(1, seconds or FIRST_WAIT)
        raise refused


async def clear(session: AsyncSession, *logins: str) -> None:
    """Forget the attempts on these names: their owner is known to be there."""
    for login in logins:
        await session.execute(_CLEAR, {"login": login})
    await session.execute(_SWEEP)
