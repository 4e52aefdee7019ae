"""What an environment becomes for Docker Compose, worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
import yaml

from albert.deploy.compose.cards import dealt
from albert.deploy.compose.render import Files, rendered
from albert.deploy.compose.services import escaped
from albert.deploy.plan import plan
from albert.domain.errors import EnvironmentInvalid, SettingInvalid
from albert.routing.table import Engine, Replica, RoutedModel

VALUES = {
    "ENV": "essai",
    "POSTGRES_HOST": "localhost",
    "POSTGRES_PASSWORD": "mot$de-passe",
    "SECRET_KEY": "secret-de-session",
    "LLM_API_KEY": "cle-llm",
    "EMBEDDINGS_API_KEY": "cle-vecteurs",
    "CLE_GPU1": "cle-gpu1",
    "GITLAB_PASSWORD": "jamais",
    "HF_TOKEN": "jeton",
    "STORAGE_PATH": "/srv/modeles",
}
LIGHT = RoutedModel(
    name="albert-light",
    hf_repo_id="AgentPublic/albert-light",
    engine=Engine(gpu_memory_share=0.4, python="/srv/vllm/bin/python"),
    replicas=(
        Replica(host="10.0.0.2", key_variable="CLE_GPU1"),
        Replica(host="gpu2.exemple.fr"),
    ),
)
SMALL = RoutedModel(
    name="Petit modèle",
    driver="llama.cpp",
    hf_repo_id="AgentPublic/tiny",
    replicas=(Replica(host="localhost", port=8002),),
)
E5 = RoutedModel(
    name="e5",
    driver="embedded",
    type="embeddings",
    replicas=(Replica(host="localhost", port=8001),),
)
ELSEWHERE = RoutedModel(
    name="x", driver="openai", replicas=(Replica(host="https://ia.exemple.fr/v1"),)
)


def made(*models: RoutedModel, **more: str) -> dict[str, Files]:
    return rendered("essai", VALUES | more, models)


def compose(files: Files) -> dict[str, Any]:
    text = files["compose.yml"]
    assert isinstance(text, bytes)
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def table(files: Files) -> dict[str, Any]:
    text = files["llm_routing_table.json"]
    assert isinstance(text, bytes)
    seen: dict[str, Any] = orjson.loads(text)
    return seen


def variables(files: Files, service: str) -> Mapping[str, str]:
    said = files[f"env/{service}.env"]
    assert isinstance(said, Mapping)
    return said


def refused(*models: RoutedModel, **more: str) -> str:
    with pytest.raises(EnvironmentInvalid) as error:
        made(*models, **more)
    return str(error.value)


def test_a_machine_has_its_services_and_the_tasks_that_prepare_them() -> None:
    here = compose(made(SMALL, E5, ELSEWHERE)["localhost"])
    assert list(here["services"]) == [
        *("llm-Petit-mod-le", "embeddings-e5", "api-8090", "api-8091"),
        *("setup", "setup-models"),
    ]
    assert here["name"] == "albert-essai"


def test_a_replica_beside_is_called_by_its_service_and_others_by_their_machine() -> None:
    files = made(LIGHT, E5, ELSEWHERE, API_PORTS="9000")
    seen = table(files["localhost"])
    assert seen["albert-light"]["replicas"] == [
        {"host": "10.0.0.2", "key_variable": "CLE_GPU1"},
        {"host": "gpu2.exemple.fr", "key_variable": "LLM_API_KEY"},
    ]
    assert seen["e5"]["replicas"] == [
        {"host": "embeddings-e5", "port": 8001, "key_variable": "EMBEDDINGS_API_KEY"}
    ]
    assert seen["x"]["replicas"] == [{"host": "https://ia.exemple.fr/v1"}]


def test_the_table_of_a_container_has_no_path_of_the_machine() -> None:
    seen = table(made(LIGHT)["10.0.0.2"])
    assert seen["albert-light"]["engine"] == {"gpu_memory_share": 0.4}


@pytest.mark.parametrize(
    ("host", "service", "ports"),
    [
        ("localhost", "api-8090", ["127.0.0.1:8090:8090"]),
        ("localhost", "embeddings-e5", None),  # only the API beside calls it
        ("10.0.0.2", "llm-albert-light", ["10.0.0.2:8000:8000"]),
        ("gpu2.exemple.fr", "llm-albert-light", ["0.0.0.0:8000:8000"]),
    ],
)
def test_a_port_is_published_where_someone_calls_it(
    host: str, service: str, ports: list[str] | None
) -> None:
    found = compose(made(LIGHT, E5)[host])
    assert found["services"][service].get("ports") == ports


def test_each_service_is_told_what_it_reads_and_its_own_key() -> None:
    hosts = made(LIGHT, E5)
    # what the model's service asks for is what the API sends it: the key that the table names
    assert variables(hosts["10.0.0.2"], "llm-albert-light") == {
        "LLM_API_KEY": "cle-gpu1",
        "STORAGE_PATH": "/srv/modeles",
    }
    assert variables(hosts["localhost"], "embeddings-e5") == {
        "EMBEDDINGS_API_KEY": "cle-vecteurs",
    }
    told = set(variables(hosts["localhost"], "api-8090"))
    assert told == set(VALUES) - {"GITLAB_PASSWORD", "HF_TOKEN"}
    assert variables(hosts["10.0.0.2"], "setup-models") == {"HF_TOKEN": "jeton"}


def test_no_secret_is_in_a_file_that_others_read() -> None:
    secrets = [value for name, value in VALUES.items() if name not in ("ENV", "POSTGRES_HOST")]
    secrets.remove("/srv/modeles")
    for files in made(LIGHT, SMALL, E5).values():
        for content in files.values():
            if isinstance(content, bytes):
                assert not [one for one in secrets if one in content.decode()]


def test_the_same_environment_is_the_same_bytes() -> None:
    assert made(LIGHT, SMALL, E5) == made(LIGHT, SMALL, E5)


def test_a_dollar_stays_a_dollar_for_compose() -> None:
    assert escaped({"a": ["$HOME", 1, {"b": "x${y}"}]}) == {"a": ["$$HOME", 1, {"b": "x$${y}"}]}


def test_the_database_of_this_machine_is_reached_by_its_network() -> None:
    here = compose(made(COMPOSE_PROJECT_NAME="albert-essai")["localhost"])
    assert here["networks"]["databases"] == {"name": "albert-essai_databases", "external": True}
    api = here["services"]["api-8090"]
    assert (api["environment"]["POSTGRES_HOST"], api["environment"]["POSTGRES_PORT"]) == (
        "postgresql",
        "5432",
    )


def test_the_database_of_another_machine_is_called_by_its_name() -> None:
    here = compose(made(POSTGRES_HOST="base.exemple.fr")["localhost"])
    assert "databases" not in here["networks"]
    assert "POSTGRES_HOST" not in here["services"]["api-8090"]["environment"]


def test_every_container_is_closed_in() -> None:
    for files in made(LIGHT, SMALL, E5).values():
        for name, one in compose(files)["services"].items():
            closed = (one["read_only"], one["cap_drop"], one["security_opt"])
            assert closed == (True, ["ALL"], ["no-new-privileges:true"]), name
            assert one["pull_policy"] == "never", name  # « albert/api » would be Docker Hub's


def test_a_model_is_read_only_for_who_serves_it_and_not_for_who_downloads_it() -> None:
    services = compose(made(LIGHT)["10.0.0.2"])["services"]

    def rights(name: str) -> list[bool]:
        volumes = services[name]["volumes"]
        return [v.get("read_only", False) for v in volumes if v["source"] == "/srv/modeles"]

    assert (rights("llm-albert-light"), rights("setup-models")) == ([True], [False])


def test_a_service_stops_after_its_answers() -> None:
    services = compose(made(ALBERT_DRAIN_SECONDS="120")["localhost"])["services"]
    assert services["api-8090"]["stop_grace_period"] == "135s"


def test_a_changed_model_makes_its_own_service_again_and_no_other_model_s() -> None:
    def labels(*models: RoutedModel) -> list[object]:
        services = compose(made(*models)["localhost"])["services"]
        return [services[name].get("labels") for name in ("llm-Petit-mod-le", "api-8090")]

    before, after = labels(SMALL, E5), labels(SMALL, E5, ELSEWHERE)
    assert before[0] == after[0]
    assert before[1] != after[1]


def on_one_machine(*shares: tuple[str, float, int]) -> list[RoutedModel]:
    return [
        RoutedModel(
            name=name,
            hf_repo_id="organisation/modele",
            engine=Engine(gpu_memory_share=share, tensor_parallel_size=cards),
            replicas=(Replica(host="gpu", port=8000 + port),),
        )
        for port, (name, share, cards) in enumerate(shares)
    ]


def test_models_are_given_cards_that_have_room_the_largest_first() -> None:
    services = plan("essai", VALUES, on_one_machine(("a", 0.3, 1), ("b", 0.9, 2), ("c", 0.6, 1)))
    given = dealt(services.on("gpu"), 3)
    assert given == {"llm-b": (0, 1), "llm-c": (2,), "llm-a": (2,)}


def test_three_tenths_and_seven_fill_a_card() -> None:
    services = plan("essai", VALUES, on_one_machine(("a", 0.1, 1), ("b", 0.2, 1), ("c", 0.7, 1)))
    assert set(dealt(services.on("gpu"), 1).values()) == {(0,)}


def test_cards_are_reserved_by_their_numbers() -> None:
    services = compose(made(LIGHT)["10.0.0.2"])["services"]
    assert services["llm-albert-light"]["deploy"]["resources"]["reservations"] == {
        "devices": [{"driver": "nvidia", "device_ids": ["0"], "capabilities": ["gpu"]}]
    }


REFUSALS: list[tuple[tuple[RoutedModel, ...], dict[str, str], str]] = [
    ((), {"POSTGRES_HOST": ""}, "POSTGRES_HOST manque"),
    ((SMALL,), {"LLM_API_KEY": ""}, "LLM_API_KEY manque"),
    ((E5,), {"EMBEDDINGS_API_KEY": ""}, "EMBEDDINGS_API_KEY manque"),
    ((LIGHT,), {"CLE_GPU1": ""}, "CLE_GPU1 manque : c'est la clé du service de « albert-light »"),
    ((LIGHT,), {"STORAGE_PATH": ""}, "STORAGE_PATH doit dire"),
    ((LIGHT,), {"STORAGE_PATH": "modeles"}, "STORAGE_PATH doit dire"),
    ((SMALL,), {"API_HOSTS": "api1"}, "que api1 ne peut joindre"),
    ((), {"API_HOSTS": "api1,api2"}, "donnerait à chaque hôte d'API_HOSTS une base à part"),
    ((), {"SMTP_HOST": "localhost"}, "SMTP_HOST : « localhost » désigne pour un conteneur"),
    ((), {"ALBERT_MODEL_URL": "http://127.0.0.1:1/v1"}, "ALBERT_MODEL_URL : « 127.0.0.1 »"),
    ((), {"ALBERT_WHITELIST": "liste.txt"}, "n'est pas un chemin entier"),
    ((), {"API_MEMORY": "beaucoup"}, "API_MEMORY : « beaucoup » n'est pas une limite"),
    ((), {"API_CPUS": "0"}, "API_CPUS : « 0 » n'est pas une limite"),
    ((), {"IMAGE_TAG": "a b"}, "IMAGE_TAG : « a b » ne convient pas à Docker"),
    ((), {"COMPOSE_PROJECT_NAME": "Albert"}, "COMPOSE_PROJECT_NAME : « Albert »"),
    ((LIGHT,), {"GPU_COUNTS": "gpu1=deux"}, "GPU_COUNTS : « gpu1=deux »"),
    ((LIGHT,), {"GPU_COUNTS": "10.0.0.2=0"}, "10.0.0.2 : ces modèles ne tiennent pas sur 0 carte"),
    (
        tuple(on_one_machine(("a", 0.6, 1), ("b", 0.6, 1))),
        {},
        "gpu : ces modèles ne tiennent pas sur 1 carte(s) graphique(s) (llm-a 0.6, llm-b 0.6)",
    ),
    (
        (RoutedModel(name="m", driver="llama.cpp", file="/ailleurs/m.gguf"),),
        {},
        "n'est pas dans STORAGE_PATH",
    ),
]


@pytest.mark.parametrize(("models", "more", "said"), REFUSALS, ids=[one[2] for one in REFUSALS])
def test_what_cannot_work_is_refused_in_a_sentence(
    models: tuple[RoutedModel, ...], more: dict[str, str], said: str
) -> None:
    assert said in refused(*models, **more)


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(SettingInvalid, match="ALBERT_PROT"):
        made(ALBERT_PROT="1")


def test_a_model_that_leaves_takes_no_worker_with_it() -> None:
    """Compose takes away with a service all those that wait for it: none does."""
    here = compose(made(SMALL, E5)["localhost"])
    assert not [name for name, one in here["services"].items() if "depends_on" in one]


def test_a_sheet_that_was_passed_over_does_not_stop_the_preparation() -> None:
    here = compose(made()["localhost"])
    steps = here["services"]["setup"]["entrypoint"][-1].splitlines()
    assert steps[2].startswith("albert corpus build || [ $$? -eq 3 ]")
    assert [step.split()[1] for step in steps] == ["db", "corpus", "corpus", "whitelist", "index"]


@pytest.mark.parametrize("trusted", ["127.0.0.1", "10.0.0.1,::1"])
def test_a_proxy_is_not_trusted_by_an_address_that_no_container_sees(trusted: str) -> None:
    assert "172.16.0.0/12" in refused(ALBERT_TRUSTED_PROXIES=trusted)
