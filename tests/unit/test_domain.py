"""The domain's own rules: what a passage is, what an error says."""

from dataclasses import replace

import pytest

from albert.domain import errors
from albert.domain.documents import PUBLISHERS, Chunk, SheetId, SourceName
from albert.domain.errors import AlbertError, CorpusMissing

CHUNK = Chunk(
    sheet=SheetId("F1"),
    source=SourceName("service-public"),
    title="Titre",
    url="u",
    text="| 1 |",
    headings=("A", "B"),
    lead="| n |\n| --- |",
)


def test_a_passage_is_its_breadcrumb_its_lead_and_its_text() -> None:
    assert CHUNK.passage == "Titre > A > B\n| n |\n| --- |\n| 1 |"
    assert replace(CHUNK, headings=(), lead="").passage == "Titre\n| 1 |"


def test_an_id_is_twelve_bytes_of_what_is_embedded() -> None:
    assert len(bytes.fromhex(CHUNK.id)) == 12
    assert replace(CHUNK, url="v", date="2020-01-01", audiences=("associations",)).id == CHUNK.id


@pytest.mark.parametrize(
    "change",
    [
        {"text": "| 2 |"},
        {"lead": ""},
        {"title": "Autre"},
        {"headings": ("A",)},
        {"sheet": "F2"},
        {"source": "travail-emploi"},
        {"copy": 1},
    ],
)
def test_another_passage_has_another_id(change: dict[str, str]) -> None:
    assert replace(CHUNK, **change).id != CHUNK.id  # type: ignore[arg-type]  # one field each


def every(kind: type[AlbertError]) -> list[type[AlbertError]]:
    below = [one for one in kind.__subclasses__() if one.__module__ == errors.__name__]
    return [kind, *(found for one in below for found in every(one))]


@pytest.mark.parametrize("kind", every(AlbertError))
def test_every_error_has_a_sentence_of_its_own_and_a_place_in_the_tree(
    kind: type[AlbertError],
) -> None:
    if kind is not AlbertError:
        assert str(kind()).endswith((".", "».", "!"))
        assert "\n" not in str(kind())
    assert f" {kind.__name__}" in (errors.__doc__ or "")


def test_a_message_replaces_the_sentence() -> None:
    assert str(CorpusMissing("Rien ici.")) == "Rien ici."
    assert "albert corpus fetch" in str(CorpusMissing())


def test_every_source_names_its_publisher_and_licence() -> None:
    assert {each.licence for each in PUBLISHERS.values()} == {"Licence Ouverte 2.0"}
    assert all(each.name for each in PUBLISHERS.values())
