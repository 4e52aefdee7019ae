"""Every setting, on one page. Read once by the entry points, then passed as a value."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from albert.domain.errors import SettingInvalid
from albert.domain.home import Home


class Settings(BaseModel):
    """Read from the environment, prefix ``ALBERT_`` (``ALBERT_PORT=9000``).

    ``load`` refuses an unknown or ill-formed ``ALBERT_…`` variable, so that a typing
    mistake is not a silent default. Those with a name of their own (``POSTGRES_HOST``)
    are shared with the programs beside us.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    home: Path = Field(Path("~/.local/share/albert"), description="Dossier de données")
    host: str = Field("127.0.0.1", description="Adresse d'écoute")
    port: int = Field(8090, ge=1, le=65535, description="Port d'écoute de l'API")
    root_path: str = Field("", description="Préfixe derrière un mandataire inverse")
    trusted_proxies: str = Field(
        "", description="Mandataires dont X-Forwarded-For est cru, séparés par des virgules"
    )
    auth_log: str = Field("", description="Fichier du journal d'authentification ; vide : aucun")
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
    embeddings_api_key: SecretStr = Field(
        SecretStr(""),
        validation_alias="EMBEDDINGS_API_KEY",
        description="Clé du service de vecteurs",
    )
    model: str = Field(
        "", description="Modèle de langue : vide, un fichier .gguf, ou un nom servi par model_url"
    )
    model_url: str = Field("", description="Adresse /v1 d'un service compatible OpenAI")
    model_key: SecretStr = Field(SecretStr(""), description="Clé de ce service")
    model_window: int = Field(4096, ge=256, description="Jetons que le modèle peut lire")
    routing_table: str = Field("", description="Fichier de la table de routage des modèles")
    storage_path: str = Field(
        "", validation_alias="STORAGE_PATH", description="Dossier des modèles téléchargés"
    )
    llm_api_key: SecretStr = Field(
        SecretStr(""), validation_alias="LLM_API_KEY", description="Clé du service d'un modèle"
    )
    vllm_python: str = Field(
        "", description="Python où vLLM est installé, là où la table de routage n'en dit pas"
    )
    hf_endpoint: str = Field(
        "https://huggingface.co",
        pattern=r"^https?://[^/]",
        validation_alias="HF_ENDPOINT",
        description="Adresse du dépôt de modèles",
    )
    hf_token: SecretStr = Field(
        SecretStr(""), validation_alias="HF_TOKEN", description="Jeton de ce dépôt"
    )
    hf_offline: bool = Field(
        False, validation_alias="HF_HUB_OFFLINE", description="Ne rien demander à ce dépôt"
    )
    limit: int = Field(5, ge=1, le=50, description="Nombre d'extraits retenus pour répondre")
    resume_seconds: float = Field(
        15.0,
        ge=0,
        le=3600,
        description="Secondes pendant lesquelles une réponse attend son lecteur",
    )
    drain_seconds: float = Field(
        30.0, ge=0, le=3600, description="Secondes laissées aux réponses en cours à l'arrêt"
    )
    retention_days: int = Field(
        365, ge=1, description="Jours de conservation des conversations sans activité"
    )
    metrics_key: SecretStr = Field(SecretStr(""), description="Clé qui ouvre /metrics")
    log_format: Literal["text", "json"] = Field("text", description="Forme du journal")
    log_level: Literal["debug", "info", "warning", "error"] = Field("warning", description="Niveau")
    otlp_endpoint: str = Field(
        "",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="Adresse OTLP/HTTP du collecteur de traces ; vide : aucune trace",
    )
    env: str = Field("dev", validation_alias="ENV", description="Nom de l'environnement")
    secret_key: SecretStr = Field(
        SecretStr(""), validation_alias="SECRET_KEY", description="Secret qui signe les sessions"
    )
    first_admin_username: str = Field(
        "admin",
        validation_alias="FIRST_ADMIN_USERNAME",
        description="Nom du premier administrateur",
    )
    first_admin_email: str = Field(
        "admin@albert.example", validation_alias="FIRST_ADMIN_EMAIL", description="Son adresse"
    )
    first_admin_password: SecretStr = Field(
        SecretStr(""), validation_alias="FIRST_ADMIN_PASSWORD", description="Son mot de passe"
    )
    postgres_uri: SecretStr = Field(
        SecretStr(""), validation_alias="POSTGRES_URI", description="Adresse entière de la base"
    )
    postgres_host: str = Field(
        "", validation_alias="POSTGRES_HOST", description="Hôte de la base ; vide : base embarquée"
    )
    postgres_port: int = Field(
        5432, ge=1, le=65535, validation_alias="POSTGRES_PORT", description="Port de la base"
    )
    postgres_user: str = Field(
        "postgres", validation_alias="POSTGRES_USER", description="Compte de la base"
    )
    postgres_password: SecretStr = Field(
        SecretStr(""), validation_alias="POSTGRES_PASSWORD", description="Mot de passe de ce compte"
    )
    postgres_db: str = Field(
        "postgres", validation_alias="POSTGRES_DB", description="Nom de la base"
    )
    backups: str = Field("", description="Dossier des sauvegardes de la base")
    mj_api_key: SecretStr = Field(
        SecretStr(""), validation_alias="MJ_API_KEY", description="Clé de Mailjet"
    )
    mj_api_secret: SecretStr = Field(
        SecretStr(""), validation_alias="MJ_API_SECRET", description="Secret de Mailjet"
    )
    mailjet_url: str = Field(
        "https://api.mailjet.com/v3.1/send", description="Adresse de l'API d'envoi de Mailjet"
    )
    smtp_host: str = Field(
        "", validation_alias="SMTP_HOST", description="Serveur d'envoi de courriels"
    )
    smtp_port: int = Field(
        587, ge=1, le=65535, validation_alias="SMTP_PORT", description="Port de ce serveur"
    )
    smtp_user: str = Field("", validation_alias="SMTP_USER", description="Compte sur ce serveur")
    smtp_password: SecretStr = Field(
        SecretStr(""), validation_alias="SMTP_PASSWORD", description="Mot de passe de ce compte"
    )
    smtp_tls: Literal["starttls", "tls", "none"] = Field(
        "starttls", validation_alias="SMTP_TLS", description="Chiffrement vers ce serveur"
    )
    mail_from: str = Field(
        "albert@albert.example",
        validation_alias="MAIL_FROM",
        description="Expéditeur des courriels",
    )
    contact_email: str = Field(
        "", validation_alias="CONTACT_EMAIL", description="Qui reçoit les demandes de contact"
    )
    front_url: str = Field(
        "http://localhost:4173",
        pattern=r"^https?://[^/]",
        validation_alias="FRONT_URL",
        description="Adresse de l'interface, pour les liens des courriels",
    )
    whitelist: str = Field(
        "", description="Fichier d'adresses à laisser passer, en plus de celles du corpus"
    )
    npm_registry: str = Field(
        "",
        validation_alias="NPM_CONFIG_REGISTRY",
        description="Adresse du registre npm, si ce n'est celle du client npm",
    )

    @property
    def database_address(self) -> str:
        """The operator's PostgreSQL, in the form that names no driver; may be empty."""
        if given := self.postgres_uri.get_secret_value():
            return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", given)
        if not self.postgres_host:
            return ""
        password = quote(self.postgres_password.get_secret_value(), safe="")
        user = quote(self.postgres_user, safe="") + (f":{password}" if password else "")
        name = quote(self.postgres_db, safe="")
        return f"postgresql://{user}@/{name}?" + urlencode(
            {"host": self.postgres_host, "port": self.postgres_port}
        )

    @property
    def contact(self) -> str:
        """Where people may write to; may be empty."""
        return self.contact_email or self.first_admin_email


