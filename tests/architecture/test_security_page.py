"""The page of security names, for each control, a test that exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "deploiement" / "securite.md").read_text("utf-8")
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "| ---" not in line]


def test_each_test_that_it_names_exists() -> None:
    missing = [
        f"{file}::{name}"
        for file, name in TESTS
        if not (ROOT / file).exists() or f"def {name}(" not in (ROOT / file).read_text("utf-8")
    ]
    assert not missing


def test_each_control_has_a_test_or_is_the_host_s() -> None:
    rows = [row for row in ROWS if not row.endswith("| test |")]
    assert len(rows) > 30
    assert not [row for row in rows if "`tests/" not in row and "| l'hôte |" not in row]


def test_each_risk_of_owasp_is_there() -> None:
    assert [f"LLM{number:02}" in PAGE for number in range(1, 11)] == [True] * 10
