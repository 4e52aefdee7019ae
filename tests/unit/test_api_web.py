"""Health, search and documentation, called without a server."""

import asyncio
from dataclasses import replace

import pytest

from albert.api.app import create_app
from albert.api.services import Services
from albert.domain.documents import Chunk, SheetId, SourceName
from albert.domain.errors import IndexUnavailable
from albert.index.contract import Filter
from albert.testing.services import KEY, PASSPORT, READY, Answered, ListRetriever, ask, scripted

PUBLIC = {
    "GET /health",
    "GET /health/live",
    "GET /health/ready",
    "GET /api/v2/healthcheck",
    "POST /api/v2/user/me",
    "POST /api/v2/sign_in",
    "POST /api/v2/send_reset_password_email",
    "POST /api/v2/reset_password",
    "GET /api/v2/organizations/mfs",
}
STARTING = replace(READY, coverage=None)


def call(
    services: Services, method: str, path: str, body: object = None, *, key: str | None = KEY
) -> Answered:
    return asyncio.run(ask(create_app(services), method, path, body, key=key))


def search(retriever: ListRetriever, **asked: object) -> Answered:
    body = {"name": "chunks", "query": "passeport", **asked}
    return call(scripted(retriever=retriever), "POST", "/api/v2/indexes", body)


def other(sid: str, source: str = "service-public") -> Chunk:
    return replace_sheet(PASSPORT, sid, source)


def replace_sheet(chunk: Chunk, sid: str, source: str) -> Chunk:
    return Chunk(
        sheet=SheetId(sid),
        source=SourceName(source),
        title=chunk.title,
        url=chunk.url,
        text=chunk.text,
    )


class TestAccess:
    def test_exactly_the_public_routes_answer_without_a_key(self) -> None:
        web = create_app(scripted()).web

        answering = {
            f"{method.upper()} {path}"
            for path, operations in web.openapi()["paths"].items()
            for method in operations
            if call(scripted(), method.upper(), path.replace("{model}", "x"), {}, key=None).status
            != 401
        }

        assert answering == PUBLIC

    def test_the_description_says_which_routes_want_the_key(self) -> None:
        web = create_app(scripted()).web

        described = {
            f"{method.upper()} {path}"
            for path, operations in web.openapi()["paths"].items()
            for method, operation in operations.items()
            if not operation.get("security")
        }

        assert described == PUBLIC


class TestHealth:
    def test_it_tells_what_is_served_and_how_old_it_is(self) -> None:
        answered = call(scripted(), "GET", "/health", key=None).json()

        assert answered["status"] == "ok"
        assert answered["corpus"] == {
            "newest": "2020-04-30",
            "sources": [
                {
                    "source": "service-public",
                    "sheets": 3984,
                    "newest": "2020-04-30",
                    "origin": "registry",
                }
            ],
        }
        assert answered["index"] == {
            "words": True,
            "chunks": 10,
            "sheets": 5,
            "passages_embedded": 0,
            "sheets_embedded": 5,
        }

    def test_the_service_lives_before_it_is_ready(self) -> None:
        services = scripted(status=STARTING)

        assert call(services, "GET", "/health/live", key=None).status == 200
        assert call(services, "GET", "/health/ready", key=None).status == 503
        assert call(services, "GET", "/health", key=None).json()["status"] == "starting"

    def test_it_is_ready_once_words_are(self) -> None:
        services = scripted()
        services.database.listener.connected = True
        assert call(services, "GET", "/health/ready", key=None).status == 200

    def test_it_is_no_longer_ready_when_it_stops(self) -> None:
        app = create_app(scripted())
        app.in_flight.draining = True

        answered = asyncio.run(ask(app, "GET", "/health/ready", key=None))

        assert (answered.status, answered.json()) == (503, {"status": "stopping"})

    def test_existing_clients_find_their_health_check(self) -> None:
        answered = call(scripted(), "GET", "/api/v2/healthcheck", key=None)

        assert answered.json() == {"msg": "OK", "version": "1.0.0"}


