"""What every verb begins with."""

from __future__ import annotations

from pathlib import Path

from albert.bootstrap.albert import Albert
from albert.cli.logs import configure
from albert.settings import load


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
    settings = load()
    configure(settings.log_format, settings.log_level)
    given = {
        "home": home,
        "chunk_tokens": chunk_tokens,
        "embed_threads": embed_threads,
        "host": host,
        "port": port,
    }
    update = {name: value for name, value in given.items() if value is not None}
    return Albert(settings.model_copy(update=update))
