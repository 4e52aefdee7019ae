"""Outside development, a secret that all know stops the start, and is never shown."""

from pathlib import Path

import pytest

from albert.api.secrets import refuse_weak_secrets, secret_key
from albert.domain.errors import SettingInvalid
from albert.settings import load

STRONG = "8f1c0d9be27a4463b5c7d2e90a6f3b18"


@pytest.mark.parametrize("weak", ["", "petit", "a" * 64, "changeme" * 8, "secret" * 8, STRONG[:31]])
def test_a_weak_secret_key_is_refused(weak: str) -> None:
    with pytest.raises(SettingInvalid, match=r"^SECRET_KEY") as told:
        refuse_weak_secrets(load({"ENV": "prod", "SECRET_KEY": weak}))
    assert not weak or weak not in str(told.value)


@pytest.mark.parametrize("name", ["FIRST_ADMIN_PASSWORD", "POSTGRES_PASSWORD"])
@pytest.mark.parametrize("weak", ["changeme", "postgres", "admin", "password12345", "Zq8!vT3"])
def test_a_weak_password_is_refused(name: str, weak: str) -> None:
    with pytest.raises(SettingInvalid, match=f"^{name}") as told:
        refuse_weak_secrets(load({"ENV": "production", "SECRET_KEY": STRONG, name: weak}))
    assert weak not in str(told.value)


def test_random_secrets_pass() -> None:
    given = {"FIRST_ADMIN_PASSWORD": "vT3-Zq8kLw9_Rx", "POSTGRES_PASSWORD": "n7Gd2Wc5Yb8Hj"}
    refuse_weak_secrets(load({"ENV": "prod", "SECRET_KEY": STRONG, **given}))


@pytest.mark.parametrize("env", ["dev", "development", "local", "test", "DEV"])
def test_a_developer_needs_none(env: str, tmp_path: Path) -> None:
    settings = load({"ENV": env})
    refuse_weak_secrets(settings)
    assert secret_key(settings, tmp_path) == secret_key(settings, tmp_path)


def test_nothing_is_drawn_outside_development(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match=r"^SECRET_KEY manque"):
        secret_key(load({"ENV": "prod"}), tmp_path)
    assert not list(tmp_path.iterdir())
