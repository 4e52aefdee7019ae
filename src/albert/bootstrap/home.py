"""The data folder, opened with care, and the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from albert.domain.errors import HomeError, HomeTooNew
from albert.domain.home import Home
from albert.domain.mishaps import mishap
from albert.serving.embedded_postgres import EmbeddedPostgres
from albert.settings import Settings

FORMAT = 1
"""Of the data folder; a folder of a later format is left alone."""


def open_home(settings: Settings) -> Home:
    """Make the data folder if there is none, and see that we may use it.

    Raises:
        HomeTooNew, HomeError, DiskFull
    """
    home = Home(settings.home.expanduser().absolute())
    try:
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
