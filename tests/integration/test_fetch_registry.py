"""The registry's package: by the real npm client, or from an address, checked by its digest."""

import asyncio
import base64
import hashlib
import io
import shutil
import tarfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from http_double import serving, status

from albert.corpus.catalog import EXPERIENCES, TRAVAIL_EMPLOI, Origin, Package
from albert.corpus.fetch import Fetched, fetch
from albert.corpus.install import installed
from albert.domain.errors import DownloadInvalid, SourceUnavailable

pytestmark = pytest.mark.integration

DATASET = replace(TRAVAIL_EMPLOI, package=Package("@exemple/fiches", "1.2.3"))
FIXTURE = Path(__file__).parents[1] / "fixtures" / "travail-emploi" / "fiches-travail.json"
NPM = shutil.which("npm")


def tarball() -> bytes:
    file = io.BytesIO()
    members = {
        "package/package.json": b'{"name": "@exemple/fiches", "version": "1.2.3"}',
        "package/data/fiches-travail.json": FIXTURE.read_bytes(),
    }
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def registry(
    content: bytes, *, promised: bytes | None = None, host: str = ""
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Describe the package and give its archive, as a registry does."""
    digest = hashlib.sha512(content if promised is None else promised).digest()

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith(".tgz"):
            return web.Response(body=content)
        own = f"{request.scheme}://{request.host}"
        dist = {
            "tarball": f"{host or own}/@exemple/fiches/-/fiches-1.2.3.tgz",
            "integrity": "sha512-" + base64.b64encode(digest).decode(),
        }
        version = {"name": "@exemple/fiches", "version": "1.2.3", "dist": dist}
        return web.json_response(
            {"name": "@exemple/fiches", "versions": {"1.2.3": version}, "dist-tags": {}}
        )

    return answer


async def bring(
    folder: Path, address: str | None, *, origin: Origin = "registry", force: bool = False
) -> Fetched:
    return await fetch(
        DATASET,
        origins=[origin],
        folder=folder,
        official_timeout=1.0,
        npm_registry=address,
        progress=lambda _: None,
        force=force,
    )


@pytest.fixture
def no_npm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")


def data(folder: Path) -> bytes:
    return (folder / "travail-emploi" / "data" / "fiches-travail.json").read_bytes()


@pytest.mark.usefixtures("no_npm")
@pytest.mark.parametrize("host", ["", "https://elsewhere.example"])
def test_without_npm_the_archive_comes_from_the_address_given_and_no_other(
    tmp_path: Path, host: str
) -> None:
    async def run() -> tuple[Fetched, list[str]]:
        async with serving(registry(tarball(), host=host)) as double:
            made = await bring(tmp_path, double.address)
            return made, [path for path, _ in double.asked]

    made, asked = asyncio.run(run())
    assert data(tmp_path) == FIXTURE.read_bytes()
    assert (made.manifest.origin, made.manifest.pieces[0].address) == (
        "registry",
        "@exemple/fiches@1.2.3",
    )
    assert asked == ["/@exemple/fiches", "/@exemple/fiches/-/fiches-1.2.3.tgz"]


@pytest.mark.usefixtures("no_npm")
def test_an_installed_version_is_not_fetched_again_unless_forced(tmp_path: Path) -> None:
    async def run() -> tuple[bool, int, bool]:
        async with serving(registry(tarball())) as double:
            await bring(tmp_path, double.address)
            again = await bring(tmp_path, double.address)
            asked = len(double.asked)
            return again.changed, asked, (await bring(tmp_path, double.address, force=True)).changed

    assert asyncio.run(run()) == (False, 2, True)


@pytest.mark.usefixtures("no_npm")
@pytest.mark.parametrize("promised", [b"another archive", b""])
def test_an_archive_of_another_digest_is_refused(tmp_path: Path, promised: bytes) -> None:
    async def run() -> None:
        async with serving(registry(tarball(), promised=promised)) as double:
            await bring(tmp_path, double.address)

    with pytest.raises(DownloadInvalid, match="empreinte"):
        asyncio.run(run())
    assert installed(tmp_path, "travail-emploi") is None


@pytest.mark.usefixtures("no_npm")
def test_a_registry_that_does_not_know_the_package_is_told_apart(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(status(404)) as double:
            await bring(tmp_path, double.address)

    with pytest.raises(SourceUnavailable, match=r"répond 404 pour « @exemple/fiches@1\.2\.3 »"):
        asyncio.run(run())


@pytest.mark.usefixtures("no_npm")
def test_with_neither_npm_nor_an_address_one_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="installez-le, ou donnez l'adresse"):
        asyncio.run(bring(tmp_path, None))


@pytest.mark.usefixtures("no_npm")
@pytest.mark.parametrize("address", ["nonsense", "file:///tmp"])
def test_an_address_that_is_none_is_told(tmp_path: Path, address: str) -> None:
    with pytest.raises(SourceUnavailable, match="NPM_CONFIG_REGISTRY"):
        asyncio.run(bring(tmp_path, address))


def test_a_source_without_a_package_says_so(tmp_path: Path) -> None:
    async def run() -> None:
        await fetch(
            EXPERIENCES,
            origins=["registry"],
            folder=tmp_path,
            official_timeout=1.0,
            npm_registry=None,
            progress=lambda _: None,
        )

    with pytest.raises(SourceUnavailable, match="experiences"):
        asyncio.run(run())


@pytest.mark.skipif(NPM is None, reason="the npm client is not installed")
def test_the_real_npm_client_brings_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> Fetched:
        async with serving(registry(tarball())) as double:
            monkeypatch.setenv("NPM_CONFIG_REGISTRY", double.address)
            monkeypatch.setenv("NPM_CONFIG_CACHE", str(tmp_path / "cache"))
            made = await bring(tmp_path / "home", None)
            assert any("npm" in headers.get("User-Agent", "") for _, headers in double.asked)
            return made

    made = asyncio.run(run())
    assert made.manifest.pieces[0].size > 0
    assert data(tmp_path / "home") == FIXTURE.read_bytes()


@pytest.mark.skipif(NPM is None, reason="the npm client is not installed")
def test_the_failure_of_the_real_npm_client_has_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with serving(status(404)) as double:
            monkeypatch.setenv("NPM_CONFIG_REGISTRY", double.address)
            monkeypatch.setenv("NPM_CONFIG_CACHE", str(tmp_path / "cache"))
            await bring(tmp_path / "home", None)

    with pytest.raises(SourceUnavailable, match=r"@exemple/fiches@1\.2\.3 » \(E404\)"):
        asyncio.run(run())


@pytest.mark.usefixtures("no_npm")
def test_official_is_passed_over_aloud_and_never_replaced_by_an_older_copy(tmp_path: Path) -> None:
    async def run() -> tuple[Fetched, Fetched]:
        async with serving(registry(tarball())) as double:
            resources = (replace(TRAVAIL_EMPLOI.resources[0], address=f"{double.address}/x.json"),)
            dataset = replace(DATASET, resources=resources)

            async def both() -> Fetched:
                return await fetch(
                    dataset,
                    origins=["official", "registry"],
                    folder=tmp_path,
                    official_timeout=1.0,
                    npm_registry=double.address,
                    progress=lambda _: None,
                )

            double.answers[:] = [status(404), registry(tarball())]
            fell_back = await both()

            async def file(_: web.Request) -> web.StreamResponse:
                return web.Response(body=FIXTURE.read_bytes())

            double.answers[:] = [file]
            assert (await both()).manifest.origin == "official"
            double.answers[:] = [status(404), registry(tarball())]
            return fell_back, await both()

    fell_back, kept = asyncio.run(run())
    assert fell_back.manifest.origin == "registry"
    assert [each.name for each in fell_back.skipped] == ["official"]
    assert (kept.manifest.origin, kept.changed) == ("official", False)
