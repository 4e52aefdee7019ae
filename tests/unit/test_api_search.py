"""Documents by search and by their ids, called without a server."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import orjson
import pytest

from albert.api.app import create_app
from albert.api.features.search.documents import whole_text
from albert.api.services import Services
from albert.domain.documents import (
    Chunk,
    Contact,
    RelatedQuestion,
    Section,
    Sheet,
    SheetId,
    SourceName,
    WebService,
)
from albert.domain.errors import CorpusMissing, IndexNotFound
from albert.testing.library import ListLibrary
from albert.testing.services import PASSPORT, PASSPORT_SHEET, Answered, ListRetriever, ask, scripted

RICH = replace(
    PASSPORT_SHEET,
    introduction="Pour voyager.",
    breadcrumb=("Accueil", "Papiers"),
    web_services=(WebService(title="Timbre", institution="ANTS", url="t", type="Téléservice"),),
    related_questions=(RelatedQuestion(question="Et perdu ?", sid=SheetId("F2"), url="p"),),
    contacts=(Contact(title="Mairie", kind="mairie"),),
)
TOLD = Chunk(
    sheet=SheetId("9"), source=SourceName("experiences"), title="Merci", url="u", text="Merci."
)
EXPERIENCE = Sheet(
    id=TOLD.sheet, source=TOLD.source, title=TOLD.title, url=TOLD.url, institution="CAF"
)
LIBRARY = ListLibrary([PASSPORT, TOLD], [RICH, EXPERIENCE])
RELATED = [{"question": "Et perdu ?", "sid": "F2", "url": "p"}]
SERVICES = [{"title": "Timbre", "institution": "ANTS", "url": "t", "type": "Téléservice"}]


def services(retriever: ListRetriever | None = None, library: ListLibrary = LIBRARY) -> Services:
    return scripted(retriever=retriever or ListRetriever([PASSPORT, TOLD]), library=library)


def call(served: Services, path: str, body: object = None) -> Answered:
    method = "GET" if body is None else "POST"
    return asyncio.run(ask(create_app(served), method, f"/api/v2/{path}", body))


def json(answered: Answered) -> list[dict[str, object]]:
    """Read a list of documents from an answer that succeeded."""
    assert answered.status == 200, answered.body
    value: list[dict[str, object]] = orjson.loads(answered.body)
    return value


def search(retriever: ListRetriever | None = None, **asked: object) -> list[dict[str, object]]:
    body = {"name": "chunks", "query": "passeport", **asked}
    return json(call(services(retriever), "indexes", body))


class TestDocuments:
    def test_a_found_passage_carries_what_its_sheet_says(self) -> None:
        [found] = search()
        assert found | {"related_questions": RELATED, "web_services": SERVICES} == found
        assert (found["introduction"], found["theme"], found["surtitre"]) == (
            "Pour voyager.",
            "Papiers - Citoyenneté",
            "Fiche pratique",
        )
        assert (found["hash"], found["date"], found["score"]) == (PASSPORT.id, "2020-04-30", 1.0)

    def test_a_passage_whose_sheet_is_gone_says_what_it_knows(self) -> None:
        gone = services(library=ListLibrary([PASSPORT]))
        [found] = json(call(gone, "indexes", {"name": "chunks", "query": "passeport"}))
        assert (found["title"], found["introduction"], found["web_services"]) == (
            "Passeport",
            "",
            [],
        )

    def test_the_sheets_of_all_passages_are_read_at_once(self) -> None:
        asked: list[Sequence[str]] = []

        class Counting(ListLibrary):
            async def sheets(self, ids: Sequence[str]) -> list[Sheet | None]:
                asked.append(ids)
                return await super().sheets(ids)

        served = services(library=Counting([PASSPORT, TOLD], [RICH, EXPERIENCE]))
        call(served, "indexes", {"name": "chunks", "query": "passeport", "limit": 9})
        call(served, "get_chunks", {"uids": [PASSPORT.id, TOLD.id, "x"]})
        assert asked == [["service-public/F14929"], ["service-public/F14929", "experiences/9"]]

    def test_a_sheet_s_headings_stand_once_each_where_they_open(self) -> None:
        sections = (
            Section(text="D'abord."),
            Section(headings=("Coût", "En ligne"), opens=2, text="86 €"),
            Section(headings=("Coût", "Au guichet"), opens=1, text="96 €"),
        )
        assert whole_text(replace(RICH, sections=sections)) == (
            "D'abord.\n\n## Coût\n\n### En ligne\n\n86 €\n\n### Au guichet\n\n96 €"
        )


class TestInstitutionFilter:
    def test_experiences_are_those_of_the_administration(self) -> None:
        retriever = ListRetriever([PASSPORT, TOLD])
        found = search(retriever, name="experiences", institution="CAF")
        assert [(one["sid"], one["institution"]) for one in found] == [("9", "CAF")]
        assert retriever.asked[0][2].sheets == {"9"}

    def test_sheets_are_those_with_a_service_of_the_institution(self) -> None:
        assert [one["sid"] for one in search(institution="ANTS")] == ["F14929"]

    def test_the_sheets_wanted_and_the_institution_s_must_agree(self) -> None:
        assert search(institution="ANTS", should_sids=["F14929", "F1"]) != []
        assert search(institution="ANTS", should_sids=["F1"]) == []

    @pytest.mark.parametrize("name", ["CAF", "Mairie d'Exemple", "Personne"])
    def test_an_institution_that_no_sheet_concerns_finds_nothing(self, name: str) -> None:
        retriever = ListRetriever([PASSPORT])
        assert search(retriever, institution=name) == []
        assert retriever.asked == []

    @pytest.mark.parametrize("blank", [None, "", "  "])
    def test_no_institution_does_not_restrict(self, blank: str | None) -> None:
        assert len(search(institution=blank)) == 1

    def test_an_empty_question_is_refused_even_where_nothing_could_be_found(self) -> None:
        body = {"name": "chunks", "query": " ", "institution": "Personne"}
        assert call(services(), "indexes", body).status == 400


class TestStream:
    @pytest.mark.parametrize("wrong", [0, -1, "sept", 1.5, 2**31])
    def test_a_stream_is_a_positive_number(self, wrong: object) -> None:
        body = {"name": "chunks", "query": "passeport", "stream_id": wrong}
        assert call(services(), "indexes", body).status == 422


class TestChunks:
    def test_one_is_given_by_its_hash(self) -> None:
        answered = call(services(), f"get_chunk/{PASSPORT.id}")
        assert answered.status == 200
        told = answered.json()
        assert (told["hash"], told["context"], told["related_questions"]) == (
            PASSPORT.id,
            ["Coût"],
            RELATED,
        )
        assert "score" not in told

    @pytest.mark.parametrize("uid", ["0" * 24, "..", "é", "x" * 999])
    def test_an_unknown_one_is_404(self, uid: str) -> None:
        answered = call(services(), f"get_chunk/{uid}")
        assert (answered.status, answered.json()["code"]) == (404, "chunk_not_found")

    def test_in_a_list_an_unknown_one_is_an_empty_object_at_its_place(self) -> None:
        told = json(call(services(), "get_chunks", {"uids": [TOLD.id, "x", PASSPORT.id, TOLD.id]}))
        assert [one.get("sid") for one in told] == ["9", None, "F14929", "9"]
        assert told[1] == {}


class TestSheets:
    @pytest.mark.parametrize("sid", ["F14929", "service-public/F14929"])
    def test_one_is_given_whole_by_its_id(self, sid: str) -> None:
        told = call(services(), f"get_sheet/{sid}").json()
        assert told == {
            "sid": "F14929",
            "title": "Passeport",
            "url": PASSPORT.url,
            "introduction": "Pour voyager.",
            "text": "## Coût\n\nLe passeport coûte 86 €.",
            "context": ["Accueil", "Papiers"],
            "theme": "Papiers - Citoyenneté",
            "surtitre": "Fiche pratique",
            "source": "service-public",
            "institution": "",
            "date": "2020-04-30",
            "audiences": ["particuliers"],
            "related_questions": RELATED,
            "web_services": SERVICES,
            "publisher": "DILA / service-public.fr",
            "licence": "Licence Ouverte 2.0",
            "description": "",
            "warning": "",
            "sections": [
                {"context": ["Coût"], "text": "Le passeport coûte 86 €.", "url": PASSPORT.url}
            ],
            "contacts": [{"title": "Mairie", "url": "", "kind": "mairie"}],
        }

    @pytest.mark.parametrize("sid", ["F1", "travail-emploi/F14929", "../../F14929", ""])
    def test_an_unknown_one_is_404(self, sid: str) -> None:
        answered = call(services(), f"get_sheet/{sid}")
        assert (answered.status, answered.json()["code"]) == (404, "sheet_not_found")

    def test_in_a_list_an_unknown_one_is_an_empty_object_at_its_place(self) -> None:
        told = json(call(services(), "get_sheets", {"uids": ["9", "F1", "F14929", "9"]}))
        assert [one.get("sid") for one in told] == ["9", None, "F14929", "9"]
        assert told[1] == {}


@pytest.mark.parametrize("route", ["get_chunks", "get_sheets"])
class TestLists:
    def test_nothing_asked_gives_nothing(self, route: str) -> None:
        assert json(call(services(), route, {"uids": []})) == []

    @pytest.mark.parametrize(
        "wrong", [{}, {"uids": "F1"}, {"uids": [1]}, {"uids": ["F1"] * 101}, {"uids": ["F" * 201]}]
    )
    def test_a_body_of_the_wrong_form_is_422(self, route: str, wrong: object) -> None:
        assert call(services(), route, wrong).status == 422

    @pytest.mark.parametrize("body", [b'{"uids": ["\\ud800"]}', b'{"uids": NaN}', b"[", b""])
    def test_what_cannot_be_written_back_is_422_too(self, route: str, body: bytes) -> None:
        answered = call(services(), route, body)
        assert (answered.status, "input" in str(answered.json())) == (422, False)

    @pytest.mark.parametrize("body", [b"\xff", b"[" * 100_000, b"9" * 5000])
    def test_what_is_no_readable_json_is_422(self, route: str, body: bytes) -> None:
        assert call(services(), route, body).status == 422

    def test_a_hundred_may_be_asked(self, route: str) -> None:
        assert json(call(services(), route, {"uids": ["x"] * 100})) == [{}] * 100


class TestMissing:
    def test_without_a_corpus_the_sheets_are_503(self) -> None:
        class NoCorpus(ListLibrary):
            async def sheets(self, ids: Sequence[str]) -> list[Sheet | None]:
                raise CorpusMissing

            async def institutions(self) -> Sequence[str]:
                raise CorpusMissing

        served = services(library=NoCorpus([PASSPORT]))
        search = {"name": "chunks", "query": "passeport"}
        calls: list[tuple[str, object]] = [
            ("indexes", search),
            ("get_sheet/F1", None),
            ("get_sheets", {"uids": ["F1"]}),
            (f"get_chunk/{PASSPORT.id}", None),
            ("institutions", None),
        ]
        for path, body in calls:
            answered = call(served, path, body)
            assert (answered.status, answered.json()["code"]) == (503, "corpus_missing"), path

    def test_without_an_index_the_passages_are_503(self) -> None:
        class NoIndex(ListLibrary):
            async def chunks(self, ids: Sequence[str]) -> list[Chunk | None]:
                raise IndexNotFound

        answered = call(services(library=NoIndex()), f"get_chunk/{PASSPORT.id}")
        assert (answered.status, answered.json()["code"]) == (503, "index_not_found")
