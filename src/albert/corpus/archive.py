"""Archives opened safely: nothing outside their folder, no links, no bombs."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from albert.domain.errors import DownloadInvalid

_BLOCK = 1 << 16
_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an archive may hold. ``ratio`` is counted past ``slack`` bytes written."""

    members: int = 50_000
    size: int = 2 << 30
    ratio: int = 100
    slack: int = 10 << 20


def is_archive(path: Path) -> bool:
    """Whether the file begins like a zip or a compressed tar, whatever its name."""
    with path.open("rb") as file:
        start = file.read(6)
    return start.startswith((b"PK", *_MAGIC))


def extract(
    path: Path, into: Path, wanted: Callable[[str], bool], limits: Limits | None = None
) -> list[Path]:
    """Write the wanted members below ``into``, a fresh folder, and return their paths.

    Every member's name and kind is checked, wanted or not; the archive is read to
    its end, so that one cut short is never half accepted.

    Raises:
        DownloadInvalid: it is broken, encrypted, too large, or wants out of its folder.
    """
    into.mkdir(parents=True)
    budget = _Budget(path, limits or Limits())
    try:
        with path.open("rb") as file:
            start = file.read(6)
        if start.startswith(b"PK"):
            return list(_unzip(path, into, wanted, budget))
        return list(_untar(path, into, wanted, budget))
    except _BROKEN as error:
        raise _broken(path) from error
    except (NotImplementedError, FileExistsError, UnicodeDecodeError, RuntimeError) as error:
        raise _refusal(path, f"elle contient un membre illisible ({error})") from error
    except OSError as error:
        if error.errno is None:  # bz2's way to say that its data is damaged; the system's have one
            raise _broken(path) from error
        raise


def _broken(path: Path) -> DownloadInvalid:
    return DownloadInvalid(
        f"L'archive « {path.name} » est abîmée ou incomplète : recommencez le téléchargement."
    )


def _refusal(path: Path, reason: str) -> DownloadInvalid:
    return DownloadInvalid(
        f"L'archive « {path.name} » est refusée : {reason}. Prenez-la chez son éditeur."
    )


class _Budget:
    """Counts the members seen and the bytes really decompressed, whatever the headers claim."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path, self._limits = path, limits
        self._packed = max(path.stat().st_size, 1)
        self._members = self._bytes = 0

    def member(self, name: str) -> PurePosixPath:
        """Count a member, and return its path if it stays inside."""
        self._members += 1
        if self._members > self._limits.members:
            raise _refusal(self._path, f"elle a plus de {self._limits.members} fichiers")
        inside = PurePosixPath(name)
        unsafe = (
            inside.is_absolute()
            or ".." in inside.parts
            or "\\" in name
            or "\x00" in name
            or ":" in name[:2]
        )
        if unsafe or len(name) > 1000:
            raise _refusal(self._path, f"le membre {name[:80]!r} sort de son dossier")
        return inside

    def refuse(self, name: str, reason: str) -> DownloadInvalid:
        return _refusal(self._path, f"le membre {name[:80]!r} est {reason}")

    def spend(self, size: int) -> None:
        self._bytes += size
        over = self._bytes - self._limits.slack > self._packed * self._limits.ratio
        if over or self._bytes > self._limits.size:
            raise _refusal(self._path, "son contenu est démesuré")


def _write(source: IO[bytes], target: Path, spend: Callable[[int], None]) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        while block := source.read(_BLOCK):
            spend(len(block))
            file.write(block)
    return target


def _unzip(
    path: Path, into: Path, wanted: Callable[[str], bool], budget: _Budget
) -> Iterator[Path]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            inside = budget.member(info.filename)
            mode = stat.S_IFMT(info.external_attr >> 16)
            if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise budget.refuse(info.filename, "un lien ou un périphérique")
            if info.flag_bits & 0x1:
                raise budget.refuse(info.filename, "chiffré")
            if not info.is_dir() and wanted(info.filename):
                with archive.open(info) as source:
                    yield _write(source, into / inside, budget.spend)


def _decompressed(path: Path) -> gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile:
    with path.open("rb") as file:
        start = file.read(6)
    packing = next((name for magic, name in _MAGIC.items() if start.startswith(magic)), "")
    if packing == "gzip":
        return gzip.open(path, "rb")
    if packing == "bzip2":
        return bz2.open(path, "rb")
    if packing == "xz":
        return lzma.open(path, "rb")
    raise DownloadInvalid(
        f"« {path.name} » n'est ni un zip ni un tar compressé : vérifiez le fichier."
    )


class _Counted(io.BufferedIOBase):
    """A decompressed stream that spends its budget as it is read, skipped members included."""

    def __init__(self, stream: io.BufferedIOBase, budget: _Budget) -> None:
        super().__init__()
        self._stream, self._budget = stream, budget

    def read(self, size: int | None = -1, /) -> bytes:
        block = self._stream.read(size)
        self._budget.spend(len(block))
        return block


def _untar(
    path: Path, into: Path, wanted: Callable[[str], bool], budget: _Budget
) -> Iterator[Path]:
    with _decompressed(path) as stream:
        counted = _Counted(stream, budget)
        with tarfile.open(fileobj=counted, mode="r|") as archive:
            for member in archive:
                inside = budget.member(member.name)
                if member.issparse() or not (member.isreg() or member.isdir()):
                    raise budget.refuse(member.name, "un lien ou un périphérique")
                source = archive.extractfile(member) if wanted(member.name) else None
                if source is not None:
                    yield _write(source, into / inside, lambda _: None)
        while counted.read(_BLOCK):
            pass  # to the end of the compressed stream, where its checksum is
