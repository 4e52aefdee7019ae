"""Where an environment is rendered: a folder that is replaced whole, or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from albert.deploy.compose.render import COMPOSE_FILE, HEADER, Files
from albert.deploy.env_file import write
from albert.domain.errors import EnvironmentInvalid
from albert.domain.folders import alone, take_place
from albert.domain.mishaps import mishap

_OURS = HEADER.partition("{")[0].encode()


def put(files: Mapping[str, Files], output: Path) -> bool:
    """Put the files of each machine in ``output``; whether anything there has changed.

    Raises:
        EnvironmentInvalid: ``output`` has other things, a machine's name is a path, or a value
            has no form that all read.
        HomeError, HomeBusy, DiskFull
    """
    check_ours(output)
    if wrong := [host for host in files if host in ("", ".", "..") or "/" in host]:
        raise EnvironmentInvalid(
            f"« {wrong[0]} » ne peut nommer une machine : corrigez API_HOSTS, ou la table."
        )
    output = output.absolute()
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with (
            alone(output.parent / f".{output.name}.lock", _BUSY),
            tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as made,
        ):
            fresh = Path(made, "fresh")
            for host, named in files.items():
                _write(fresh / host, named)
            if _content(fresh) == _content(output):
                return False
            take_place(fresh, output, Path(made, "aside"))
    except OSError as error:
        raise mishap(error, "--output") from error
    return True


_BUSY = "Un autre « albert deploy render » écrit déjà dans ce dossier : attendez qu'il ait fini."


def check_ours(output: Path) -> None:
    """See that nothing but what was rendered would be replaced.

    Raises:
        EnvironmentInvalid
    """
    if output.is_symlink() or (output.exists() and not output.is_dir()):
        raise EnvironmentInvalid(f"« {output} » n'est pas un dossier : changez --output.")
    strangers = [one.name for one in _children(output) if not _is_rendered(one)]
    if strangers:
        raise EnvironmentInvalid(
            f"« {output} » contient « {strangers[0]} », qui ne vient pas de « albert deploy "
            "render » : le dossier serait remplacé ; changez --output."
        )


def hosts_of(output: Path) -> tuple[str, ...]:
    """Return the machines that were rendered there."""
    return tuple(sorted(one.name for one in _children(output) if _is_rendered(one)))


def _children(output: Path) -> Iterator[Path]:
    return output.iterdir() if output.is_dir() else iter(())


def _is_rendered(folder: Path) -> bool:
    try:
        return (folder / COMPOSE_FILE).read_bytes().startswith(_OURS)
    except OSError:
        return False


def _write(folder: Path, files: Files) -> None:
    for name, content in files.items():
        path = folder / name
        if isinstance(content, bytes):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o644)  # a container's own user reads the table
        else:
            write(path, content)


def _content(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
