"""The size of passages as estimated, against the embedding model's own count."""

import gzip
from pathlib import Path
from statistics import fmean

import orjson
import pytest

from albert.corpus.chunking import TOKENS, estimate
from albert.inference.e5 import E5Embedder

pytestmark = pytest.mark.integration

SAMPLE = Path(__file__).parents[1] / "fixtures" / "passages.jsonl.gz"


@pytest.fixture(scope="module")
def passages() -> list[str]:
    lines = gzip.decompress(SAMPLE.read_bytes()).splitlines()
    return [str(orjson.loads(line)["passage"]) for line in lines]


@pytest.fixture(scope="module")
def counts(passages: list[str]) -> list[int]:
    embedder = E5Embedder(threads=1)
    return [embedder.token_count(passage) for passage in passages]


def test_at_most_one_passage_in_a_hundred_is_longer_than_asked(counts: list[int]) -> None:
    assert len(counts) == 2000
    assert sum(count > TOKENS for count in counts) <= 20


def test_the_mean_estimate_is_within_five_percent_of_the_mean_count(
    passages: list[str], counts: list[int]
) -> None:
    assert fmean(map(estimate, passages)) == pytest.approx(fmean(counts), rel=0.05)
