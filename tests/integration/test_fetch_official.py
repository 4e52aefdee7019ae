"""Official downloads from a real HTTP server on this machine: cuts, changes, refusals."""

import asyncio
import io
import re
import socket
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from http_double import Answer, cut, serving, silent, status, whole
from yarl import URL

from albert.corpus.catalog import EXPERIENCES, SERVICE_PUBLIC, Dataset, Resource
from albert.corpus.download import redirect_target
from albert.corpus.fetch import Fetched, Progress, fetch
from albert.corpus.install import installed
from albert.domain.errors import DownloadInvalid, SourceUnavailable

pytestmark = pytest.mark.integration

ONE = b'[{"id_experience": 1, "description": "' + b"a" * 200_000 + b'"}]'
TWO = b'[{"id_experience": 2, "description": "b"}]'


def at(address: str, known: Dataset = EXPERIENCES) -> Dataset:
    resources = [
        replace(each, address=f"{address}/{each.name}", hosts=()) for each in known.resources
    ]
    return replace(known, resources=tuple(resources))


async def official(
    dataset: Dataset, folder: Path, *, patience: float = 2.0, force: bool = False
) -> Fetched:
    def progress(step: Progress) -> None:
        told.append(step)

    told: list[Progress] = []
    return await fetch(
        dataset,
        origins=["official"],
        folder=folder,
        official_timeout=patience,
        npm_registry=None,
        progress=progress,
        force=force,
        now=lambda: datetime(2026, 11, 23, 10, tzinfo=UTC),
    )


def content(folder: Path) -> bytes:
    return (folder / "experiences" / "data" / "experiences.json").read_bytes()


def fetched(folder: Path, *answers: Answer) -> tuple[Fetched, list[tuple[str, dict[str, str]]]]:
    async def run() -> tuple[Fetched, list[tuple[str, dict[str, str]]]]:
        async with serving(*answers) as host:
            return await official(at(host.address), folder), host.asked

    return asyncio.run(run())


def test_what_came_is_told_in_its_manifest(tmp_path: Path) -> None:
    made, _ = fetched(tmp_path, whole(TWO))
    piece = made.manifest.pieces[0]
    assert (made.changed, made.skipped) == (True, ())
    assert (piece.size, piece.etag, piece.published) == (
        len(TWO),
        '"v1"',
        "2026-01-01T00:00:00+00:00",
    )
    assert made.manifest.fetched_at == "2026-11-23T10:00:00+00:00"
    assert made.manifest.files == {"": 1}
    assert installed(tmp_path, "experiences") == made.manifest
    assert content(tmp_path) == TWO


def test_a_download_that_is_cut_goes_on_where_it_stopped(tmp_path: Path) -> None:
    _, asked = fetched(tmp_path, cut(ONE, after=120_000), whole(ONE))
    assert asked[1][1]["If-Range"] == '"v1"'
    start = int(asked[1][1]["Range"].removeprefix("bytes=").removesuffix("-"))
    assert 0 < start <= 120_000
    assert content(tmp_path) == ONE


def test_a_file_that_changed_meanwhile_is_begun_again(tmp_path: Path) -> None:
    fetched(tmp_path, cut(ONE, after=120_000), whole(TWO, etag='"v2"'))
    assert content(tmp_path) == TWO


def test_a_range_that_was_not_asked_for_is_not_glued_on(tmp_path: Path) -> None:
    wrong = status(206, **{"Content-Range": f"bytes 5-9/{len(ONE)}", "ETag": '"v1"'})
    _, asked = fetched(tmp_path, cut(ONE, after=120_000), wrong, whole(ONE))
    assert "Range" not in asked[2][1]
    assert content(tmp_path) == ONE


def test_a_later_call_takes_up_what_an_earlier_one_left(tmp_path: Path) -> None:
    async def run() -> list[str | None]:
        async with serving(cut(ONE, after=120_000)) as host:
            dataset = at(host.address)
            with pytest.raises(SourceUnavailable, match="reprendra"):
                await official(dataset, tmp_path)
            host.answers[:] = [whole(ONE)]
            await official(dataset, tmp_path)
            return [headers.get("Range") for _, headers in host.asked]

    assert asyncio.run(run())[-1] is not None
    assert content(tmp_path) == ONE
    assert not (tmp_path / "experiences.part").exists()


