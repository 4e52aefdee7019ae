"""Which services an environment has, where, and what each is told."""

import pytest

from albert.deploy.plan import plan
from albert.domain.errors import EnvironmentInvalid
from albert.routing.table import Replica, RoutedModel

VALUES = {
    "ENV": "staging",
    "POSTGRES_PASSWORD": "p",
    "SECRET_KEY": "s",
    "LLM_API_KEY": "l",
    "CLE_GPU1": "g",
    "GITLAB_PASSWORD": "x",
    "STORAGE_PATH": "/data/models",
}
LIGHT = RoutedModel(
    name="albert-light",
    replicas=(Replica(host="gpu1", port=8000, key_variable="CLE_GPU1"), Replica(host="gpu2")),
)


def places(values: dict[str, str], *models: RoutedModel) -> list[tuple[str, str, int]]:
    return [(s.name, s.host, s.port) for s in plan("staging", values, models).services]


def test_without_a_table_there_are_two_sets_of_workers_here() -> None:
    assert places({}) == [("api-8090", "localhost", 8090), ("api-8091", "localhost", 8091)]


def test_a_model_is_a_service_on_each_machine_of_its_replicas() -> None:
    assert places({"API_HOSTS": "api1", "API_PORTS": "9000"}, LIGHT) == [
        ("llm-albert-light", "gpu1", 8000),
        ("llm-albert-light", "gpu2", 8000),
        ("api-9000", "api1", 9000),
    ]


def test_two_replicas_on_one_machine_have_two_names() -> None:
    twice = RoutedModel(
        name="m", driver="llama.cpp", replicas=(Replica(port=8000), Replica(port=8001))
    )
    assert places({"API_PORTS": "9000"}, twice)[:2] == [
        ("llm-m", "localhost", 8000),
        ("llm-m-8001", "localhost", 8001),
    ]


def test_a_model_served_elsewhere_or_in_the_api_is_no_service() -> None:
    elsewhere = RoutedModel(
        name="x", driver="openai", replicas=(Replica(host="https://ia.exemple.fr/v1"),)
    )
    inside = RoutedModel(name="e5", driver="embedded", type="embeddings")
    apart = RoutedModel(
        name="e5bis", driver="embedded", type="embeddings", replicas=(Replica(host="h", port=8001),)
    )
    found = places({"API_PORTS": "9000"}, elsewhere, inside, apart)
    assert found == [("embeddings-e5bis", "h", 8001), ("api-9000", "localhost", 9000)]


def test_a_service_is_told_what_it_reads_and_nothing_else() -> None:
    made = plan("staging", VALUES, [LIGHT])
    told = {service.kind: set(service.variables) for service in made.services}
    assert told["llm"] == {"LLM_API_KEY", "STORAGE_PATH"}
    assert told["api"] == set(VALUES) - {"GITLAB_PASSWORD", "LLM_API_KEY"}


def test_a_plan_shows_no_secret() -> None:
    assert "'s'" not in repr(plan("staging", VALUES, [LIGHT]))


@pytest.mark.parametrize(
    ("ports", "said"),
    [
        ("8090,x", "API_PORTS : « x » n'est pas un port"),
        ("8000", "« llm-m » et « api-8000 » veulent tous deux le port 8000 de localhost"),
    ],
)
def test_a_place_that_cannot_be_is_refused(ports: str, said: str) -> None:
    here = RoutedModel(name="m", driver="llama.cpp")
    with pytest.raises(EnvironmentInvalid) as refused:
        plan("dev", {"API_PORTS": ports}, [here])
    assert said in str(refused.value)


@pytest.mark.parametrize("host", ["a b", "../../x", "/abs/path", "..", "-oProxyCommand=x", "a:22"])
def test_a_host_is_a_name_or_an_address(host: str) -> None:
    with pytest.raises(EnvironmentInvalid, match=r"^API_HOSTS : "):
        plan("dev", {"API_HOSTS": host})
    with pytest.raises(EnvironmentInvalid, match=r"^La table de routage, « m » : "):
        plan("dev", {}, [RoutedModel(name="m", replicas=(Replica(host=host),))])


@pytest.mark.parametrize("host", ["api1", "api-1.exemple.fr", "10.0.0.2", "fd00::2", "gpu_1"])
def test_a_host_that_is_one_is_kept(host: str) -> None:
    assert [one.host for one in plan("dev", {"API_HOSTS": host}).services] == [host, host]
