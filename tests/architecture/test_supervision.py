"""Each metric is documented with its labels, and the dashboard asks only for what there is."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from albert.api.auth import Principal
from albert.api.call import Call
from albert.api.metrics.catalogue import ALL
from albert.api.metrics.page import Metrics
from albert.api.metrics.replicas import ReplicaState

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `([a-z_]+)` \| ([^|]*)\|", re.MULTILINE)
NAME = re.compile(r"\b(?:albert|process)_[a-z_]+")
PARTS = re.compile(r"_(?:bucket|sum|count)$")
MATCHER = re.compile(r'(\w+)\s*=~?\s*"')
GROUPED = re.compile(r"\bby \(([^)]*)\)")
SHOWN = re.compile(r"{{(\w+)}}")


@pytest.fixture(scope="module")
def labels() -> dict[str, set[str]]:
    """The labels of each metric, of a service that has met everything."""
    metrics = Metrics(
        replicas=lambda: [ReplicaState(model="m", address="a", state="open")],
        token_checks=lambda: (1, 1),
    )
    one = Call(
        request_id="r",
        principal=Principal(user_id=1, username="u"),
        model="m",
        operation="completions",
        answered_by="autre",
    )
    metrics.calls.began(one)
    metrics.calls.ended(one)
    metrics.answered("v1", 200)
    found: dict[str, set[str]] = {family.name: set() for family in ALL}
    for family in text_string_to_metric_families(metrics.text()):
        for sample in family.samples:
            name = PARTS.sub("", sample.name)
            found[name] |= set(sample.labels) - {"le"}
    return found


def test_each_metric_is_documented_with_its_labels(labels: dict[str, set[str]]) -> None:
    page = (ROOT / "docs" / "supervision.md").read_text("utf-8")
    told = {name: set(re.findall(r"`(\w+)`", said)) for name, said in ROW.findall(page)}
    assert told == labels


def queries() -> Iterator[tuple[str, str]]:
    """Yield each query of the dashboard, with the legend of what it shows."""
    board = json.loads((ROOT / "contrib" / "grafana" / "albert.json").read_text("utf-8"))
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield target["expr"], target["legendFormat"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"], ""


@pytest.mark.parametrize(("expression", "legend"), list(queries()))
def test_the_dashboard_asks_for_metrics_and_labels_that_exist(
    expression: str, legend: str, labels: dict[str, set[str]]
) -> None:
    asked = {PARTS.sub("", name) for name in NAME.findall(expression)}
    assert asked
    assert asked <= set(labels)
    known = set().union(*(labels[name] for name in asked)) | {"le", "job", "instance"}
    grouped = {word for words in GROUPED.findall(expression) for word in words.split(", ")}
    assert {*MATCHER.findall(expression), *grouped, *SHOWN.findall(legend)} <= known


def test_every_metric_is_on_the_dashboard(labels: dict[str, set[str]]) -> None:
    shown = {PARTS.sub("", name) for said, _ in queries() for name in NAME.findall(said)}
    assert shown == set(labels)


def test_the_alerts_ask_for_metrics_that_exist(labels: dict[str, set[str]]) -> None:
    text = (ROOT / "contrib" / "prometheus" / "albert.yml").read_text("utf-8")
    names = {PARTS.sub("", name) for name in NAME.findall(text)}
    assert names
    assert names <= set(labels)
