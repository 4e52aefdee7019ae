"""An environment's file of variables: what is read, what is refused, what is written."""

import stat
from pathlib import Path

import pytest

from albert.deploy.env_file import parse, read, write
from albert.domain.errors import EnvironmentInvalid


def test_comments_quotes_and_export_are_understood() -> None:
    text = "# la base\nexport POSTGRES_PORT=5432\n\nPOSTGRES_PASSWORD='a b$c' # secret\nENV=\n"
    assert parse(text, "f") == {"POSTGRES_PORT": "5432", "POSTGRES_PASSWORD": "a b$c", "ENV": ""}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ENV=dev\n\nPOSTGRES PORT=1\n", "f, ligne 3 : il faut NOM=valeur."),
        ("ENV\n", "f, ligne 1 : il faut NOM=valeur."),
        ("A=1\n2B=1\n", "f, ligne 2 : « 2B » n'est pas un nom de variable."),
        ("A=1\nB=2\nA=3\n", "f, ligne 3 : A est déjà donnée plus haut."),
    ],
)
def test_a_line_that_cannot_be_read_is_named(text: str, said: str) -> None:
    with pytest.raises(EnvironmentInvalid) as refused:
        parse(text, "f")
    assert str(refused.value) == said


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentInvalid, match=r"dinum\.env"):
        read(tmp_path / "dinum.env")


def test_what_is_written_is_read_back_and_is_its_owner_s_alone(tmp_path: Path) -> None:
    values = {"ENV": "prod", "POSTGRES_PASSWORD": "d $HOME é%", "EMPTY": ""}
    write(tmp_path / "a" / "prod.env", values)
    assert read(tmp_path / "a" / "prod.env") == values
    assert stat.S_IMODE((tmp_path / "a" / "prod.env").stat().st_mode) == 0o600


@pytest.mark.parametrize("value", ["l'eau", "a\\b", "a\nb"])
def test_a_value_that_programs_read_differently_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(EnvironmentInvalid, match="SECRET_KEY"):
        write(tmp_path / "prod.env", {"ENV": "prod", "SECRET_KEY": value})
    assert not list(tmp_path.iterdir())
