"""Bring a model home: chosen, brought, proven, checked, then put in place in one step."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Lock
from typing import NamedTuple

from albert.domain.errors import DiskFull, ModelFileInvalid, ModelUnavailable
from albert.domain.folders import room
from albert.routing.table import RoutedModel
from albert.serving.downloads import parallel
from albert.serving.downloads.hub import Hub
from albert.serving.downloads.listing import Choice, Form, Listing, Remote, choose
from albert.serving.downloads.partial import Partial, matches
from albert.serving.downloads.refusals import offline
from albert.serving.store import Kept, Manifest, ModelStore, Place, Stored
from albert.serving.weights import PEEKED, Kind, check_whole, judge_companion, judge_weights

THREADS = 4
"""Files that come at once: a hub gives each connection its share."""

Progress = Callable[[int, int], None]
"""Told of the bytes that are here, and of how many there will be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to bring; empty: the main revision, the weights that the repository has."""

    repo_id: str
    revision: str = ""
    file: str = ""
    form: Form = ""
    force: bool = False
    """Ask the hub again, prove what is here again, and bring what changed or is spoiled."""


class Downloaded(NamedTuple):
    stored: Stored
    changed: bool


def wanted_by(model: RoutedModel) -> Iterator[Wanted]:
    """Yield what an entry of the routing table needs of a hub."""
    if model.hf_repo_id:
        yield Wanted(
            repo_id=model.hf_repo_id,
            revision=model.revision,
            file=model.file,
            form="gguf" if model.driver == "llama.cpp" else "",
            force=model.force_download,
        )
    if model.embeddings_hf_repo_id:
        yield Wanted(repo_id=model.embeddings_hf_repo_id, force=model.force_download)


def download(
    wanted: Wanted,
    store: ModelStore,
    hub: Hub | None,
    *,
    progress: Progress,
    allow_pickle: bool = False,
) -> Downloaded:
    """Bring a model into the store, or what is missing of it; without ``hub``, ask nothing.

    What stood there is served until the new one is whole, and stays if it never is.

    Raises:
        ModelUnavailable: the hub does not give it, or nothing may be asked.
        ModelFileInvalid: it is not what the hub says, or is not served.
        HomeBusy: another process is at it.
        DiskFull: before anything is written if that can be known; what came is then removed.
        HomeError, RequestError
    """
    place = store.place(wanted.repo_id, wanted.revision, wanted.file)
    have = _have(store, wanted)
    asked = wanted if hub is not None else replace(wanted, force=False)
    if have is not None and _sound(have, asked):
        return Downloaded(have, changed=False)
    if hub is None:
        raise offline(f"« {wanted.repo_id} »")
    with room(), place.locked():
        have = _have(store, wanted)
        if have is not None and _sound(have, wanted):
            return Downloaded(have, changed=False)
        try:
            return _Job(wanted, place, have, hub, progress, allow_pickle).run()
        except ModelFileInvalid:
            place.clear(downloads=True)
            raise
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                place.clear(downloads=True)  # it holds the room that others want
            raise


def _have(store: ModelStore, wanted: Wanted) -> Stored | None:
    try:
        return store.held(wanted.repo_id, wanted.revision, wanted.file)
    except ModelFileInvalid:  # no manifest to go by: all of it will be brought
        return None


def _sound(stored: Stored, wanted: Wanted) -> bool:
    """Whether what is on disk is all that is wanted."""
    if wanted.force or (wanted.form == "gguf" and stored.manifest.kind != "gguf"):
        return False
    try:
        stored.check()
    except ModelFileInvalid:
        return False
    return True


@dataclass(slots=True)
class _Job:
    wanted: Wanted
    place: Place
    have: Stored | None
    hub: Hub
    progress: Progress
    allow_pickle: bool
    stop: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)
    _done: int = 0
    _total: int = 0

    def run(self) -> Downloaded:
        listing = self.hub.listing(self.wanted.repo_id, self.wanted.revision)
        choice = choose(listing, file=self.wanted.file, form=self.wanted.form)
        if choice.doubtful:
            self._judge_ahead(listing, choice)
        if (same := self._unchanged(listing, choice)) is not None:
            return Downloaded(same, changed=False)
        self._bring(listing, choice)
        self._build(choice)
        manifest = self._manifest(listing, choice)
        check_whole(self.place.fresh, manifest.weights, manifest.kind)
        self.place.install(manifest)
        return Downloaded(Stored(self.place.folder, manifest), changed=True)

    def _judge_ahead(self, listing: Listing, choice: Choice) -> None:
        """Judge weights whose names promise nothing, before gigabytes of them come."""
        largest = max(choice.weights, key=lambda one: one.size)
        kind = self._judge(largest.path, self.hub.peek(listing, largest))
        if kind == "gguf" and len(choice.weights) > 1 and not self.wanted.file:
            names = ", ".join(one.path for one in choice.weights)
            raise ModelUnavailable(
                f"Le dépôt « {listing.repo_id} » a plusieurs fichiers de poids : dites lequel, "
                f"par --file ou « file » dans la table ({names})."
            )

    def _judge(self, path: str, start: bytes) -> Kind:
        return judge_weights(path, start[:PEEKED], allow_pickle=self.allow_pickle)

    def _unchanged(self, listing: Listing, choice: Choice) -> Stored | None:
        """Return what is on disk if it is all that is chosen, to the last byte."""
        if self.have is None or self.have.folder != self.place.folder:
            return None
        held = {(one.path, one.size, one.oid) for one in self.have.manifest.files}
        if held != {(one.path, one.size, one.oid) for one in choice.files}:
            return None
        same = self.have.manifest.commit == listing.commit
        intact = all(matches(self.have.folder / one.path, one) for one in choice.files)
        return self.have if same and intact else None

    def _bring(self, listing: Listing, choice: Choice) -> None:
        """Bring each content once, the small files first, and see before that there is room."""
        self.place.partial.mkdir(parents=True, exist_ok=True)
        unique = {file.id: file for file in choice.files}.values()
        parts = sorted(
            (Partial(self.place.partial, one) for one in unique), key=lambda one: one.file.size
        )
        weights = {file.path for file in choice.weights}
        self._done = sum(part.size for part in parts)
        self._total = sum(part.file.size for part in parts)
        self._check_room(self._total - self._done - sum(self._reusable(part) for part in parts))
        self._advance(0)

        def task(part: Partial) -> None:
            if part.done or self._reused(part):
                return
            path = part.file.path
            self.hub.bring(
                listing,
                part,
                judge=lambda start: (
                    self._judge(path, start) if path in weights else judge_companion(path, start)
                ),
                progress=self._advance,
                stop=self.stop,
            )

        tasks = [lambda part=part: task(part) for part in parts]
        parallel.run(tasks, threads=THREADS, stop=self.stop)

    def _advance(self, octets: int) -> None:
        with self._lock:
            self._done += octets
            self.progress(self._done, self._total)

    def _check_room(self, wanted: int) -> None:
        free = shutil.disk_usage(self.place.storage).free
        if wanted > free:
            raise DiskFull(
                f"Il faut {told_size(wanted)} et il reste {told_size(free)} dans "
                f"« {self.place.storage} » : libérez de la place, ou changez STORAGE_PATH."
            )

    def _held(self, part: Partial) -> Path | None:
        """Return the file of the model in place that bears the same bytes, by its manifest."""
        for kept in self.have.manifest.files if self.have else ():
            if self.have and (kept.oid, kept.size) == (part.file.oid, part.file.size):
                return self.have.folder / kept.path
        return None

    def _reusable(self, part: Partial) -> int:
        return 0 if part.size or self._held(part) is None else part.file.size

    def _reused(self, part: Partial) -> bool:
        """Take a file from the model in place, once its bytes are proven."""
        held = self._held(part)
        if held is None or not matches(held, part.file):
            return False
        before = part.size
        try:
            os.link(held, part.whole)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            return False  # this file system has no links: it is brought again
        self._advance(part.file.size - before)
        return True

    def _build(self, choice: Choice) -> None:
        """Give the files their names; the proven bytes stay aside until all is in place."""
        for file in choice.files:
            path = self.place.fresh / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            whole = Partial(self.place.partial, file).whole
            try:
                os.link(whole, path)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise
                shutil.copyfile(whole, path)

    def _manifest(self, listing: Listing, choice: Choice) -> Manifest:
        kinds = {self._kind(file) for file in choice.weights}
        if len(kinds) != 1:
            raise ModelFileInvalid(
                f"Les poids de « {listing.repo_id} » ne sont pas tous du même format : choisissez "
                "un fichier, par --file."
            )
        return Manifest(
            repo_id=listing.repo_id,
            revision=self.wanted.revision,
            file=self.wanted.file,
            commit=listing.commit,
            fetched_at=datetime.now(UTC).isoformat(timespec="seconds"),
            kind=kinds.pop(),
            weights=tuple(file.path for file in choice.weights),
            files=tuple(self._kept(file) for file in choice.files),
        )

    def _kind(self, file: Remote) -> Kind:
        with (self.place.fresh / file.path).open("rb") as octets:
            return self._judge(file.path, octets.read(PEEKED))

    def _kept(self, file: Remote) -> Kept:
        sha256 = file.sha256
        if not sha256:
            with (self.place.fresh / file.path).open("rb") as octets:
                sha256 = hashlib.file_digest(octets, "sha256").hexdigest()
        return Kept(path=file.path, size=file.size, sha256=sha256, oid=file.oid)


def told_size(octets: int) -> str:
    """Return a size as it is read: ``1,4 Go``."""
    for unit, power in (("Go", 9), ("Mo", 6), ("ko", 3)):
        if octets >= 10**power:
            return f"{octets / 10**power:.1f} {unit}".replace(".", ",")
    return f"{octets} octets"
