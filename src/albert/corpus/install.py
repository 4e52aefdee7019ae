"""A data set's folder: one writer, replaced in one step, whole after a kill at any moment."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from albert.corpus.manifest import Manifest, loads
from albert.domain.errors import CorpusError, HomeBusy
from albert.domain.folders import alone, take_place


@dataclass(frozen=True, slots=True)
class Place:
    """Where a data set lives: ``<folder>/<name>/{data,manifest.json}``, and what stands aside."""

    folder: Path
    name: str

    @property
    def current(self) -> Path:
        return self.folder / self.name

    @property
    def data(self) -> Path:
        """What readers are given."""
        return self.current / "data"

    @property
    def fresh(self) -> Path:
        """What is being built, and takes the place of ``current`` once whole."""
        return self.folder / f"{self.name}.new"

    @property
    def partial(self) -> Path:
        """Downloads under way; they outlive a kill, to be resumed."""
        return self.folder / f"{self.name}.part"

    @property
    def unpacked(self) -> Path:
        return self.folder / f"{self.name}.tmp"

    @property
    def _old(self) -> Path:
        return self.folder / f"{self.name}.old"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the right to write; a reader that needs a still folder may hold it too.

        Raises:
            HomeBusy: another process, or another task of this one, holds it.
        """
        with alone(self.folder / f"{self.name}.lock"):
            yield

    def recover(self) -> None:
        """Clear what a killed writer left, and put back what it had set aside. Wants the lock."""
        if not self.current.exists() and self._old.exists():
            self._old.rename(self.current)
        self.clear()

    def clear(self, *, downloads: bool = False) -> None:
        """Remove what stands aside; partial downloads too where they are known to be bad."""
        aside = (self._old, self.fresh, self.unpacked, *((self.partial,) if downloads else ()))
        for leftover in aside:
            if leftover.exists():
                shutil.rmtree(leftover)

    def manifest(self) -> Manifest | None:
        """Return what is installed, or ``None``.

        Raises:
            HomeTooNew: a later version of Albert wrote it.
            CorpusError: the manifest is damaged or unreadable.
        """
        path = self.current / "manifest.json"
        try:
            return loads(path.read_text("utf-8"), path)
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise CorpusError(
                f"Le manifeste « {path} » est illisible : relancez « albert corpus fetch --force »."
            ) from error

    def install(self, manifest: Manifest) -> None:
        """Put ``fresh`` in the place of ``current``, after it reached the disk. Wants the lock."""
        (self.fresh / "manifest.json").write_text(manifest.dumps(), "utf-8")
        take_place(self.fresh, self.current, self._old)
        self.clear(downloads=True)


def installed(folder: Path, name: str) -> Manifest | None:
    """Return what is installed of a data set, mending what a killed fetch left behind.

    Raises:
        HomeTooNew: a later version of Albert wrote it.
        CorpusError: the manifest is damaged.
    """
    place = Place(folder, name)
    if not place.current.exists() and folder.exists():
        try:
            with place.locked():
                place.recover()
        except HomeBusy:
            return None
    return place.manifest()
