"""What an environment must say before its services are written for systemd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from albert.api.secrets import in_development, refuse_weak_secrets
from albert.cli.exposure import check_exposure
from albert.cli.standing_alone import check_standing_alone
from albert.deploy.plan import Plan, Service
from albert.deploy.systemd.services import listening
from albert.deploy.validity import refuse_wrong
from albert.domain.errors import EnvironmentInvalid
from albert.routing.table import RoutingTable
from albert.settings import Settings

_PATHS = (
    *("ALBERT_HOME", "STORAGE_PATH", "ALBERT_ROUTING_TABLE", "ALBERT_WHITELIST"),
    *("ALBERT_BACKUPS", "ALBERT_AUTH_LOG"),
)


def check_paths(values: Mapping[str, str]) -> None:
    """See that paths mean the same to a service, which starts in « / » and under another user.

    Raises:
        EnvironmentInvalid
    """
    said = [(name, values.get(name, "")) for name in _PATHS]
    origins = [one.strip() for one in values.get("ALBERT_CORPUS_FROM", "").split(",")]
    said += [("ALBERT_CORPUS_FROM", one) for one in origins if one not in ("official", "registry")]
    for name, value in said:
        if value and not value.startswith("/"):
            raise EnvironmentInvalid(
                f"{name} : « {value} » n'est pas un chemin absolu : écrivez-le depuis « / »."
            )


def check_environment(
    values: Mapping[str, str],
    settings: Settings,
    table: RoutingTable,
    plan: Plan,
    here: Sequence[Service],
) -> None:
    """See that every service ``here``, on this machine, could start, and call the others.

    Raises:
        SettingInvalid, EnvironmentInvalid: naming the variable and never its value.
    """
    serving = any(service.kind == "api" for service in here)
    refuse_wrong(values, settings, here=serving)
    for service in here:
        if service.kind == "llm":
            check_exposure(listening(service), values.get("LLM_API_KEY", ""), "LLM_API_KEY")
        elif service.kind == "embeddings":
            key = values.get("EMBEDDINGS_API_KEY", "")
            check_exposure(listening(service), key, "EMBEDDINGS_API_KEY")
    if serving:
        refuse_weak_secrets(settings)
        check_database(values, settings)
        _check_keys(values, plan, table)


def check_database(values: Mapping[str, str], settings: Settings) -> None:
    """See that workers of the API have a database to share, and who may come in.

    Raises:
        SettingInvalid, EnvironmentInvalid: naming the variable and never its value.
    """
    if not settings.database_address:
        raise EnvironmentInvalid(
            "POSTGRES_HOST et POSTGRES_URI manquent : les processus de l'API partagent une base "
            "PostgreSQL, donnez l'une des deux."
        )
    check_password(settings)
    if not in_development(settings) and not values.get("FIRST_ADMIN_PASSWORD"):
        raise EnvironmentInvalid(
            "FIRST_ADMIN_PASSWORD manque : donnez 12 caractères au moins, par exemple ceux de "
            "« openssl rand -base64 18 »."
        )
    check_standing_alone(settings)


def check_password(settings: Settings) -> None:
    """See that a database reached by its host's name is given a password.

    Raises:
        EnvironmentInvalid
    """
    host = settings.postgres_host
    by_name = host and not host.startswith("/") and not settings.postgres_uri
    if by_name and not settings.postgres_password:
        raise EnvironmentInvalid(f"POSTGRES_PASSWORD manque : la base de {host} le demande.")


def _check_keys(values: Mapping[str, str], plan: Plan, table: RoutingTable) -> None:
    """See that the API has the key of every model that asks for one, and is told to give it."""
    for model in table:
        for variable in (one.key_variable for one in model.replicas if one.key_variable):
            if not values.get(variable):
                raise EnvironmentInvalid(
                    f"{variable} manque : la table de routage y cherche la clé de « {model.name} »."
                )
    asked = {"llm": "LLM_API_KEY", "embeddings": "EMBEDDINGS_API_KEY"}
    for service in plan.services:
        if service.replica is None or service.model is None:
            continue
        variable = asked[service.kind]
        if values.get(variable) and not service.replica.key_variable:
            raise EnvironmentInvalid(
                f"« {service.model.name} » demandera la clé de {variable}, et l'API ne la lui "
                f'donnera pas : dans la table, ajoutez "key_variable": "{variable}" à sa réplique.'
            )
