"""Names of backups, how many are kept, and addresses without their password."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albert.api.database.backup.folder import kept, name_of, prune
from albert.api.database.connecting import Address
from albert.domain.errors import DatabaseError

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


def made(folder: Path, environment: str, number: int) -> list[Path]:
    """Make ``number`` backups, one a day; the last is the newest."""
    paths = [folder / name_of(environment, NOON + timedelta(days=day)) for day in range(number)]
    for path in paths:
        path.touch()
    return paths


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    *old, second, newest = made(tmp_path, "dinum", 5)
    assert sorted(prune(tmp_path, "dinum", 2, newest)) == old
    assert kept(tmp_path, "dinum") == [newest, second]


def test_backups_of_another_environment_and_other_files_stay(tmp_path: Path) -> None:
    others = [*made(tmp_path, "dinum-staging", 3), tmp_path / "albert-dinum-notes.albertdb"]
    others[-1].touch()
    [*_, newest] = made(tmp_path, "dinum", 3)
    prune(tmp_path, "dinum", 1, newest)
    assert set(tmp_path.iterdir()) == {newest, *others}


def test_a_clock_that_went_back_does_not_lose_the_backup_just_taken(tmp_path: Path) -> None:
    fresh, *_, newest = made(tmp_path, "dinum", 3)
    prune(tmp_path, "dinum", 1, fresh)
    assert fresh.exists()
    assert not newest.exists()


def test_an_environment_names_no_other_folder(tmp_path: Path) -> None:
    assert (tmp_path / name_of("../dinum", NOON)).parent == tmp_path


@given(password=st.text(min_size=1), user=st.text("azé@:/ ", min_size=1))
def test_an_address_is_told_without_its_password(password: str, user: str) -> None:
    who = f"{quote(user, safe='')}:{quote(password, safe='')}"
    found = Address.of(f"postgresql://{who}@/albert?host=db.example&port=5433")
    assert (found.user, found.password) == (user, password)
    assert (found.host, found.name) == ("db.example:5433", "albert")
    assert found.bare == (f"postgresql://{quote(user, safe='')}@/albert?host=db.example&port=5433")


@pytest.mark.parametrize(
    ("uri", "bare", "password"),
    [
        ("postgresql://a:b@db:5432/n", "postgresql://a@db:5432/n", "b"),
        ("postgresql://db/n?user=a&password=b%20c", "postgresql://db/n?user=a", "b c"),
        (
            "postgresql://db/n?user=a&sslkey=k&sslpassword=b",
            "postgresql://db/n?user=a&sslkey=k",
            "",
        ),
        ("postgresql://db/n?user=a&password=b@c", "postgresql://db/n?user=a", "b@c"),
        ("postgresql://a@one,two/n?sslmode=require", None, ""),
    ],
)
def test_addresses_of_every_shape_are_read(uri: str, bare: str | None, password: str) -> None:
    found = Address.of(uri)
    assert (found.bare, found.password) == (bare or uri, password)
    assert (found.user, found.name) == ("a", "n")


@pytest.mark.parametrize(
    "password", ["bon/mot", "bon#mot", "bon?mot", "12/34", "bon/m?t", "bon@mot/", "bon@m?t", "a@#"]
)
def test_a_password_that_is_not_encoded_is_refused_and_none_of_it_shown(password: str) -> None:
    with pytest.raises(DatabaseError, match="encodez") as refused:
        Address.of(f"postgresql://albert:{password}@db.example:5432/albert")
    assert "bon" not in str(refused.value)
    assert "12" not in str(refused.value)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("mysql://a:secret@h/n", "n'est pas l'adresse d'une base PostgreSQL"),
        ("h:5432/n", "n'est pas l'adresse d'une base PostgreSQL"),
        ("postgresql://a:secret@h:abc/n", "son port n'est pas un nombre"),
        ("postgresql://a:secret@h:5432,i:65536/n", "son port n'est pas un nombre"),
        ("postgresql:///n?host=h&port=abc", "son port n'est pas un nombre"),
    ],
)
def test_an_address_of_no_postgresql_is_refused_in_french(uri: str, said: str) -> None:
    with pytest.raises(DatabaseError, match=f"^POSTGRES_URI.*{said}") as refused:
        Address.of(uri)
    assert "secret" not in str(refused.value)


def test_ports_stand_behind_hosts_of_every_shape() -> None:
    for uri in ("postgresql://[::1]:5432,h,i:5433/n", "postgresql:///n?host=a,b&port=1,2"):
        assert Address.of(uri).name == "n"


@given(st.text("ab1/#?@=&:%[", min_size=1))
def test_no_part_of_a_password_is_in_what_is_shown(password: str) -> None:
    try:
        found = Address.of(f"postgresql://z:{password}@y/x")
    except DatabaseError:
        return
    assert (found.host, found.user, found.name) == ("y", "z", "x")
    assert found.bare == "postgresql://z@y/x"
