"""A package of the npm registry, brought without running any of its code."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import re
import shutil
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import aiohttp
import orjson
from yarl import URL

from albert.corpus.catalog import Package
from albert.corpus.download import session
from albert.domain.errors import DownloadInvalid, SourceUnavailable

_TIME = 300.0
"""Seconds left to the npm client: 26 MB over a slow line."""
_BLOCK, _LARGEST = 1 << 16, 512 << 20
_CODE = re.compile(r"npm (?:error|ERR!) code (\w+)")
Report = Callable[[int, int | None], None]


async def pack(package: Package, into: Path, *, npm_registry: str | None, report: Report) -> Path:
    """Bring a package's archive into the folder ``into`` and return its path.

    The npm client does it, as it is configured; where there is none, or it fails,
    the registry's address is asked directly.

    Raises:
        SourceUnavailable: neither the client nor an address, or they do not answer.
        DownloadInvalid: the archive is not the one the registry describes.
    """
    npm = await asyncio.to_thread(_client, into)
    if npm is None and not npm_registry:
        raise SourceUnavailable(
            "Le client npm est absent : installez-le, ou donnez l'adresse d'un registre dans "
            "NPM_CONFIG_REGISTRY."
        )
    if npm is not None:
        try:
            return await _with_client(npm, package, into)
        except SourceUnavailable:
            if not npm_registry:
                raise
    return await _from_address(package, into, npm_registry or "", report)


def _client(folder: Path) -> str | None:
    """Make the folder, and return where the npm client is."""
    folder.mkdir(parents=True, exist_ok=True)
    return shutil.which("npm")


async def _with_client(npm: str, package: Package, into: Path) -> Path:
    process = await asyncio.create_subprocess_exec(
        *(npm, "pack", str(package), "--ignore-scripts", "--loglevel=error"),
        *("--pack-destination", str(into)),
        cwd=into,  # so that no .npmrc of the caller's project has a say
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_TIME):
            _, complaint = await process.communicate()
    except TimeoutError:
        raise SourceUnavailable(f"Le client npm n'a pas fini en {_TIME:g} s : réessayez.") from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    found = await asyncio.to_thread(lambda: sorted(into.glob("*.tgz")))
    if process.returncode or not found:
        code = _CODE.search(complaint.decode(errors="replace"))
        told = f" ({code[1]})" if code else ""
        raise SourceUnavailable(f"Le client npm n'a pas pu apporter « {package} »{told}.")
    return found[0]


async def _from_address(package: Package, into: Path, address: str, report: Report) -> Path:
    registry = URL(address.rstrip("/") + "/")
    if registry.scheme not in ("http", "https") or not registry.host:
        raise SourceUnavailable("NPM_CONFIG_REGISTRY n'est pas une adresse http(s) : corrigez-la.")
    try:
        async with session() as client:
            dist = await _described(client, registry, package)
            target = into / "package.tgz"
            digest = await _save(client, _tarball(registry, package, dist), target, report)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise SourceUnavailable("Le registre de NPM_CONFIG_REGISTRY ne répond pas.") from error
    if not _matches(str(dist.get("integrity") or ""), digest):
        target.unlink()
        raise DownloadInvalid(
            f"L'empreinte de « {package} » n'est pas celle que le registre annonce : recommencez."
        )
    return target


async def _described(
    client: aiohttp.ClientSession, registry: URL, package: Package
) -> Mapping[str, object]:
    """Return what the registry says of the archive (``dist`` of the version's metadata)."""
    address = registry.join(URL(f"{package.name.replace('/', '%2f')}", encoded=True))
    headers = {"Accept": "application/vnd.npm.install-v1+json, application/json;q=0.9"}
    async with client.get(address, headers=headers, allow_redirects=False) as response:
        if response.status != 200:
            raise SourceUnavailable(f"Le registre répond {response.status} pour « {package} ».")
        content = await response.read()
    try:
        dist = orjson.loads(content)["versions"][package.version]["dist"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise SourceUnavailable(f"Le registre ne connaît pas « {package} ».") from error
    if not isinstance(dist, dict):
        raise SourceUnavailable(f"Le registre ne décrit pas « {package} ».")
    return dist


def _tarball(registry: URL, package: Package, dist: Mapping[str, object]) -> URL:
    """Return the archive's address, always at the registry's own host.

    A mirror may describe a package with the address it had elsewhere; we ask only
    the address we were given.
    """
    told = URL(str(dist.get("tarball") or ""))
    if told.host == registry.host and told.port == registry.port:
        return told.with_scheme(registry.scheme)
    base = package.name.rpartition("/")[2]
    return registry.join(URL(f"{package.name}/-/{base}-{package.version}.tgz"))


async def _save(client: aiohttp.ClientSession, address: URL, target: Path, report: Report) -> bytes:
    """Write the body to ``target`` and return its SHA-512."""
    digest, size = hashlib.sha512(), 0
    async with client.get(
        address, headers={"Accept-Encoding": "identity"}, allow_redirects=False
    ) as response:
        if response.status != 200:
            raise SourceUnavailable(f"Le registre répond {response.status} pour l'archive.")
        writer = _Writer(target)
        async for block in response.content.iter_chunked(_BLOCK):
            digest.update(block)
            writer.add(block)
            size += len(block)
            if size > _LARGEST:
                raise DownloadInvalid("L'archive du registre est démesurée : abandon.")
            report(size, response.content_length)
    return digest.digest()


class _Writer:
    def __init__(self, path: Path) -> None:
        self._path = path
        path.write_bytes(b"")

    def add(self, block: bytes) -> None:
        with self._path.open("ab") as file:
            file.write(block)


def _matches(integrity: str, digest: bytes) -> bool:
    """Whether a Subresource Integrity value (W3C) holds that SHA-512."""
    told = base64.b64encode(digest).decode()
    return any(
        hmac.compare_digest(each.partition("?")[0], f"sha512-{told}") for each in integrity.split()
    )