def test_what_did_not_change_is_kept_and_said(tmp_path: Path) -> None:
    async def run() -> tuple[Fetched, Fetched, Fetched]:
        async with serving(whole(TWO)) as host:
            dataset = at(host.address)
            first = await official(dataset, tmp_path)
            again = await official(dataset, tmp_path)
            assert host.asked[-1][1]["If-None-Match"] == '"v1"'
            return first, again, await official(dataset, tmp_path, force=True)

    first, again, forced = asyncio.run(run())
    assert (first.changed, again.changed, forced.changed) == (True, False, True)
    assert again.manifest == first.manifest


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (status(404), "répond 404"),
        (status(302, Location="https://elsewhere.example/x"), "redirection refusée"),
        (status(302, Location="http://127.0.0.1/x"), "redirection refusée"),
        (status(301), "redirection refusée"),
        (status(503), "recommencez"),
        (silent, "ne répond pas en 0.3 s"),
    ],
)
def test_a_host_that_does_not_give_the_file_is_named_with_the_reason(
    tmp_path: Path, answer: Answer, reason: str
) -> None:
    async def run() -> None:
        async with serving(answer) as host:
            await official(at(host.address), tmp_path, patience=0.3)

    with pytest.raises(SourceUnavailable, match=rf"127\.0\.0\.1.*{re.escape(reason)}"):
        asyncio.run(run())


def test_a_closed_door_is_out_of_reach(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SourceUnavailable, match="hors d'atteinte"):
            asyncio.run(official(at(address), tmp_path))


def test_what_is_installed_is_kept_when_its_origin_is_out_of_reach(tmp_path: Path) -> None:
    first, _ = fetched(tmp_path, whole(TWO))
    again, _ = fetched(tmp_path, status(404))
    assert (again.changed, again.manifest) == (False, first.manifest)
    assert [(each.name, each.error) for each in again.skipped] == [("official", False)]


@pytest.mark.parametrize("bad", [b"<html>Portail captif</html>", TWO[:-2], b"", b"[]"])
def test_what_is_not_the_promised_file_leaves_the_old_one_and_is_not_tried_again(
    tmp_path: Path, bad: bytes
) -> None:
    fetched(tmp_path, whole(TWO))
    with pytest.raises(DownloadInvalid, match=r"experiences\.json"):
        fetched(tmp_path, whole(bad, etag='"bad"'))
    assert content(tmp_path) == TWO
    assert sorted(p.name for p in tmp_path.iterdir()) == ["experiences", "experiences.lock"]


def archive(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(f"{name}.xml", f"<Publication ID='{name}'/>")
    return file.getvalue()


def audiences(*answers: Answer) -> Answer:
    """One host for the three archives: each path has its own answer."""
    names = [each.name for each in SERVICE_PUBLIC.resources]
    by_path = {f"/{name}": answer for name, answer in zip(names, answers, strict=True)}

    async def answer(request: web.Request) -> web.StreamResponse:
        return await by_path[request.path](request)

    return answer


def test_an_archive_that_is_cut_leaves_the_old_data(tmp_path: Path) -> None:
    async def run() -> None:
        good = whole(archive("F1"))
        async with serving(audiences(good, good, good)) as host:
            await official(at(host.address, SERVICE_PUBLIC), tmp_path)
            torn = whole(archive("F2")[:-30], etag='"v2"')
            host.answers[:] = [audiences(good, torn, good)]
            with pytest.raises(DownloadInvalid, match="professionnels"):
                await official(at(host.address, SERVICE_PUBLIC), tmp_path)

    asyncio.run(run())
    sheets = sorted(p.parent.name + "/" + p.name for p in tmp_path.rglob("*.xml"))
    assert sheets == ["associations/F1.xml", "particuliers/F1.xml", "professionnels/F1.xml"]


def test_only_the_archive_that_changed_is_fetched_again(tmp_path: Path) -> None:
    async def run() -> Fetched:
        old, new = whole(archive("F1")), whole(archive("F2"), etag='"v2"')
        async with serving(audiences(old, old, old)) as host:
            await official(at(host.address, SERVICE_PUBLIC), tmp_path)
            host.answers[:] = [audiences(old, new, old)]
            return await official(at(host.address, SERVICE_PUBLIC), tmp_path)

    made = asyncio.run(run())
    sheets = sorted(p.parent.name + "/" + p.name for p in tmp_path.rglob("*.xml"))
    assert sheets == ["associations/F1.xml", "particuliers/F1.xml", "professionnels/F2.xml"]
    assert [each.etag for each in made.manifest.pieces] == ['"v1"', '"v2"', '"v1"']
    assert made.manifest.files == {"associations": 1, "particuliers": 1, "professionnels": 1}


RESOURCE = Resource(name="a", address="https://here.example/a", hosts=("static.example",))


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("https://static.example/b", "https://static.example/b"),
        ("/b", "https://here.example/b"),
    ],
)
def test_a_redirect_within_the_catalogue_is_followed(location: str, target: str) -> None:
    assert str(redirect_target(RESOURCE, URL(RESOURCE.address), location)) == target


@pytest.mark.parametrize(
    "location",
    ["http://static.example/b", "https://static.example.evil/b", "file:///etc/passwd", "", "//["],
)
def test_any_other_redirect_is_refused(location: str) -> None:
    with pytest.raises(SourceUnavailable, match="refusée"):
        redirect_target(RESOURCE, URL(RESOURCE.address), location)
