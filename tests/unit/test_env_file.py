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
        ("A=1\n2B=1\n", "f, ligne 2 : ce qui précède « = » n'est pas un nom de variable."),
        ("A=1\nB=2\nA=3\n", "f, ligne 3 : A est déjà donnée plus haut."),
    ],
)
def test_a_line_that_cannot_be_read_is_named(text: str, said: str) -> None:
    with pytest.raises(EnvironmentInvalid) as refused:
        parse(text, "f")
    assert str(refused.value) == said


DIFFERENTLY = "que Docker, systemd et le shell ne lisent pas de la même façon : changez-la."


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("xK8v$b", "mettez-la entre apostrophes, CLE='…'."),
        ('"xK8v$b"', "mettez-la entre apostrophes, CLE='…'."),
        ('xK8v"b', "mettez-la entre apostrophes, CLE='…'."),
        ("xK8v'b", DIFFERENTLY),
        ("xK8v\\b", DIFFERENTLY),
        ('"xK8v\\nb"', DIFFERENTLY),
        ("'xK8v\\'b'", DIFFERENTLY),
        ("'xK8v", "ne la ferme pas à la fin de la ligne : écrivez CLE='…'."),
        ('"xK8v\nB=1', "ne la ferme pas à la fin de la ligne : écrivez CLE='…'."),
        ("'xK8v\nb'", "ne la ferme pas à la fin de la ligne : écrivez CLE='…'."),
        ("'xK8v' b", "ne la ferme pas à la fin de la ligne : écrivez CLE='…'."),
    ],
)
def test_a_value_that_programs_would_read_differently_is_not_read(value: str, said: str) -> None:
    with pytest.raises(EnvironmentInvalid) as refused:
        parse(f"ENV=main\n\nCLE={value}\n", "f")
    assert str(refused.value).startswith("f, ligne 3 : ")
    assert str(refused.value).endswith(said)
    assert "xK8v" not in str(refused.value)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("CLE='a $b \"c\"'", 'a $b "c"'),
        ('CLE="l\'eau"', "l'eau"),
        ("CLE=a#b # l'eau \\ $x", "a#b"),
        ("CLE='a' # l'eau \\ $x", "a"),
        ("# CLE='a $b", None),
    ],
)
def test_a_value_that_all_read_alike_is_read(line: str, value: str | None) -> None:
    assert parse(f"{line}\n", "f").get("CLE") == value


@pytest.mark.parametrize("name", ["UE9T" * 17, "UE9T/abc"])
def test_a_name_that_may_be_a_secret_is_not_shown(name: str) -> None:
    """A file in base64 ends by « = », and then is the name of a variable."""
    with pytest.raises(EnvironmentInvalid) as refused:
        parse(f"ENV=main\n{name}=\n", "f")
    assert str(refused.value) == "f, ligne 2 : ce qui précède « = » n'est pas un nom de variable."


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
