"""What was fetched, written down and read back; damage is told, never guessed around."""

from pathlib import Path

import pytest

from albert.corpus.manifest import Manifest, Piece, loads
from albert.domain.errors import CorpusError, HomeTooNew

PATH = Path("manifest.json")
MANIFEST = Manifest(
    dataset="service-public",
    origin="official",
    fetched_at="2026-11-23T10:00:00+00:00",
    pieces=(
        Piece(
            name="a", address="https://a", sha256="00", size=3, published="2026-01-01", etag='"x"'
        ),
        Piece(name="b", address="https://b", size=4, published="2026-02-01"),
    ),
    files={"particuliers": 2},
)


def test_a_manifest_reads_back_as_it_was() -> None:
    assert loads(MANIFEST.dumps(), PATH) == MANIFEST


def test_its_date_is_the_newest_of_its_pieces_and_its_size_their_sum() -> None:
    assert (MANIFEST.published, MANIFEST.size) == ("2026-02-01", 7)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 1}',
        '{"format": "1"}',
        MANIFEST.dumps()[:-20],
        MANIFEST.dumps().replace('"size": 3', '"size": "3"'),
        MANIFEST.dumps().replace('"official"', '"elsewhere"'),
    ],
)
def test_a_damaged_manifest_is_named_with_what_to_do(text: str) -> None:
    with pytest.raises(CorpusError, match=r"manifest\.json.*--force"):
        loads(text, PATH)


def test_a_manifest_of_a_newer_format_asks_for_an_update() -> None:
    with pytest.raises(HomeTooNew):
        loads('{"format": 2, "whatever": []}', PATH)
