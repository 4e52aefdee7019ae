"""The data folder, opened with care, and the database."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from albert.domain.errors import HomeError, HomeTooNew
from albert.domain.home import Home
from albert.domain.mishaps import mishap
from albert.serving.embedded_postgres import EmbeddedPostgres
from albert.settings import Settings

FORMAT = 1
"""Of the data folder; a folder of a later format is left alone."""


def open_home(settings: Settings) -> Home:
    """Make the data folder if there is none, and see that we may use it.

    Root may not use that of another account: what it makes there, the services of that
    account could neither read nor replace.

    Raises:
        HomeTooNew, HomeError, DiskFull
    """
    home = Home(settings.home.expanduser().absolute())
    try:
        _refuse_root(home.root)
        home.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = home.format.read_text("ascii") if home.format.exists() else ""
        if not found:  # new, or the disk was full when it was made
            found = f"{FORMAT}\n"
            home.format.write_text(found, "ascii")
    except OSError as error:
        raise mishap(error) from error
    except UnicodeDecodeError:
        found = ""
    if not found.strip().isdecimal():
        raise HomeError(
            f"« {home.root} » n'est pas un dossier de données d'Albert : changez ALBERT_HOME."
        )
    if int(found) > FORMAT:
        raise HomeTooNew
    return home


def _refuse_root(folder: Path) -> None:
    if os.geteuid() != 0 or not folder.exists() or not (owner := folder.stat().st_uid):
        return
    group = folder.stat().st_gid
    try:
        name = pwd.getpwuid(owner).pw_name
        before = f"sudo -u '{name}'"
    except KeyError:  # of a container, whose accounts this machine does not know: nor does sudo
        name = str(owner)
        before = f"setpriv --reuid {owner} --regid {group} --clear-groups"
    raise HomeError(
        f"« {folder} » est au compte « {name} », et ce que root y écrirait lui serait fermé : "
        f"mettez « {before} » devant la même commande."
    )


@contextmanager
def postgres(settings: Settings, home: Home) -> Iterator[str]:
    """Give the address of PostgreSQL: the operator's, or one that runs for the block.

    Raises:
        DatabaseError, HomeError, DiskFull
    """
    if address := settings.database_address:
        yield address
        return
    with EmbeddedPostgres(home.postgres) as server:
        yield server.uri


class Place:
    """The settings, and the data folder that they name."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.home = open_home(settings)

    @contextmanager
    def database(self) -> Iterator[str]:
        """Give the address of PostgreSQL: the operator's, or one that runs for the block.

        Raises:
            DatabaseError, HomeError, DiskFull
        """
        with postgres(self.settings, self.home) as address:
            yield address
