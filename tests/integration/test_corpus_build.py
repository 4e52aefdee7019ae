"""Building the corpus in real processes, and killing it at random moments."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest

from albert.corpus.build import Inputs, build, fingerprint
from albert.corpus.proof import prove
from albert.corpus.report import BuildReport
from albert.corpus.store import CorpusStore
from albert.domain.documents import Chunk, Sheet
from albert.domain.errors import CorpusMissing

pytestmark = pytest.mark.integration

FIXTURES = Path(__file__).parents[1] / "fixtures"
INPUTS = [
    Inputs("service-public", FIXTURES / "service-public" / "json", "1", "registry"),
    Inputs("travail-emploi", FIXTURES / "travail-emploi", "1"),
    Inputs("experiences", FIXTURES / "experiences", "1"),
    Inputs("directory", FIXTURES / "directory", "1"),
    Inputs("france-services", FIXTURES / "france-services", "1"),
]
CHILD = """
import sys
from pathlib import Path
from albert.corpus.build import Inputs, build

if __name__ == "__main__":
    while True:
        for data in sys.argv[2:]:
            build([Inputs("service-public", Path(data), data)], Path(sys.argv[1]),
                  tokens=220, workers=1, progress=lambda *_: None)
"""


def quiet(source: str, done: int, total: int) -> None:
    assert 0 <= done <= total, source


def made(
    path: Path, workers: int, inputs: Sequence[Inputs] = INPUTS
) -> tuple[BuildReport, list[Sheet], list[Chunk]]:
    report = build(inputs, path, tokens=220, workers=workers, progress=quiet)
    with closing(CorpusStore(path)) as store:
        assert store.report == report
        return report, list(store.sheets()), list(store.chunks())


def test_one_worker_and_two_make_the_same_corpus(tmp_path: Path) -> None:
    many = Inputs("service-public", versioned(tmp_path, "un"), "1")  # three batches
    one = made(tmp_path / "one.sqlite", 1, [many, *INPUTS[1:]])
    two = made(tmp_path / "two.sqlite", 2, [many, *INPUTS[1:]])
    assert asdict(one[0]) == asdict(two[0])
    assert one[1:] == two[1:]


def test_every_source_is_counted_and_what_is_wrong_is_named(tmp_path: Path) -> None:
    report, sheets, chunks = made(tmp_path / "corpus.sqlite", 2)
    [public, *_] = report.sources
    assert (public.source, public.origin, public.sheets) == ("service-public", "registry", 4)
    assert sum(public.skipped.values()) == 2
    assert (public.oldest, public.newest) == ("2019-11-02", "2020-04-30")
    assert (report.sheets, report.chunks) == (len(sheets), len(chunks))
    assert {source.source: len(source.errors) > 0 for source in report.sources}["travail-emploi"]
    institutions = {s.source: s.institutions for s in report.sources if s.institutions}
    assert sorted(institutions) == ["directory", "france-services"]


def test_what_was_built_is_proved_and_carries_its_inputs(tmp_path: Path) -> None:
    made(tmp_path / "corpus.sqlite", 1)
    with closing(CorpusStore(tmp_path / "corpus.sqlite")) as store:
        proof = prove(
            store, {"service-public": INPUTS[0].data}, tokens=220, progress=lambda *_: None
        )
        assert (proof.lost, proof.equal) == ([], 3)
        assert store.inputs == fingerprint(list(reversed(INPUTS)), 220)
        assert store.inputs != fingerprint(INPUTS, 200)


def test_data_without_any_sheet_leaves_the_old_corpus(tmp_path: Path) -> None:
    made(tmp_path / "corpus.sqlite", 1)
    (tmp_path / "particuliers").mkdir()
    (tmp_path / "particuliers" / "F1.xml").write_text("<", "utf-8")
    with pytest.raises(CorpusMissing):
        build(
            [Inputs("service-public", tmp_path, "2")],
            tmp_path / "corpus.sqlite",
            tokens=220,
            workers=1,
            progress=quiet,
        )
    with closing(CorpusStore(tmp_path / "corpus.sqlite")) as store:
        assert store.report.sheets > 0


def test_killed_at_random_moments_the_last_good_corpus_stays(tmp_path: Path) -> None:
    folders = [versioned(tmp_path / name, name) for name in ("un", "deux")]
    path, program = tmp_path / "home" / "corpus.sqlite", tmp_path / "child.py"
    program.write_text(CHILD, "utf-8")
    build([Inputs("service-public", folders[0], "0")], path, tokens=220, workers=1, progress=quiet)
    chance = random.Random(20261123)  # noqa: S311  # moments to kill at, not secrets
    for _ in range(5):
        before = path.stat().st_ino
        child = subprocess.Popen(
            [sys.executable, str(program), str(path), *map(str, folders)], start_new_session=True
        )
        while path.stat().st_ino == before:
            assert child.poll() is None
            time.sleep(0.005)  # until it has replaced one
        time.sleep(chance.uniform(0, 0.6))
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        assert whole(path)


def versioned(folder: Path, version: str) -> Path:
    (folder / "particuliers").mkdir(parents=True)
    for number in range(120):
        text = f"<Texte><Paragraphe>{version}</Paragraphe></Texte>"
        title = "<dc:title>Fiche</dc:title>"
        sheet = (
            f"<Publication xmlns:dc='http://purl.org/dc/elements/1.1/' ID='F{number}'>"
            f"{title}{text}</Publication>"
        )
        (folder / "particuliers" / f"F{number}.xml").write_text(sheet, "utf-8")
    return folder


def whole(path: Path) -> bool:
    """Whether the corpus has all its sheets, of one version, the one its report is of."""
    with closing(CorpusStore(path)) as store:
        texts = {chunk.text for chunk in store.chunks()}
        sheets = len(list(store.sheets()))
        return sheets == store.report.sheets == 120 and texts in ({"un"}, {"deux"})
