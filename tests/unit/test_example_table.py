"""The routing table that a new installation starts from: contrib/llm_routing_table.json."""

import json
from pathlib import Path

from jsonschema import Draft202012Validator

from albert.deploy.plan import plan
from albert.routing.reading import read
from albert.routing.schema import schema

EXAMPLE = Path(__file__).parents[2] / "contrib" / "llm_routing_table.json"


def test_it_names_a_model_for_the_gpu_one_for_processors_and_vectors() -> None:
    found = [(model.name, model.driver, model.hf_repo_id) for model in read(EXAMPLE)]
    assert found == [
        ("albert-light", "vllm", "AgentPublic/albert-light"),
        ("tiny-albert", "llama.cpp", "AgentPublic/tiny-albert"),
        ("multilingual-e5-small", "embedded", ""),
    ]


def test_editors_that_know_the_schema_find_nothing_to_say() -> None:
    wrong = Draft202012Validator(schema()).iter_errors(json.loads(EXAMPLE.read_text()))
    assert [error.message for error in wrong] == []


def test_its_services_live_on_one_machine_beside_the_api() -> None:
    services = plan("main", {}, read(EXAMPLE)).services
    assert [(service.name, service.host, service.port) for service in services] == [
        ("llm-albert-light", "localhost", 8000),
        ("llm-tiny-albert", "localhost", 8002),
        ("embeddings-multilingual-e5-small", "localhost", 8001),
        ("api-8090", "localhost", 8090),
        ("api-8091", "localhost", 8091),
    ]


def test_its_keys_are_variables_of_the_example_of_an_environment() -> None:
    environment = (EXAMPLE.parent / "environments" / "exemple.env").read_text()
    named = {replica.key_variable for model in read(EXAMPLE) for replica in model.replicas}
    assert named == {"LLM_API_KEY", "EMBEDDINGS_API_KEY"}
    assert all(f"\n{name}=" in environment for name in named)
