"""What a build counted."""

from dataclasses import asdict

import orjson

from albert.corpus.contract import Skipped
from albert.corpus.report import BuildReport, SourceReport, report_from_json
from albert.domain.documents import Audience, Sheet, SheetId, SourceName


def sheet(date: str, kind: str = "", audiences: tuple[Audience, ...] = ()) -> Sheet:
    return Sheet(
        id=SheetId("F1"),
        source=SourceName("s"),
        title="t",
        url="u",
        date=date,
        kind=kind,
        audiences=audiences,
    )


def part(*dates: str) -> SourceReport:
    report = SourceReport("s")
    for date in dates:
        report.count(sheet(date), 2)
    return report


def test_a_sheet_counts_for_each_of_its_audiences() -> None:
    report = SourceReport("s")
    report.count(sheet("2020-01-01", "Fiche", ("particuliers", "associations")), 3)
    report.count(sheet(""), 1)
    assert (report.sheets, report.chunks) == (2, 4)
    assert report.audiences == {"particuliers": 1, "associations": 1, "sans public déclaré": 1}
    assert report.kinds == {"Fiche": 1, "sans genre": 1}


def test_the_oldest_and_newest_dates_are_those_of_the_sheets_that_have_one() -> None:
    report = part("2019-05-05", "", "2020-01-01", "2018-12-31")
    assert (report.oldest, report.newest) == ("2018-12-31", "2020-01-01")


def test_what_is_passed_over_is_counted_by_reason_and_errors_are_named() -> None:
    report = SourceReport("s")
    for each in (
        Skipped(name="N1", reason="dossier"),
        Skipped(name="N2", reason="dossier"),
        Skipped(name="F1", reason="mal formé", error=True),
    ):
        report.pass_over(each)
    assert report.skipped == {"dossier": 2}
    assert report.errors == [("F1", "mal formé")]


def test_parts_add_up_whatever_their_order() -> None:
    one, two = part("2019-01-01", "2020-01-01"), part("2018-01-01")
    one.merge(two)
    other = part("2018-01-01")
    other.merge(part("2019-01-01", "2020-01-01"))
    assert one == other == part("2018-01-01", "2019-01-01", "2020-01-01")


def test_a_part_without_dates_leaves_them() -> None:
    report = part("2019-01-01")
    report.merge(part())
    empty = part()
    empty.merge(part("2019-01-01"))
    assert report.oldest == empty.oldest == "2019-01-01"


def test_a_report_survives_json() -> None:
    source = part("2019-01-01")
    source.pass_over(Skipped(name="F1", reason="mal formé", error=True))
    source.pass_over(Skipped(name="N1", reason="dossier"))
    report = BuildReport([source, SourceReport("directory", institutions=3)])
    again = report_from_json(orjson.dumps(report))
    assert asdict(again) == asdict(report)
    assert (again.sheets, again.chunks, again.newest) == (1, 2, "2019-01-01")
    assert again.errors == [("F1", "mal formé")]
