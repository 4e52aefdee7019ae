"""What a backup says of itself."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, ValidationError

from albert.domain.errors import BackupInvalid

FORMAT = 1
"""Of the file; one of a later format is refused."""


class Manifest(BaseModel):
    """Taken in the same snapshot as the data."""

    model_config = ConfigDict(frozen=True)

    format: int
    albert: str
    """The version of the program that took it."""
    environment: str
    taken_at: datetime
    """When its snapshot was taken: nothing later is in it."""
    postgres: str
    schema_version: str
    tables: dict[str, int]
    """Rows of each table."""
    size: int
    """Bytes of the dump."""
    sha256: str
    """Of the dump."""

    @property
    def rows(self) -> int:
        return sum(self.tables.values())


def read(text: bytes) -> Manifest:
    """Read the manifest of a backup.

    Raises:
        BackupInvalid: it is none, or one of a later format.
    """
    try:
        found = Manifest.model_validate_json(text)
    except ValidationError:
        raise BackupInvalid from None
    if found.format > FORMAT:
        raise BackupInvalid(
            f"Cette sauvegarde vient d'une version plus récente d'Albert ({found.albert}) : "
            "mettez Albert à jour, puis restaurez-la."
        )
    return found
