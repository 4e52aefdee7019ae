"""Every setting, on one page. Read once by the entry points, then passed as a value."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from albert.domain.errors import SettingInvalid


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


class Settings(BaseModel):
    """Read from the environment, prefix ``ALBERT_`` (``ALBERT_PORT=9000``).

    ``load`` refuses an unknown or ill-formed ``ALBERT_…`` variable, so that a typing
    mistake is not a silent default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    home: Path = Field(Path("~/.local/share/albert"), description="Dossier de données")
    host: str = Field("127.0.0.1", description="Adresse d'écoute")
    port: int = Field(8090, ge=1, le=65535, description="Port d'écoute de l'API")
    root_path: str = Field("", description="Préfixe derrière un mandataire inverse")
    corpus_from: str = Field(
        "official,registry",
        description="Origines des fiches, dans l'ordre : official, registry, ou un chemin",
    )
    official_timeout: float = Field(
        3.0, gt=0, description="Secondes laissées à chaque hôte officiel"
    )
    chunk_tokens: int = Field(
        220, ge=64, le=500, description="Taille maximale d'un extrait, en jetons"
    )
    embedder: Literal["e5"] = Field("e5", description="Modèle de vecteurs")
    embed_threads: int = Field(2, ge=1, description="Fils de calcul des vecteurs")
    model: str = Field(
        "", description="Modèle de langue : vide, un fichier .gguf, ou un nom servi par model_url"
    )
    model_url: str = Field("", description="Adresse /v1 d'un service compatible OpenAI")
    model_key: SecretStr = Field(SecretStr(""), description="Clé de ce service")
    model_window: int = Field(4096, ge=256, description="Jetons que le modèle peut lire")
    limit: int = Field(5, ge=1, le=50, description="Nombre d'extraits retenus pour répondre")
    whitelist: str = Field(
        "", description="Fichier d'adresses à laisser passer, en plus de celles du corpus"
    )
    npm_registry: str = Field(
        "",
        validation_alias="NPM_CONFIG_REGISTRY",
        description="Adresse du registre npm, si ce n'est celle du client npm",
    )


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment of the process, or from another one.

    Raises:
        SettingInvalid: an ``ALBERT_…`` variable is unknown or ill-formed; the message names it.
    """
    given = os.environ if environment is None else environment
    known = {f"ALBERT_{name.upper()}": name for name in Settings.model_fields}
    del known["ALBERT_NPM_REGISTRY"]
    unknown = sorted(name for name in given if name.startswith("ALBERT_") and name not in known)
    if unknown:
        near = get_close_matches(unknown[0], known, n=1)
        hint = f" : vouliez-vous dire {near[0]} ?" if near else "."
        raise SettingInvalid(f"Le réglage {unknown[0]} n'existe pas{hint}")
    values = {field: given[name] for name, field in known.items() if given.get(name)}
    if given.get("NPM_CONFIG_REGISTRY"):
        values["NPM_CONFIG_REGISTRY"] = given["NPM_CONFIG_REGISTRY"]
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        mistake = error.errors()[0]
        name = "_".join(str(part) for part in mistake["loc"])
        raise SettingInvalid(
            f"Le réglage ALBERT_{name.upper()} ne peut pas valoir {mistake['input']!r} : il faut "
            f"{_expected(name)}."
        ) from None  # what pydantic says may quote a key


def _expected(name: str) -> str:
    """Say what a setting accepts, from its own declaration."""
    field = Settings.model_fields[name]
    if choices := get_args(field.annotation):
        return " ou ".join(map(str, choices))
    kinds: dict[object, str] = {int: "un nombre entier", float: "un nombre"}
    kind = kinds.get(field.annotation, "un texte")
    words = {"ge": "au moins", "gt": "plus de", "le": "au plus"}
    bounds = [
        f"{word} {getattr(rule, name)}"
        for rule in field.metadata
        for name, word in words.items()
        if hasattr(rule, name)
    ]
    return ", ".join([kind, *bounds])
