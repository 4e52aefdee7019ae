"""Whether a worker of the API would find what it must not launch itself.

Apart from the verb that serves, which takes a second to import: ``doctor`` and ``deploy`` ask too.
"""

from __future__ import annotations

from albert.api.secrets import in_development
from albert.domain.errors import SettingInvalid
from albert.settings import Settings


def check_standing_alone(settings: Settings) -> None:
    """See that neither a database nor an engine would have to be launched by a worker.

    Raises:
        SettingInvalid
    """
    if not settings.database_address and not in_development(settings):
        raise SettingInvalid(
            "« albert serve api » demande une base PostgreSQL que ses processus partagent : "
            "donnez POSTGRES_HOST ou POSTGRES_URI."
        )
    if settings.model.endswith(".gguf"):
        raise SettingInvalid(
            "« albert serve api » ne lance aucun moteur : mettez le modèle d'ALBERT_MODEL dans la "
            "table de routage et servez-le par « albert serve llm », ou lancez « albert up »."
        )
