"""Reciprocal ranks worked by hand (k = 60)."""

import pytest

from albert.retrieval.fusion import reciprocal_rank


def test_an_item_in_two_lists_weighs_the_sum_of_its_reciprocal_ranks() -> None:
    fused = reciprocal_rank([(["a", "b"], 1.0), (["b", "c"], 1.0)])
    assert [item for item, _ in fused] == ["b", "a", "c"]
    assert [score for _, score in fused] == pytest.approx([1 / 61 + 1 / 62, 1 / 61, 1 / 62])


def test_a_weight_multiplies_what_a_list_says() -> None:
    fused = dict(reciprocal_rank([(["a"], 1.0), (["b"], 0.5)]))
    assert fused == pytest.approx({"a": 1 / 61, "b": 0.5 / 61})


def test_a_smaller_k_favours_the_first_ranks() -> None:
    rankings = [(["a", "b"], 1.0), (["c", "b"], 1.0)]
    assert reciprocal_rank(rankings, k=60)[0][0] == "b"  # 2/62 > 1/61
    assert reciprocal_rank(rankings, k=0)[0][0] == "a"  # 2/2 = 1/1: first met


def test_ties_keep_the_order_in_which_items_were_met() -> None:
    fused = reciprocal_rank([(["b"], 1.0), (["a"], 1.0), (["c"], 1.0)])
    assert [item for item, _ in fused] == ["b", "a", "c"]


def test_a_list_without_weight_only_adds_its_items_at_the_end() -> None:
    fused = reciprocal_rank([(["a"], 1.0), (["b", "a"], 0.0)])
    assert [item for item, _ in fused] == ["a", "b"]


def test_nothing_fuses_to_nothing() -> None:
    assert reciprocal_rank([]) == []
    assert reciprocal_rank([([], 1.0)]) == []
