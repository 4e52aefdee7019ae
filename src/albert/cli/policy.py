"""What the settings say of accounts and answers, apart from what serves: ``user`` reads it too."""

from __future__ import annotations

from albert.api.services import Policy
from albert.bootstrap.albert import Albert


def policy(one: Albert) -> Policy:
    """Return it as the settings say it."""
    settings = one.settings
    return Policy(
        contact_email=settings.contact_email or settings.first_admin_email,
        front_url=settings.front_url,
        resume_seconds=settings.resume_seconds,
        drain_seconds=settings.drain_seconds,
        retention_days=settings.retention_days,
    )
