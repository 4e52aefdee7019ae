"""What a report of usage may be asked."""

from datetime import UTC, datetime

import pytest

from albert.api.features.usage.asked import Asked, asked
from albert.asgi.problems import Problem

NOW = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)


def test_without_parameters_it_is_the_last_thirty_days_by_day_and_model() -> None:
    assert asked(b"", NOW) == Asked(
        since=datetime(2026, 2, 8, tzinfo=UTC), until=NOW, by=("day", "model")
    )


def test_days_are_whole_and_moments_are_in_their_zone() -> None:
    found = asked(b"from=2026-03-01&to=2026-03-02", NOW)
    assert (found.since, found.until) == (
        datetime(2026, 3, 1, tzinfo=UTC),
        datetime(2026, 3, 3, tzinfo=UTC),
    )
    assert asked(b"from=2026-03-01T08:00:00%2B02:00", NOW).since == datetime(
        2026, 3, 1, 6, tzinfo=UTC
    )
    assert asked(b"from=2026-03-01T08:00:00Z", NOW).since == datetime(2026, 3, 1, 8, tzinfo=UTC)


def test_groups_are_in_their_own_order_and_the_rest_is_read() -> None:
    found = asked(b"group_by=user,day&model=mistral&user=camille%40exemple.fr", NOW)
    assert (found.by, found.model, found.user) == (
        ("day", "user"),
        "mistral",
        "camille@exemple.fr",
    )


@pytest.mark.parametrize(
    ("query", "param", "word"),
    [
        (b"from=hier", "from", "2026-01-31"),
        (b"from=2026-02-30", "from", "2026-01-31"),
        (b"to=9999-12-31", "to", "2026-01-31"),
        (b"from=2026-03-02&to=2026-03-01", "from", "avant"),
        (b"from=2020-01-01", "from", "366 jours"),
        (b"group_by=week", "group_by", "day, model"),
        (b"group_by=", "group_by", "''"),
        (b"model=", "model", "vide"),
        (b"user=a%00b", "user", "nul"),
        (b"models=x", "models", "group_by"),
        (b"model=a&model=b", "model", "deux fois"),
    ],
)
def test_a_mistake_is_told_with_its_parameter(query: bytes, param: str, word: str) -> None:
    with pytest.raises(Problem) as caught:
        asked(query, NOW)
    assert (caught.value.status, caught.value.param) == (400, param)
    assert word in caught.value.message


@pytest.mark.parametrize("query", [b"\xff", b"&".join([b"from=1"] * 30)])
def test_what_is_no_query_is_refused(query: bytes) -> None:
    with pytest.raises(Problem):
        asked(query, NOW)
