"""What every worker needs when it starts, whatever it serves."""

from __future__ import annotations

from typing import Protocol

from albert.api.background import Background
from albert.api.features.accounts.names import email_of, username_of
from albert.api.features.accounts.passwords import hash_password
from albert.api.features.tokens.first_admin import FirstAdmin
from albert.domain.errors import PasswordInvalid, SettingInvalid
from albert.settings import Settings


class Reloadable(Protocol):
    async def try_reload(self) -> None: ...


def reload_later(table: Reloadable, background: Background) -> None:
    """Read the routing table anew, in the background."""
    background.start(table.try_reload(), optional=True)


def first_admin(settings: Settings) -> FirstAdmin:
    """Return the administrator of the settings.

    Raises:
        SettingInvalid: no account can be called so, or have that password.
    """
    password = settings.first_admin_password.get_secret_value()
    try:
        return FirstAdmin(
            username=username_of(settings.first_admin_username),
            email=email_of(settings.first_admin_email),
            password_hash=hash_password(password) if password else None,
        )
    except ValueError as error:
        raise SettingInvalid(f"FIRST_ADMIN_USERNAME ou FIRST_ADMIN_EMAIL : {error}") from None
    except PasswordInvalid as error:
        raise SettingInvalid(f"FIRST_ADMIN_PASSWORD : {error}") from None
