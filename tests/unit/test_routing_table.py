"""Reading llm_routing_table.json: today's keys, the earlier ones, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from albert.domain.errors import TableInvalid
from albert.routing.reading import parse, read
from albert.routing.schema import schema

TABLE = """\
{
  "albert-light": {
    "aliases": ["light"],
    "driver": "vllm",
    "hf_repo_id": "AgentPublic/albert-light",
    "engine": {"gpu_memory_share": 0.4},
    "replicas": [
      {"host": "gpu1", "port": 8000, "weight": 2},
      {"host": "gpu2", "port": 8001}
    ],
    "fallback": "albert-extractif"
  }
}
"""


def wrong(text: str) -> list[str]:
    return [str(mistake) for mistake in parse(text)[1]]


def one(**entry: object) -> str:
    return json.dumps({"m": {"hf_repo_id": "o/m", **entry}})


def test_a_model_is_found_by_its_name_and_by_its_alias() -> None:
    table, mistakes = parse(TABLE)
    assert mistakes == []
    assert table.find("light") is table.find("albert-light")
    assert table.find("lourd") is None
    assert [model.name for model in table] == ["albert-light"]


def test_a_replica_answers_at_its_openai_address() -> None:
    model = parse(TABLE)[0].find("light")
    assert model is not None
    addresses = [replica.address for replica in model.replicas]
    assert addresses == ["http://gpu1:8000/v1", "http://gpu2:8001/v1"]


def test_the_keys_of_earlier_tables_are_read() -> None:
    table, mistakes = parse(
        """{"tiny": {"llm_hf_repo_id": "AgentPublic/tiny", "embeddings_hf_repo_id": "intfloat/e5",
        "llm_host": "gpu1", "llm_port": 8005, "api_port": 8090, "api_root": "/tiny",
        "gpu_mem_use": 0.3, "tensor_parralel_size": 2, "force_download": true}}"""
    )
    assert mistakes == []
    model = table.find("tiny")
    assert model is not None
    assert model.hf_repo_id == "AgentPublic/tiny"
    assert model.embeddings_hf_repo_id == "intfloat/e5"
    assert model.replicas[0].address == "http://gpu1:8005/v1"
    assert (model.api_port, model.api_root, model.force_download) == (8090, "/tiny", True)
    assert model.engine.gpu_memory_share == 0.3
    assert model.engine.tensor_parallel_size == 2


def test_a_service_on_every_host_is_the_one_beside_us() -> None:
    model = parse('{"m": {"llm_hf_repo_id": "o/m", "llm_host": "all"}}')[0].find("m")
    assert model is not None
    assert model.replicas[0].address == "http://127.0.0.1:8000/v1"


def test_gpt4all_is_llama_cpp() -> None:
    model = parse(one(driver="gpt4all", file="m.gguf"))[0].find("m")
    assert model is not None
    assert model.driver == "llama.cpp"


def test_a_mistake_is_told_with_its_line_and_a_near_key() -> None:
    text = TABLE.replace('"gpu_memory_share"', '"gpu_memory_shore"').replace("8001", '"x"')
    assert wrong(text) == [
        "ligne 6 : « albert-light », engine.gpu_memory_shore : cette clé n'existe pas.",
        "ligne 9 : « albert-light », replicas.1.port : il faut un nombre entier.",
    ]
    assert wrong('{"m": {\n"file": "m.gguf",\n"drivr": "vllm"}}') == [
        "ligne 3 : « m », drivr : cette clé n'existe pas : vouliez-vous dire driver ?"
    ]


def test_a_mistake_in_an_earlier_key_names_that_key() -> None:
    assert wrong('{"m": {"llm_hf_repo_id": "o/m",\n"gpu_mem_use": 2}}') == [
        "ligne 2 : « m », gpu_mem_use : il faut au plus 1.0."
    ]


def test_what_is_said_in_both_ways_is_refused() -> None:
    assert wrong(one(engine={}, gpu_mem_use=0.5)) == [
        "ligne 1 : « m », gpu_mem_use : engine dit déjà cela : gardez l'un des deux."
    ]


def test_every_mistake_is_told_and_none_that_follows_from_another() -> None:
    text = """{
"a": {"hf_repo_id": "o/a", "fallback": "b"},
"b": {"hf_repo_id": "o/b", "replicas": [{"port": 0}]},
"a": {"hf_repo_id": "o/a", "fallback": "b"}}"""
    assert wrong(text) == [
        "ligne 3 : « b », replicas.0.port : il faut au moins 1.",
        "ligne 4 : la clé « a » y est deux fois.",
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"m": {\n', "ligne 2 : ce n'est pas du JSON"),
        ("[]", "ligne 1 : il faut un objet : un modèle pour chaque clé."),
        ('{"m": 3}', "ligne 1 : « m » : il faut un objet."),
        ('{"m": {},\n"m": {}}', "ligne 2 : la clé « m » y est deux fois."),
        ("[" * 100_000, "ligne 1 : les objets s'emboîtent sans fin."),
        (one(name="n"), "ligne 1 : « m », name : le nom d'un modèle est sa clé."),
        (one(driver="ollama"), "il faut 'vllm', 'llama.cpp', 'embedded' ou 'openai'."),
        (one(replicas=[]), "« m », replicas : il faut au moins un."),
        (one(replicas=[{}, {}]), "une seule réplique peut être sans host"),
        (one(replicas=[{"host": "h", "key_variable": "sk-1 2"}]), "cette valeur est refusée."),
        ('{"m": {"driver": "vllm"}}', "il faut hf_repo_id ou file"),
        (one(driver="openai"), "le pilote openai ne lance rien"),
        (one(driver="embedded"), "le pilote embedded n'offre que des vecteurs"),
        (one(aliases=["m"]), "l'alias « m » désigne déjà « m »."),
        (one(fallback="absent"), "le repli « absent » n'est pas dans la table"),
        (one(fallback="m"), "le repli tourne en rond"),
        ('{"albert-extractif": {"file": "a"}}', "ce nom est celui de la réponse par extraits"),
    ],
)
def test_a_table_that_cannot_serve_is_refused_with_its_reason(text: str, reason: str) -> None:
    assert any(reason in mistake for mistake in wrong(text)), wrong(text)


def test_a_key_written_into_the_table_is_refused_and_never_repeated() -> None:
    mistakes = wrong(one(replicas=[{"host": "h", "key_variable": "sk-secret-1234"}]))
    assert mistakes
    assert not any("secret" in mistake for mistake in mistakes)


def test_a_table_that_cannot_be_read_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(TableInvalid, match="aucun fichier n'est là"):
        read(tmp_path / "absent.json")
    with pytest.raises(TableInvalid, match="c'est un dossier"):
        read(tmp_path)
    bad = tmp_path / "table.json"
    bad.write_bytes(b"\xff")
    with pytest.raises(TableInvalid, match="UTF-8"):
        read(bad)
    bad.write_text('{"m": {}}', "utf-8")
    with pytest.raises(TableInvalid, match="ligne 1 : « m » : il faut hf_repo_id ou file"):
        read(bad)


def test_the_schema_tells_every_key_but_the_name_which_is_the_key() -> None:
    described = schema()["$defs"]["RoutedModel"]["properties"]
    assert {"aliases", "driver", "replicas", "limits", "fallback", "engine"} <= set(described)
    assert "name" not in described


def test_the_table_of_the_documentation_is_right() -> None:
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text("utf-8")
    example = page.split("```json\n")[1].split("```")[0]
    table, mistakes = parse(example)
    assert mistakes == []
    assert [model.name for model in table] == ["albert-light"]
