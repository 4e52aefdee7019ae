"""What every verb begins with."""

from __future__ import annotations

import logging
from pathlib import Path

from albert.bootstrap import Albert
from albert.settings import load


def albert(home: Path | None = None) -> Albert:
    """Read the settings and open the data folder; ``home`` takes the place of ALBERT_HOME.

    Raises:
        SettingInvalid, HomeError
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    settings = load()
    return Albert(settings if home is None else settings.model_copy(update={"home": home}))
