"""What every verb begins with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from albert.bootstrap.home import Place
from albert.cli.logs import configure
from albert.settings import Settings, load

if TYPE_CHECKING:
    from albert.bootstrap.albert import Albert


def place() -> Place:
    """Read the settings and open the data folder, for a verb that answers nothing.

    Raises:
        SettingInvalid, HomeError
    """
    return Place(_settings())


def albert(
    home: Path | None = None,
    *,
    chunk_tokens: int | None = None,
    embed_threads: int | None = None,
    host: str | None = None,
    port: int | None = None,
) -> Albert:
    """Read the settings and open the data folder; what is given takes a setting's place.

    Raises:
        SettingInvalid, HomeError
    """
    from albert.bootstrap.albert import Albert  # half a second, for who needs all of it

    given = {
        "home": home,
        "chunk_tokens": chunk_tokens,
        "embed_threads": embed_threads,
        "host": host,
        "port": port,
    }
    update = {name: value for name, value in given.items() if value is not None}
    return Albert(_settings().model_copy(update=update))


def _settings() -> Settings:
    settings = load()
    configure(settings.log_format, settings.log_level)
    return settings
