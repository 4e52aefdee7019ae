"""A data set's folder is replaced whole, by one writer at a time."""

import errno
from pathlib import Path

import pytest

from albert.corpus.install import Place, installed
from albert.corpus.manifest import Manifest
from albert.domain.errors import DiskFull, HomeBusy
from albert.domain.folders import room

NAME = "experiences"


def manifest(fetched_at: str) -> Manifest:
    return Manifest(dataset=NAME, origin="local", fetched_at=fetched_at, pieces=())


def build(place: Place, content: str) -> None:
    (place.fresh / "data").mkdir(parents=True)
    (place.fresh / "data" / "experiences.json").write_text(content)


def test_the_new_takes_the_place_of_the_old_and_nothing_is_left_aside(tmp_path: Path) -> None:
    place = Place(tmp_path, NAME)
    with place.locked():
        for content in ("old", "new"):
            build(place, content)
            place.install(manifest(content))
    assert (place.data / "experiences.json").read_text() == "new"
    assert installed(tmp_path, NAME) == manifest("new")
    assert sorted(path.name for path in tmp_path.iterdir()) == [NAME, f"{NAME}.lock"]


def test_a_second_writer_is_told_that_the_first_is_at_work(tmp_path: Path) -> None:
    place = Place(tmp_path, NAME)
    with place.locked(), pytest.raises(HomeBusy), place.locked():
        pass


def test_what_a_killed_writer_set_aside_is_put_back(tmp_path: Path) -> None:
    place = Place(tmp_path, NAME)
    with place.locked():
        build(place, "old")
        place.install(manifest("old"))
    place.current.rename(tmp_path / f"{NAME}.old")  # killed between the two renames
    build(place, "new")
    assert installed(tmp_path, NAME) == manifest("old")
    assert not place.fresh.exists()


def test_nothing_is_installed_in_an_empty_folder(tmp_path: Path) -> None:
    assert installed(tmp_path, NAME) is None
    assert installed(tmp_path / "none", NAME) is None
    assert not (tmp_path / "none").exists()


def test_a_full_disk_is_told_from_other_failures() -> None:
    with pytest.raises(DiskFull), room():
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(PermissionError), room():
        raise PermissionError(errno.EACCES, "Permission denied")
