"""Archives that mean harm, or are broken, are refused; the others are opened."""

import bz2
import gzip
import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from albert.corpus.archive import Limits, extract, is_archive
from albert.domain.errors import DownloadInvalid


def everything(_: str) -> bool:
    return True


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, *members: tarfile.TarInfo, content: bytes = b"x") -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            member.size = len(content) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(content) if member.isreg() else None)
    return path


def kind(name: str, of: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = of, "/etc/passwd"
    return member


def test_only_wanted_members_are_written(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", {"d/F1.xml": b"1", "notes.txt": b"2"})
    paths = extract(archive, tmp_path / "out", lambda name: name.endswith(".xml"))
    assert [path.relative_to(tmp_path / "out").as_posix() for path in paths] == ["d/F1.xml"]
    assert not (tmp_path / "out" / "notes.txt").exists()


@pytest.mark.parametrize("packed", ["gz", "bz2", "xz"])
def test_compressed_tars_are_opened_whatever_their_name(tmp_path: Path, packed: str) -> None:
    path = tmp_path / "archive"
    member = tarfile.TarInfo("data/a.json")
    member.size = 2
    with tarfile.open(path, f"w:{packed}") as archive:  # type: ignore[call-overload]  # a mode made on the spot
        archive.addfile(member, io.BytesIO(b"{}"))
    assert is_archive(path)
    assert [p.read_bytes() for p in extract(path, tmp_path / "out", everything)] == [b"{}"]


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "C:/evil", "a\\..\\evil"])
def test_a_member_outside_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    for archive in (
        zipped(tmp_path / "a.zip", {"ok.xml": b"", name: b"x"}),
        tarred(tmp_path / "a.tgz", tarfile.TarInfo(name)),
    ):
        with pytest.raises(DownloadInvalid, match=archive.name):
            extract(archive, tmp_path / f"out-{archive.suffix}", lambda member: member == "ok.xml")
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize("of", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_a_tar_with_a_link_or_a_device_is_refused(tmp_path: Path, of: bytes) -> None:
    with pytest.raises(DownloadInvalid, match="lien ou un périphérique"):
        extract(tarred(tmp_path / "a.tgz", kind("x", of)), tmp_path / "out", everything)


def test_a_zip_with_a_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(DownloadInvalid, match="lien ou un périphérique"):
        extract(tmp_path / "a.zip", tmp_path / "out", everything)


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"F1.xml": b"secret"})
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    path.write_bytes(content)
    with pytest.raises(DownloadInvalid, match="chiffré"):
        extract(path, tmp_path / "out", everything)


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {f"F{n}.xml": b"" for n in range(4)})
    with pytest.raises(DownloadInvalid, match="plus de 3 fichiers"):
        extract(path, tmp_path / "out", everything, Limits(members=3))


@pytest.mark.parametrize("limits", [Limits(size=50_000), Limits(ratio=10, slack=1000)])
def test_a_bomb_stops_at_the_bytes_really_written(tmp_path: Path, limits: Limits) -> None:
    content = bytes(1_000_000)
    for archive in (
        zipped(tmp_path / "a.zip", {"a.json": content}),
        tarred(tmp_path / "a.tgz", tarfile.TarInfo("a.json"), content=content),
    ):
        out = tmp_path / f"out{archive.suffix}"
        with pytest.raises(DownloadInvalid, match="démesuré"):
            extract(archive, out, everything, limits)
        assert sum(path.stat().st_size for path in out.rglob("*")) < 200_000


def test_a_bomb_among_unwanted_members_of_a_tar_is_refused_too(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tgz", tarfile.TarInfo("junk"), content=bytes(1_000_000))
    with pytest.raises(DownloadInvalid, match="démesuré"):
        extract(path, tmp_path / "out", lambda _: False, Limits(size=50_000))


@pytest.mark.parametrize("kept", [0.2, 0.7, 0.99])
def test_an_archive_cut_short_is_refused(tmp_path: Path, kept: float) -> None:
    noise = b"".join(n.to_bytes(4, "big") for n in range(20_000))
    for archive in (
        zipped(tmp_path / "a.zip", {"a.json": noise}),
        tarred(tmp_path / "a.tgz", tarfile.TarInfo("a.json"), content=noise),
    ):
        whole = archive.read_bytes()
        archive.write_bytes(whole[: int(len(whole) * kept)])
        with pytest.raises(DownloadInvalid, match=archive.name):
            extract(archive, tmp_path / f"out{archive.suffix}", everything)


def test_a_tar_that_ends_before_its_checksum_is_refused(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tgz", tarfile.TarInfo("a.json"))
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(DownloadInvalid):
        extract(path, tmp_path / "out", everything)


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"PK\x03\x04 no zip", gzip.compress(b"no tar"), bz2.compress(b"no")]
)
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DownloadInvalid, match=r"a\.zip"):
        extract(tmp_path / "a.zip", tmp_path / "out", everything)


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tgz", tarfile.TarInfo("a.json"), tarfile.TarInfo("a.json"))
    with pytest.raises(DownloadInvalid):
        extract(path, tmp_path / "out", everything)
