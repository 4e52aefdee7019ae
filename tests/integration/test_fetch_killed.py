"""A fetch that is killed, or has no room, leaves the last good data whole."""

import asyncio
import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from albert.corpus.catalog import SERVICE_PUBLIC
from albert.corpus.fetch import Fetched, Progress, fetch
from albert.corpus.install import installed
from albert.domain.errors import DiskFull, SourceUnavailable

pytestmark = pytest.mark.integration

SHEETS = 300
CHILD = """
import asyncio, sys
from pathlib import Path
from albert.corpus.catalog import SERVICE_PUBLIC
from albert.corpus.fetch import fetch

async def main() -> None:
    while True:
        for name in sys.argv[2:]:
            await fetch(SERVICE_PUBLIC, origins=[Path(name)], folder=Path(sys.argv[1]),
                        official_timeout=1.0, npm_registry=None, progress=lambda _: None)

asyncio.run(main())
"""


def folder_of(path: Path, version: str) -> Path:
    (path / "particuliers").mkdir(parents=True)
    for number in range(SHEETS):
        sheet = f"<Publication ID='F{number}'>{version}</Publication>"
        (path / "particuliers" / f"F{number}.xml").write_text(sheet)
    return path


async def bring(home: Path, origin: Path, progress: list[Progress] | None = None) -> Fetched:
    return await fetch(
        SERVICE_PUBLIC,
        origins=[origin],
        folder=home,
        official_timeout=1.0,
        npm_registry=None,
        progress=(progress if progress is not None else []).append,
    )


def whole(home: Path) -> bool:
    """Whether the installed sheets are all there, of one version, the manifest's own."""
    manifest = installed(home, "service-public")
    assert manifest is not None
    sheets = sorted((home / "service-public" / "data" / "particuliers").glob("*.xml"))
    versions = {path.read_text().split(">")[1].removesuffix("</Publication") for path in sheets}
    return len(sheets) == SHEETS and versions == {Path(manifest.pieces[0].address).name}


def test_killed_at_random_moments_the_last_good_data_stays_whole(tmp_path: Path) -> None:
    one, two = folder_of(tmp_path / "one", "one"), folder_of(tmp_path / "two", "two")
    home = tmp_path / "home"
    asyncio.run(bring(home, one))
    chance = random.Random(20261123)  # noqa: S311  # moments to kill at, not secrets
    for _ in range(6):
        before = (home / "service-public" / "manifest.json").stat().st_ino
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(home), str(two), str(one)])
        while (home / "service-public" / "manifest.json").stat().st_ino == before:
            assert child.poll() is None
            time.sleep(0.002)  # until it has begun to replace
        time.sleep(chance.uniform(0, 0.3))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        assert whole(home)
    asyncio.run(bring(home, one))
    assert whole(home)
    assert sorted(p.name for p in home.iterdir()) == ["service-public", "service-public.lock"]


def test_a_path_is_read_and_told_as_it_was_given(tmp_path: Path) -> None:
    steps: list[Progress] = []
    made = asyncio.run(bring(tmp_path / "home", folder_of(tmp_path / "one", "one"), steps))
    assert (made.manifest.origin, made.manifest.files) == ("local", {"particuliers": SHEETS})
    assert [each.step for each in steps] == ["unpack", "install"]


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"nowhere.*vérifiez le chemin"):
        asyncio.run(bring(tmp_path / "home", tmp_path / "nowhere"))


def test_no_room_to_write_is_told_and_leaves_the_old_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = folder_of(tmp_path / "one", "one"), folder_of(tmp_path / "two", "two")
    home = tmp_path / "home"
    asyncio.run(bring(home, one))

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)  # the system's own answer to a full disk
    with pytest.raises(DiskFull):
        asyncio.run(bring(home, two))
    assert whole(home)
