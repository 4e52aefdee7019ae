"""The data folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Home:
    """Where everything lies in the data folder."""

    root: Path

    @property
    def format(self) -> Path:
        return self.root / "format"

    @property
    def sources(self) -> Path:
        return self.root / "sources"

    @property
    def corpus(self) -> Path:
        return self.root / "corpus.sqlite"

    @property
    def index(self) -> Path:
        return self.root / "index"

    @property
    def lexicon(self) -> Path:
        return self.root / "lexicon.json"

    @property
    def whitelist(self) -> Path:
        return self.root / "whitelist"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def backups(self) -> Path:
        return self.root / "backups"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def mail(self) -> Path:
        return self.root / "mail"

    @property
    def usage(self) -> Path:
        """What was counted while the database was away."""
        return self.root / "usage"