class TestSearch:
    def test_a_document_says_what_it_is_and_whose(self) -> None:
        answered = search(ListRetriever([PASSPORT]))

        assert answered.status == 200
        assert b'"hash":"' + PASSPORT.id.encode() in answered.body
        assert b'"context":["Co\xc3\xbbt"]' in answered.body
        assert b'"publisher":"DILA / service-public.fr"' in answered.body

    @pytest.mark.parametrize(
        ("similarity", "ranking"), [("bm25", "words"), ("e5", "meaning"), ("hybrid", "hybrid")]
    )
    def test_a_similarity_is_a_ranking(self, similarity: str, ranking: str) -> None:
        retriever = ListRetriever()

        search(retriever, similarity=similarity, expand_acronyms=False)

        [(_, limit, _, by, expand)] = retriever.asked
        assert (limit, by, expand) == (3, ranking, False)

    def test_filters_are_handed_to_the_retriever(self) -> None:
        retriever = ListRetriever()

        search(
            retriever,
            sources=["service-public"],
            should_sids=["F1"],
            must_not_sids=["F2"],
            audiences=["particuliers"],
        )

        assert retriever.asked[0][2] == Filter(
            sources=frozenset({SourceName("service-public")}),
            audiences=frozenset({"particuliers"}),
            sheets=frozenset({SheetId("F1")}),
            without_sheets=frozenset({SheetId("F2")}),
        )

    def test_sheets_come_once_each(self) -> None:
        twice = [PASSPORT, replace_sheet(PASSPORT, "F14929", "service-public"), other("F1")]

        found = search(ListRetriever(twice), name="sheets", limit=2)

        assert found.body.count(b'"sid":"F14929"') == 1
        assert found.body.count(b'"sid":') == 2

    def test_citizens_messages_are_found_in_their_own_index_only(self) -> None:
        both = ListRetriever([PASSPORT, other("42", "experiences")])

        assert b"experiences" not in search(both, limit=9).body
        assert search(both, name="experiences", limit=9).body.count(b'"sid":"42"') == 1

    def test_a_source_of_another_index_finds_nothing(self) -> None:
        assert search(ListRetriever([PASSPORT]), sources=["experiences"]).body == b"[]"

    @pytest.mark.parametrize(
        "wrong",
        [
            {"name": "poems"},
            {"limit": 0},
            {"similarity": "luck"},
            {"query": 3},
            {"limit": "many"},
            {"expand_acronyms": 0},
        ],
    )
    def test_a_body_of_the_wrong_form_is_422(self, wrong: dict[str, object]) -> None:
        assert search(ListRetriever(), **wrong).status == 422

    def test_an_empty_query_is_refused_in_french(self) -> None:
        answered = search(ListRetriever(), query=" ")

        assert (answered.status, answered.json()["code"]) == (400, "question_invalid")

    def test_more_than_a_mebibyte_is_too_large(self) -> None:
        answered = call(scripted(), "POST", "/api/v2/indexes", b"x" * ((1 << 20) + 1))

        assert (answered.status, answered.json()["code"]) == (413, "request_too_large")

    def test_an_engine_that_does_not_answer_is_503(self) -> None:
        class Down(ListRetriever):
            async def retrieve(self, *_: object, **__: object) -> list[object]:  # type: ignore[override]  # it only fails
                raise IndexUnavailable

        assert search(Down()).status == 503


class TestDocumentation:
    def test_the_description_tells_of_the_raw_routes_too(self) -> None:
        paths = call(scripted(), "GET", "/openapi.json", key=None).json()["paths"]

        assert isinstance(paths, dict)
        assert {"/v1/models", "/v1/chat/completions", "/api/v1/embeddings"} <= set(paths)

    def test_every_reference_of_the_description_exists(self) -> None:
        description = create_app(scripted()).web.openapi()

        schemas = description["components"]["schemas"]
        prefix = "#/components/schemas/"
        named = {part.split("'")[0] for part in str(description).split(prefix)[1:]}
        assert named <= set(schemas)

    def test_the_page_needs_nothing_from_elsewhere(self) -> None:
        answered = call(scripted(), "GET", "/docs", key=None)

        page = answered.body.decode()
        assert "/v1/chat/completions" in page
        assert "<script" not in page
        assert "src=" not in page
        assert "http" not in page.replace("https://www.service-public.fr", "")
        assert answered.headers["content-security-policy"].startswith("default-src 'none'")
