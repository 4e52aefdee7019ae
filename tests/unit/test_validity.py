"""Values of an environment that cannot be: what doctor, systemd and render all say of them."""

from pathlib import Path

import pytest

from albert.deploy.env_file import read
from albert.deploy.validity import refuse_wrong, wrong_values
from albert.domain.errors import EnvironmentInvalid
from albert.settings import load

EXAMPLE = Path(__file__).parents[2] / "contrib" / "environments" / "exemple.env"


def told(values: dict[str, str], *, here: bool = True) -> list[str]:
    return list(wrong_values(values, load(values), here=here))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALBERT_TRUSTED_PROXIES", "abc"),
        ("FRONT_URL", "https://albert.exemple.fr:port"),
        ("FRONT_URL", "https://[::1"),
        ("GPU_COUNTS", "x"),
        ("API_MEMORY", "lots"),
        ("LLM_CPUS", "0"),
        ("LLM_CPUS", "."),
        ("POSTGRES_MEMORY", "lots"),
        ("POSTGRES_MEMORY", "0gb"),
        ("POSTGRES_MEMORY", "2bb"),
        ("ELASTIC_PORT", "abc"),
        ("QDRANT_PORT", "65536"),
    ],
)
def test_a_value_that_cannot_be_is_told_by_its_name(name: str, value: str) -> None:
    (said,) = told({name: value})
    assert said.startswith(name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POSTGRES_MEMORY", "2gb"),
        ("API_MEMORY", "512MB"),
        ("LLM_MEMORY", "1.5g"),
        ("EMBEDDINGS_MEMORY", "2097152kb"),
        ("API_MEMORY", "4000000000b"),
        ("API_CPUS", ".5"),
    ],
)
def test_a_limit_is_written_in_any_way_of_compose(name: str, value: str) -> None:
    assert told({name: value}) == []


def test_all_that_is_wrong_is_told_at_once() -> None:
    values = {"API_MEMORY": "lots", "ELASTIC_PORT": "abc"}
    with pytest.raises(EnvironmentInvalid, match=r"^API_MEMORY.*\nELASTIC_PORT"):
        refuse_wrong(values, load(values), here=True)


def test_a_list_of_addresses_is_read_on_the_machine_that_serves_it(tmp_path: Path) -> None:
    path = str(tmp_path / "aucune.txt")
    assert [path in said for said in told({"ALBERT_WHITELIST": path})] == [True]
    assert told({"ALBERT_WHITELIST": path}, here=False) == []


def test_nothing_is_said_of_the_example() -> None:
    assert told(read(EXAMPLE)) == []


def test_an_address_may_have_a_port_and_an_ipv6_host() -> None:
    assert told({"FRONT_URL": "http://[::1]:4173/albert"}) == []