def models_folder(settings: Settings, home: Home) -> Path:
    """Where the models lie: the folder of the settings, or one in the data folder."""
    given = settings.storage_path
    return Path(given).expanduser().absolute() if given else home.models


def backups_folder(settings: Settings, home: Home) -> Path:
    """Where backups of the database lie: the folder of the settings, or one in the data folder."""
    given = settings.backups
    return Path(given).expanduser().absolute() if given else home.backups


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment of the process, or from another one.

    Raises:
        SettingInvalid: an ``ALBERT_…`` variable is unknown or ill-formed; the message names it.
    """
    given = os.environ if environment is None else environment
    known = {variable(name): name for name in Settings.model_fields}
    unknown = sorted(name for name in given if name.startswith("ALBERT_") and name not in known)
    if unknown:
        near = get_close_matches(unknown[0], known, n=1)
        hint = f" : vouliez-vous dire {near[0]} ?" if near else "."
        raise SettingInvalid(f"Le réglage {unknown[0]} n'existe pas{hint}")
    values = {
        name if Settings.model_fields[field].validation_alias else field: given[name]
        for name, field in known.items()
        if given.get(name)
    }
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        mistake = error.errors()[0]
        said = str(mistake["loc"][0])
        name = known.get(said, said)
        raise SettingInvalid(
            f"Le réglage {variable(name)} ne peut pas valoir {mistake['input']!r} : il faut "
            f"{_expected(name)}."
        ) from None  # what pydantic says may quote a key


def add(values: Mapping[str, str]) -> None:
    """Let ``values`` be read as if they were of the environment, which wins where it has the name.

    The processes that this one starts have them too.
    """
    for name, value in values.items():
        os.environ.setdefault(name, value)


def environment() -> dict[str, str]:
    """Return the whole environment, for who passes some of it on to another program."""
    return dict(os.environ)


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return str(Settings.model_fields[name].validation_alias or f"ALBERT_{name.upper()}")


def _expected(name: str) -> str:
    """Say what a setting accepts, from its own declaration."""
    field = Settings.model_fields[name]
    if choices := get_args(field.annotation):
        return " ou ".join(map(str, choices))
    kinds: dict[object, str] = {
        int: "un nombre entier",
        float: "un nombre",
        bool: "true ou false",
    }
    shaped = any(getattr(rule, "pattern", None) for rule in field.metadata)
    kind = "une adresse http:// ou https://" if shaped else kinds.get(field.annotation, "un texte")
    words = {"ge": "au moins", "gt": "plus de", "le": "au plus"}
    bounds = [
        f"{word} {getattr(rule, name)}"
        for rule in field.metadata
        for name, word in words.items()
        if hasattr(rule, name)
    ]
    return ", ".join([kind, *bounds])
