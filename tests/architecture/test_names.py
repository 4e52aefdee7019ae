"""A module's name says what it holds."""

from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"
EMPTY_NAMES = {"utils", "helpers", "common", "manager", "base", "misc", "handler"}


def test_no_module_bears_an_empty_name() -> None:
    assert not [str(p) for p in SOURCE.rglob("*") if p.stem in EMPTY_NAMES]
