"""The variables of an environment: who reads which, what is a typing mistake, the example."""

import re
from pathlib import Path

import pytest

from albert.deploy.env_file import parse, read
from albert.deploy.plan import plan
from albert.deploy.variables import DEPLOYMENT, check, read_by, readers, secrets_among
from albert.settings import Settings, load, variable

EXAMPLE = Path(__file__).parents[2] / "contrib" / "environments" / "exemple.env"
COMMENTED = re.compile(r"^# (?=[A-Z][A-Z_]+=)", re.MULTILINE)


def uncommented() -> dict[str, str]:
    """The example with everything that it shows in comments."""
    return parse(COMMENTED.sub("", EXAMPLE.read_text("utf-8")), EXAMPLE.name)


def test_a_name_that_nobody_reads_is_told_with_the_one_that_was_meant() -> None:
    assert check({"POSTGRES_PASWORD": "x", "ENV": "main"}) == (
        "POSTGRES_PASWORD n'est lue par personne : vouliez-vous dire POSTGRES_PASSWORD ?",
    )


def test_a_name_like_no_other_is_told_with_what_it_may_be() -> None:
    (said,) = check({"CLE_DU_GPU": "x"})
    assert said.startswith("CLE_DU_GPU n'est lue par personne : retirez-la, ou nommez-la dans")


def test_a_name_that_may_be_a_secret_is_told_by_its_place() -> None:
    assert check({"ENV": "main", "UE9TVEdSRVNf": ""}) == (
        "La variable no 2 du fichier n'est lue par personne : corrigez son nom.",
    )


def test_a_variable_that_the_table_names_is_known() -> None:
    assert check({"CLE_DU_GPU": "x"}, ["CLE_DU_GPU"]) == ()
    (said,) = check({"CLE_DU_GUP": "x"}, ["CLE_DU_GPU"])
    assert said.endswith("vouliez-vous dire CLE_DU_GPU ?")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_a_reader(name: str) -> None:
    assert readers(name)


def test_a_service_is_given_no_secret_of_another() -> None:
    values = {variable(name): "x" for name in Settings.model_fields}
    values |= {one.name: "x" for one in DEPLOYMENT}
    secret = {reader: set(secrets_among(read_by(reader, values))) for reader in ("llm", "api")}
    assert secret["llm"] == {"LLM_API_KEY"}
    assert not secret["api"] & {"LLM_API_KEY", "EMBEDDINGS_API_KEY", "HF_TOKEN", "GITLAB_PASSWORD"}
    assert set(secrets_among(read_by("embeddings", values))) == {"EMBEDDINGS_API_KEY"}


def test_an_empty_secret_is_none() -> None:
    assert secrets_among({"SECRET_KEY": "", "CLE": "x", "ENV": "dev"}, ["CLE"]) == ("CLE",)


def test_the_example_makes_a_plan_and_every_name_in_it_is_known() -> None:
    values = read(EXAMPLE)
    assert check(values) == ()
    assert load(values).env == "main"
    assert [service.name for service in plan("main", values).services] == ["api-8090", "api-8091"]


def test_what_the_example_shows_in_comments_is_right_too() -> None:
    values = uncommented()
    assert check(values) == ()
    assert load(values).hf_offline


def test_the_example_holds_no_secret() -> None:
    assert secrets_among(read(EXAMPLE)) == ()
    assert secrets_among(uncommented()) == ("POSTGRES_URI",)  # an address without a password
