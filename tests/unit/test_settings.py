"""Settings: what is read, what is refused, and what the message says."""

from pathlib import Path

import pytest

from albert.domain.errors import SettingInvalid
from albert.domain.home import Home
from albert.settings import load


def test_without_any_variable_every_setting_has_its_default() -> None:
    settings = load({})
    assert (settings.host, settings.port, settings.chunk_tokens) == ("127.0.0.1", 8090, 220)
    assert (settings.embedder, settings.model, settings.model_url) == ("e5", "", "")
    assert settings.corpus_from == "official,registry"


def test_variables_are_read_as_what_they_mean() -> None:
    settings = load({"ALBERT_PORT": "9000", "ALBERT_HOME": "/srv/albert", "HOME": "/root"})
    assert (settings.port, settings.home) == (9000, Path("/srv/albert"))


def test_an_unknown_setting_is_named_with_the_one_that_was_meant() -> None:
    with pytest.raises(SettingInvalid) as told:
        load({"ALBERT_PROT": "9000"})
    assert str(told.value) == (
        "Le réglage ALBERT_PROT n'existe pas : vouliez-vous dire ALBERT_PORT ?"
    )


def test_an_unknown_setting_like_no_other_is_named_alone() -> None:
    with pytest.raises(SettingInvalid, match=r"^Le réglage ALBERT_XYZZYXYZZY n'existe pas\.$"):
        load({"ALBERT_XYZZYXYZZY": "1"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALBERT_PORT", "http"),
        ("ALBERT_PORT", "0"),
        ("ALBERT_PORT", "65536"),
        ("ALBERT_CHUNK_TOKENS", "63"),
        ("ALBERT_CHUNK_TOKENS", "501"),
        ("ALBERT_EMBEDDER", "bert"),
        ("ALBERT_OFFICIAL_TIMEOUT", "0"),
        ("ALBERT_OFFICIAL_TIMEOUT", "nan"),
        ("ALBERT_LIMIT", "51"),
    ],
)
def test_an_ill_formed_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingInvalid, match=f"^Le réglage {name} ne peut pas valoir"):
        load({name: value})


def test_the_registry_is_that_of_npm_and_bears_its_name() -> None:
    assert load({"NPM_CONFIG_REGISTRY": "https://npm.example/"}).npm_registry == (
        "https://npm.example/"
    )
    with pytest.raises(SettingInvalid, match="ALBERT_NPM_REGISTRY n'existe pas"):
        load({"ALBERT_NPM_REGISTRY": "https://npm.example/"})


def test_a_key_is_never_shown() -> None:
    settings = load({"ALBERT_MODEL_KEY": "top-secret"})
    assert "top-secret" not in repr(settings)
    assert settings.model_key.get_secret_value() == "top-secret"


def test_settings_never_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load({}).port = 1


def test_the_data_folder_has_one_layout(tmp_path: Path) -> None:
    home = Home(tmp_path)
    parts = {name: getattr(home, name) for name in ("format", "sources", "index", "logs")}
    assert parts == {name: tmp_path / name for name in parts}
    assert (home.corpus, home.lexicon) == (tmp_path / "corpus.sqlite", tmp_path / "lexicon.json")


class TestDatabaseAddress:
    def test_without_a_host_there_is_none(self) -> None:
        assert load({}).database_address == ""

    def test_the_parts_make_an_address_whatever_their_characters(self) -> None:
        given = {
            "POSTGRES_HOST": "db.exemple.fr",
            "POSTGRES_PORT": "5433",
            "POSTGRES_USER": "albert",
            "POSTGRES_PASSWORD": "p@ss/w:rd",
            "POSTGRES_DB": "conversations",
        }
        assert load(given).database_address == (
            "postgresql://albert:p%40ss%2Fw%3Ard@/conversations?host=db.exemple.fr&port=5433"
        )

    def test_a_whole_address_wins_and_names_no_driver(self) -> None:
        given = {"POSTGRES_HOST": "ignored", "POSTGRES_URI": "postgres+psycopg2://a:b@h/d"}
        assert load(given).database_address == "postgresql://a:b@h/d"
