"""All the files of a machine, from its services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from albert.deploy import env_file
from albert.deploy.plan import Service
from albert.deploy.systemd import jobs, services
from albert.deploy.systemd.card import CARD, card
from albert.deploy.systemd.installation import Installation
from albert.deploy.systemd.unit import MARK, text
from albert.domain.errors import EnvironmentInvalid


def rendered(
    installation: Installation, found: Sequence[Service], *, saving: bool
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the units, and the files of variables, by their names.

    ``saving``: of all the machines of the API, this one backs the database up.

    Raises:
        EnvironmentInvalid: a value cannot be written.
    """
    units: dict[str, str] = {}
    given: dict[str, Mapping[str, str]] = {}
    of_jobs = jobs.variables(installation)
    for service in found:
        name = "api" if service.kind == "api" else service.name
        given[name] = services.variables(installation, service)
        if service.kind == "api":
            units[services.API] = services.api(installation, service)
        else:
            units[f"albert-{name}.service"] = services.engine(installation, service)
    if "api" in given:
        units |= _of_sheets(installation)
        given["corpus"] = of_jobs["corpus"]
    if "api" in given and saving:
        units[jobs.BACKUP] = jobs.backup(installation)
        units[jobs.BACKUP_TIMER] = jobs.timer(
            "Albert : sauvegarder la base chaque nuit", "*-*-* 01:30:00", "30min"
        )
        given["backup"] = of_jobs["backup"]
    if any(services.on_card(one) for one in found):
        units[CARD] = card()
    downloaded = [one for one in found if one.model is not None and one.model.hf_repo_id]
    if downloaded:
        units[services.MODELS] = jobs.models(installation, downloaded)
        given["models"] = of_jobs["models"]
    units[services.TARGET] = _target(list(running(found)), units)
    return units, {f"{name}.env": _file(name, values) for name, values in given.items()}


def running(found: Sequence[Service]) -> dict[str, tuple[str, str]]:
    """Return the units that keep these services running, each with the two files it is made of."""
    units: dict[str, tuple[str, str]] = {}
    for one in found:
        if one.kind == "api":
            units[f"albert-api@{one.port}.service"] = (services.API, "api.env")
        else:
            unit = f"albert-{one.name}.service"
            units[unit] = (unit, f"{one.name}.env")
    return units


def _of_sheets(installation: Installation) -> dict[str, str]:
    return {
        services.LEARN: jobs.learn(installation),
        jobs.VECTORS: jobs.vectors(installation),
        jobs.CORPUS: jobs.corpus(installation),
        jobs.CORPUS_TIMER: jobs.timer(
            "Albert : mettre les fiches à jour chaque nuit", "*-*-* 03:00:00", "2h"
        ),
    }


def _target(names: Sequence[str], units: Mapping[str, str]) -> str:
    timers = [name for name in units if name.endswith(".timer")]
    return text(
        {
            "Unit": [
                ("Description", "Albert"),
                *(("Wants", name) for name in (*names, *timers)),
            ],
            "Install": [("WantedBy", "multi-user.target")],
        }
    )


def _file(name: str, values: Mapping[str, str]) -> str:
    try:
        return f"{MARK}\n{env_file.text(values)}"
    except EnvironmentInvalid as error:
        raise EnvironmentInvalid(f"{Path(name).name}.env : {error}") from None
