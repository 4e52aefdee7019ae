"""One file over HTTP: streamed, resumed after a cut, never led astray by a redirect."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

import aiohttp
from yarl import URL

from albert.corpus.catalog import Resource
from albert.corpus.manifest import Piece
from albert.domain.errors import DownloadInvalid, SourceUnavailable

_ATTEMPTS, _PAUSE, _HOPS = 4, 0.2, 5
_BLOCK, _LARGEST = 1 << 16, 2 << 30
_STALL = 30.0
_REDIRECTS = (301, 302, 303, 307, 308)
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class _Cut(Exception):
    """The transfer broke; the same request may be taken up again."""


@dataclass(frozen=True, slots=True)
class _Version:
    """Which version of the file a partial download belongs to."""

    address: str
    etag: str = ""
    modified: str = ""
    total: int = 0

    @property
    def condition(self) -> str:
        """What may stand in ``If-Range`` (RFC 9110 §13.1.5: never a weak ETag)."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified


class Partial:
    """A download under way: its bytes, and beside them the version they belong to."""

    def __init__(self, path: Path, address: str) -> None:
        self.path = path
        self._sidecar = path.with_name(path.name + ".json")
        self.version = self._read(address)
        self.offset = path.stat().st_size if path.exists() else 0
        if not self.version.condition:
            self.discard()

    def _read(self, address: str) -> _Version:
        try:
            version = _Version(**json.loads(self._sidecar.read_text("utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return _Version(address)
        return version if version.address == address else _Version(address)

    @property
    def complete(self) -> bool:
        return 0 < self.offset == self.version.total

    def discard(self) -> None:
        self._sidecar.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        self.offset, self.version = 0, _Version(self.version.address)

    def begin(self, version: _Version) -> None:
        self.discard()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._sidecar.write_text(json.dumps(asdict(version)), "utf-8")
        self.path.touch()
        self.version = version

    def write(self, block: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(block)
        self.offset += len(block)

    def piece(self, name: str) -> Piece:
        return Piece(
            name=name,
            address=self.version.address,
            sha256=sha256(self.path),
            size=self.offset,
            published=_iso(self.version.modified),
            etag=self.version.etag,
        )


def sha256(path: Path) -> str:
    """Return the file's SHA-256, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_folder(folder: Path) -> str:
    """Return what changes with any file's name or content, in hexadecimal.

    Without it, a folder that is given anew every night would be taken for the same data.
    """
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            whole.update(f"{path.relative_to(folder)}\0{sha256(path)}\n".encode())
    return whole.hexdigest()


def redirect_target(resource: Resource, here: URL, location: str) -> URL:
    """Return where a redirect leads.

    Raises:
        SourceUnavailable: to something else than https, or to a host the catalogue does not list.
    """
    try:
        target = here.join(URL(location)) if location else URL()
    except ValueError:
        target = URL()
    hosts = {URL(resource.address).host, *resource.hosts}
    if target.scheme != "https" or target.host not in hosts:
        raise SourceUnavailable(
            f"« {here.host} » renvoie vers une adresse non prévue ({target.host or location!r}) : "
            "redirection refusée."
        )
    return target


class Downloader:
    """Brings resources through one session; ``answer_within`` is each host's time, in seconds."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        answer_within: float,
        progress: Callable[[int, int | None], None],
    ) -> None:
        self._session, self._answer_within, self._progress = session, answer_within, progress

    async def bring(self, resource: Resource, path: Path, known: Piece | None) -> Piece | None:
        """Download to ``path``; return ``None`` if the publisher has nothing newer than ``known``.

        Raises:
            SourceUnavailable: the host does not answer, refuses, or keeps breaking off.
            DownloadInvalid: the file is beyond any expected size.
        """
        partial = await asyncio.to_thread(Partial, path, resource.address)
        start = partial.offset
        for attempt in range(_ATTEMPTS):
            if attempt:
                await asyncio.sleep(_PAUSE * 2**attempt)
            try:
                changed = await self._attempt(resource, partial, known)
            except _Cut:
                continue
            except (aiohttp.ClientError, TimeoutError) as error:
                if attempt == 0 and partial.offset == start:
                    raise self._silent(resource, error) from error
            else:
                return await asyncio.to_thread(partial.piece, resource.name) if changed else None
        raise SourceUnavailable(
            f"« {URL(resource.address).host} » interrompt le téléchargement de "
            f"« {resource.name} » : recommencez, il reprendra où il en est."
        )

    def _silent(self, resource: Resource, error: Exception) -> SourceUnavailable:
        host, late = URL(resource.address).host, isinstance(error, TimeoutError)
        reason = f"ne répond pas en {self._answer_within:g} s" if late else "est hors d'atteinte"
        return SourceUnavailable(f"« {host} » {reason}.")

    async def _attempt(self, resource: Resource, partial: Partial, known: Piece | None) -> bool:
        headers = _headers(partial, known)
        response = await self._open(resource, headers)
        async with response:
            if response.status == 304:
                return partial.complete
            self._prepare(response, resource, partial)
            await self._stream(response, partial)
        if partial.version.total and partial.offset != partial.version.total:
            raise _Cut
        return True

    async def _open(self, resource: Resource, headers: dict[str, str]) -> aiohttp.ClientResponse:
        here = URL(resource.address)
        for _ in range(_HOPS):
            async with asyncio.timeout(self._answer_within):
                response = await self._session.get(here, headers=headers, allow_redirects=False)
            if response.status not in _REDIRECTS:
                return response
            response.release()
            here = redirect_target(resource, here, response.headers.get("Location", ""))
        raise SourceUnavailable(f"« {here.host} » redirige sans fin.")

    def _prepare(
        self, response: aiohttp.ClientResponse, resource: Resource, partial: Partial
    ) -> None:
        """Ready the file for the body that follows: gone on with, or begun again."""
        if response.status == 206:
            sent = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if sent is not None and int(sent[1]) == partial.offset:
                return
        if response.status in (206, 416, 429) or response.status >= 500:
            if response.status in (206, 416):  # not the range that was asked for: from the start
                partial.discard()
            raise _Cut
        if response.status != 200:
            host = URL(resource.address).host
            raise SourceUnavailable(
                f"« {host} » répond {response.status} pour « {resource.name} »."
            )
        headers = response.headers
        partial.begin(
            _Version(
                resource.address,
                headers.get("ETag", ""),
                headers.get("Last-Modified", ""),
                response.content_length or 0,
            )
        )

    async def _stream(self, response: aiohttp.ClientResponse, partial: Partial) -> None:
        async for block in response.content.iter_chunked(_BLOCK):
            partial.write(block)
            if partial.offset > _LARGEST:
                raise DownloadInvalid(f"« {partial.path.name} » est démesuré : abandon.")
            self._progress(partial.offset, partial.version.total or None)


def _headers(partial: Partial, known: Piece | None) -> dict[str, str]:
    version = partial.version
    headers = {"Accept-Encoding": "identity"}
    if partial.complete:
        headers |= _unless(version.etag, version.modified)
    elif partial.offset:
        headers |= {"Range": f"bytes={partial.offset}-", "If-Range": version.condition}
    elif known is not None:
        headers |= _unless(known.etag, _http_date(known.published))
    return headers


def _unless(etag: str, modified: str) -> dict[str, str]:
    if etag:
        return {"If-None-Match": etag}
    return {"If-Modified-Since": modified} if modified else {}


def _iso(http_date: str) -> str:
    try:
        return parsedate_to_datetime(http_date).astimezone(UTC).isoformat()
    except ValueError:
        return ""


def _http_date(iso: str) -> str:
    return format_datetime(datetime.fromisoformat(iso), usegmt=True) if iso else ""


def session() -> aiohttp.ClientSession:
    """Return a session fit for downloads: no overall limit, but none may stall for long."""
    timeout = aiohttp.ClientTimeout(total=None, sock_read=_STALL)
    return aiohttp.ClientSession(timeout=timeout, auto_decompress=False, trust_env=True)
