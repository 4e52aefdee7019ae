"""Laws of reciprocal rank fusion, and of what sums up an evaluation."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albert.eval.metrics.bootstrap import interval
from albert.eval.metrics.hit import hit
from albert.eval.metrics.mrr import reciprocal_rank as mrr
from albert.eval.metrics.ndcg import ndcg
from albert.retrieval.fusion import reciprocal_rank

ranking = st.lists(st.sampled_from("abcdefgh"), unique=True)
weighted = st.tuples(ranking, st.floats(0.1, 3))
rankings = st.lists(weighted, max_size=4)


@given(rankings)
def test_every_item_comes_once_best_first(given_rankings: list[tuple[list[str], float]]) -> None:
    fused = reciprocal_rank(given_rankings)
    items = [item for item, _ in fused]
    assert sorted(items) == sorted({item for one, _ in given_rankings for item in one})
    scores = [score for _, score in fused]
    assert scores == sorted(scores, reverse=True)


@given(rankings, st.randoms())
def test_scores_do_not_depend_on_the_order_of_the_lists(
    given_rankings: list[tuple[list[str], float]], chance: Random
) -> None:
    shuffled = list(given_rankings)
    chance.shuffle(shuffled)
    assert dict(reciprocal_rank(shuffled)) == pytest.approx(dict(reciprocal_rank(given_rankings)))


@given(rankings, weighted)
def test_one_more_list_never_lowers_what_it_names(
    given_rankings: list[tuple[list[str], float]], more: tuple[list[str], float]
) -> None:
    before = dict(reciprocal_rank(given_rankings))
    after = dict(reciprocal_rank([*given_rankings, more]))
    assert all(after[item] >= before.get(item, 0.0) for item in after)


@given(rankings, ranking, st.data())
def test_an_item_moved_up_in_one_list_never_scores_lower(
    others: list[tuple[list[str], float]], one: list[str], data: st.DataObject
) -> None:
    if not one:
        return
    place = data.draw(st.integers(0, len(one) - 1))
    item, higher = one[place], data.draw(st.integers(0, place))
    rest = one[:place] + one[place + 1 :]
    moved = [*rest[:higher], item, *rest[higher:]]
    before = dict(reciprocal_rank([*others, (one, 1.0)]))
    assert dict(reciprocal_rank([*others, (moved, 1.0)]))[item] >= before[item] - 1e-12


@given(ranking)
def test_one_list_keeps_its_order(one: list[str]) -> None:
    assert [item for item, _ in reciprocal_rank([(one, 1.0)])] == one


ranks = st.none() | st.integers(1, 60)


@given(ranks, st.integers(1, 50))
def test_measures_lie_between_none_and_one_and_agree_on_the_first_rank(
    rank: int | None, k: int
) -> None:
    assert 0 <= mrr(rank, k) <= ndcg(rank, k) <= hit(rank, k) <= 1
    assert mrr(1, k) == ndcg(1, k) == hit(1, k) == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 9))
def test_an_interval_lies_within_the_values(values: list[float], seed: int) -> None:
    low, high = interval(values, draws=200, seed=seed)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
