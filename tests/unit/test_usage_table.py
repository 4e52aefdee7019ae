"""The table of ``albert usage``, where no terminal says how wide it may be."""

from __future__ import annotations

import pytest

from albert.api.features.usage.report import Line, Report, Spread
from albert.cli import usage
from albert.cli.usage import usage as verb


def test_no_name_and_no_number_is_cut(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = Line(
        keys={"day": "2026-11-25", "model": "mistral-small-3.2-24b-instruct"},
        requests=1_234_567,
        errors=0,
        streams=0,
        prompt_tokens=9_876_543_210,
        completion_tokens=0,
        cached_tokens=0,
        cost=12.5,
        latency=Spread(0.25, 60.0),
        queued=Spread(None, None),
        first_token=Spread(None, None),
    )
    monkeypatch.setattr(usage, "on_database", lambda _: Report([line], line))
    monkeypatch.setenv("COLUMNS", "80")

    verb()

    told = capsys.readouterr().out
    for whole in ("2026-11-25", "mistral-small-3.2-24b-instruct", "1 234 567", "9 876 543 210"):
        assert whole in told.replace("\N{NARROW NO-BREAK SPACE}", " ").replace("\xa0", " ")
    assert len(told.splitlines()) == 3
