"""Every setting, on one page. Read once by the entry points, then passed as a value."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

Origin = Literal["official", "registry"]


class Settings(BaseSettings):
    """Read from the environment, prefix ``ALBERT_`` (``ALBERT_PORT=9000``).

    An unknown or ill-formed ``ALBERT_…`` variable is an error, so that a typing
    mistake is not a silent default.
    """

    model_config = SettingsConfigDict(env_prefix="ALBERT_", extra="forbid", frozen=True)

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
