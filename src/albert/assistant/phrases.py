"""What the assistant says of itself, in French: read by public agents and citizens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from albert.assistant.contract import Citation
from albert.domain.documents import PUBLISHERS

QUOTED = (
    "Voici ce que disent les fiches officielles. Ce sont des citations, mot pour mot, "
    "choisies automatiquement : lisez la fiche entière avant de décider."
)
NOT_FOUND = (
    "Je ne trouve pas de réponse à cette question dans les fiches officielles que je connais, "
    "et je préfère ne pas en inventer.\n\n"
    "Vers qui vous tourner :\n"
    "- une démarche ou un droit : Allô Service Public au 39 39, ou un espace France services "
    "près de chez vous ;\n"
    "- votre dossier personnel : l'organisme qui le traite, dans votre espace en ligne ou à son "
    "guichet ;\n"
    "- une question locale (horaires, tarifs, travaux) : la mairie ou l'organisme lui-même, "
    "dont l'annuaire de l'administration donne les coordonnées ;\n"
    "- une urgence : le 112."
)
NOTHING_SERVED = "Aucune fiche n'est datée."


def french_date(iso: str) -> str:
    """Return "2020-11-12" as "12/11/2020"; what is not a date stays as it is."""
    parts = iso.split("-")
    return "/".join(reversed(parts)) if len(parts) == 3 else iso


def dated(newest: Mapping[str, str]) -> str:
    """Say how recent the sheets are, source by source."""
    known = [f"{source} : {french_date(date)}" for source, date in newest.items() if date]
    if not known:
        return NOTHING_SERVED
    return f"Fiches servies, date de la plus récente : {' ; '.join(known)}."


def listed(citations: Sequence[Citation], newest: Mapping[str, str]) -> str:
    """Return the numbered sources of an answer: sheet, path, date, publisher, address."""
    lines = ["**Sources**"] if citations else []
    for number, citation in enumerate(citations, start=1):
        chunk = citation.chunk
        publisher = PUBLISHERS.get(chunk.source)
        said = [f"fiche du {french_date(chunk.date)}" if chunk.date else "fiche sans date"]
        said += [publisher.name, publisher.licence] if publisher else [chunk.source]
        path = " › ".join((chunk.title, *chunk.headings))
        lines.append(f"[{number}] {path} ({', '.join(said)})\n    {chunk.url}")
    return "\n".join([*lines, "", dated(newest)])
