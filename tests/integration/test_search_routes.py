"""The search routes over a real corpus and index, made of small files in the publishers' form."""

import asyncio
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from albert.api.app import Application, create_app
from albert.assistant.extractive import ExtractiveAnswerer
from albert.assistant.scope import Everything
from albert.corpus.build import Inputs
from albert.corpus.build import build as build_corpus
from albert.corpus.store import CorpusStore
from albert.domain.documents import ANSWERING
from albert.index.build import build as build_index
from albert.index.engines.embedded import EmbeddedEngine
from albert.retrieval.hybrid import HybridRetriever
from albert.retrieval.library import CorpusLibrary
from albert.testing.models import HashEmbedder
from albert.testing.services import ask, scripted

pytestmark = pytest.mark.integration

FIXTURES = Path(__file__).parents[1] / "fixtures"
INPUTS = [
    Inputs("service-public", FIXTURES / "service-public" / "json", "1"),
    Inputs("travail-emploi", FIXTURES / "travail-emploi", "1"),
    Inputs("experiences", FIXTURES / "experiences", "1"),
    Inputs("directory", FIXTURES / "directory", "1"),
    Inputs("france-services", FIXTURES / "france-services", "1"),
]
MODEL = HashEmbedder()
BOTH = "abonnement au bac à sable, rendez-vous, agent formidable"
"""Words of a sheet and of citizens' messages."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Application:
    home = tmp_path_factory.mktemp("home")
    path, index = home / "corpus.sqlite", home / "index"
    build_corpus(INPUTS, path, tokens=220, workers=1, progress=lambda *_: None)
    with closing(CorpusStore(path)) as store:
        build_index(
            store.chunks(),
            store.sheets(),
            index,
            model=MODEL.fingerprint,
            dimension=MODEL.dimension,
        )
    engine = EmbeddedEngine(index, model=MODEL.fingerprint, dimension=MODEL.dimension)
    retriever = HybridRetriever(engine, MODEL)
    answerer = ExtractiveAnswerer(retriever, MODEL, scope=Everything(), newest=dict)
    services = scripted(answerer, library=CorpusLibrary(path, engine))
    return create_app(replace(services, retriever=retriever))


def call(app: Application, path: str, body: object = None) -> object:
    method = "GET" if body is None else "POST"
    answered = asyncio.run(ask(app, method, path, body))
    assert answered.status == 200, answered.body
    return orjson.loads(answered.body)


def found(app: Application, name: str, query: str, **asked: object) -> list[dict[str, object]]:
    body = {"name": name, "query": query, "limit": 100, **asked}
    documents = call(app, "/api/v2/indexes", body)
    assert isinstance(documents, list)
    return documents


def test_experiences_are_found_with_their_administration_and_nobody_s_name(
    app: Application,
) -> None:
    told = found(app, "experiences", "Madame rendez-vous appel téléphone agent merci")
    assert {one["sid"] for one in told} == {"9", "12"}
    assert {one["source"] for one in told} == {"experiences"}
    assert {one["institution"] for one in told} == {"CAF", "ANTS"}
    said = str(told)
    assert "[nom]" in said
    assert "[téléphone]" in said
    for masked in ("Durand", "Martin", "dupont", "01 23 45 67 89", "06 12", "6 12 34"):
        assert masked not in said


@pytest.mark.parametrize(("institution", "sids"), [("ANTS", {"12"}), ("CAF", {"9"})])
def test_experiences_are_those_of_the_institution_asked(
    app: Application, institution: str, sids: set[str]
) -> None:
    told = found(app, "experiences", "rendez-vous agent formidable", institution=institution)
    assert {one["sid"] for one in told} == sids


def test_every_name_of_the_list_may_be_asked_and_those_of_the_sheets_are_found(
    app: Application,
) -> None:
    names = call(app, "/api/v2/institutions")
    assert isinstance(names, list)
    assert names == sorted(set(names))
    assert {"ANTS", "CAF", "Mairie d’Exemple", "Ministère d'Exemple"} <= set(names)
    for name in names:
        found(app, "chunks", BOTH, institution=name)


@pytest.mark.parametrize("name", ["sheets", "chunks"])
def test_citizens_messages_are_not_among_the_sheets(app: Application, name: str) -> None:
    told = found(app, name, BOTH)
    assert told
    assert {one["source"] for one in told} <= ANSWERING


@pytest.mark.parametrize("sources", [[], ["service-public"]])
def test_no_answer_rests_on_citizens_messages(app: Application, sources: list[str]) -> None:
    told = call(
        app,
        "/v1/chat/completions",
        {
            "model": "albert-extractif",
            "messages": [{"role": "user", "content": BOTH}],
            "rag": {"strategy": "last", "limit": 50, "sources": sources},
        },
    )
    assert isinstance(told, dict)
    assert {source["source"] for source in told["sources"]} == {"service-public"}
    assert "experience" not in str(told)


def test_what_is_found_can_be_asked_again_by_its_ids(app: Application) -> None:
    [first, *_] = found(app, "chunks", BOTH)
    again = call(app, f"/api/v2/get_chunk/{first['hash']}")
    assert again == {name: value for name, value in first.items() if name != "score"}
    assert call(app, "/api/v2/get_chunks", {"uids": ["x", first["hash"]]}) == [{}, again]
    sheet = call(app, f"/api/v2/get_sheet/{first['source']}/{first['sid']}")
    assert isinstance(sheet, dict)
    assert sheet["web_services"] == first["web_services"]
    assert str(first["text"]).split("\n")[-1] in sheet["introduction"] + sheet["text"]
    assert call(app, "/api/v2/get_sheets", {"uids": ["x", first["sid"]]}) == [{}, sheet]


def test_houses_have_their_publisher_s_id_and_their_place(app: Application) -> None:
    houses = call(app, "/api/v2/organizations/mfs")
    assert isinstance(houses, list)
    [house] = houses
    assert (house["id"], house["name"], house["postcode"], house["town"]) == (
        "1",
        "France services d’Exemple",
        "01000",
        "Exemple",
    )
