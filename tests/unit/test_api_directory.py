"""Institutions, houses, models and what the description says of it all, without a server."""

import asyncio
from dataclasses import fields

import orjson

from albert.api.app import create_app
from albert.api.features.directory.schemas import House
from albert.api.services import Services
from albert.assistant.contract import EXTRACTIVE
from albert.domain.documents import Institution, SourceName
from albert.testing.answers import ScriptedAnswerer
from albert.testing.library import ListLibrary
from albert.testing.services import KEY, Answered, Upstream, ask, scripted


def call(served: Services, path: str, key: str | None = KEY) -> Answered:
    return asyncio.run(ask(create_app(served), "GET", f"/api/v2/{path}", key=key))


class TestDirectory:
    def test_institutions_are_names(self) -> None:
        library = ListLibrary(names=["Mairie d'Exemple", "CAF"])
        answered = call(scripted(library=library), "institutions")
        assert answered.headers["content-type"] == "application/json"
        assert orjson.loads(answered.body) == ["CAF", "Mairie d'Exemple"]

    def test_without_data_the_lists_are_empty(self) -> None:
        served = scripted(library=ListLibrary())
        for path in ("institutions", "organizations/mfs"):
            assert call(served, path).body == b"[]"

    def test_houses_are_told_to_anyone(self) -> None:
        house = Institution(
            name="Exemple", source=SourceName("france-services"), id="1", town="Ici", phones=("1",)
        )
        answered = call(scripted(library=ListLibrary(houses=[house])), "organizations/mfs", None)
        [told] = orjson.loads(answered.body)
        assert House.model_validate(told) == House(
            id="1",
            name="Exemple",
            source="france-services",
            kind="",
            address="",
            postcode="",
            town="Ici",
            department="",
            phones=["1"],
            mails=[],
            urls=[],
        )

    def test_a_house_is_described_by_every_field_of_an_institution(self) -> None:
        assert set(House.model_fields) == {field.name for field in fields(Institution)}


class TestModels:
    def test_each_says_its_type_and_the_ways_to_ask_it(self) -> None:
        model = ScriptedAnswerer(model="petit")
        upstreams = {"petit": Upstream(base_url="http://127.0.0.1:1/v1", model="petit")}
        answered = call(scripted(ScriptedAnswerer(), model, upstreams=upstreams), "models")
        told = orjson.loads(answered.body)
        modes = [{"mode": "simple", "references": False}, {"mode": "rag", "references": True}]
        assert {
            name: (one["type"], one["prompts"], one["default"]) for name, one in told.items()
        } == {
            EXTRACTIVE: ("text-generation", [], True),
            "petit": ("text-generation", modes, False),
            "test-embedder": ("text-embeddings-inference", [], False),
        }
        assert all(name == one["model"] for name, one in told.items())


class TestDescription:
    def test_every_route_tells_its_statuses_and_an_unknown_id_s_place(self) -> None:
        described = orjson.loads(
            asyncio.run(ask(create_app(scripted()), "GET", "/openapi.json")).body
        )
        statuses = {
            path.removeprefix("/api/v2/"): set(operation["responses"])
            for path, operations in described["paths"].items()
            if path.startswith("/api/v2/")
            for operation in operations.values()
        }
        common = {"200", "401", "403", "500", "503"}
        assert (
            statuses.items()
            >= {
                "indexes": common | {"400", "404", "413", "422", "502"},
                "get_chunk/{hash}": common | {"404", "413", "422"},
                "get_chunks": common | {"400", "413", "422"},
                "get_sheet/{sid}": common | {"404", "413", "422"},
                "get_sheets": common | {"400", "413", "422"},
                "institutions": common,
                "organizations/mfs": {"200", "500", "503"},
                "models": common,
            }.items()
        )
        unknown = described["components"]["schemas"]["Unknown"]
        assert (unknown.get("properties"), unknown["additionalProperties"]) == ({}, False)
