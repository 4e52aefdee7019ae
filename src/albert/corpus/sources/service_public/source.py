"""The whole data set: its files grouped by id, read, and their audiences merged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from albert.corpus.contract import Skipped
from albert.corpus.sources.service_public.publication import SOURCE, Publication
from albert.corpus.sources.service_public.tree import Malformed, Node, is_tree, load
from albert.domain.documents import AUDIENCES, Audience, Section, Sheet, SourceName
from albert.domain.errors import CorpusMissing

T = TypeVar("T")

STRUCTURE_ONLY = "ne fait que relier d'autres fiches (dossier, thème, recherche guidée)"
NO_TREE = "JSON illisible : ce n'est pas un arbre d'éléments et de textes"
NO_TITLE = "la fiche n'a pas de titre"
SERVICE_ONLY = "service en ligne ou formulaire, et non fiche"


class ServicePublic:
    """The folder ``{particuliers,professionnels,associations}/<ID>.{xml,json}``, or a flat one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def name(self) -> SourceName:
        return SOURCE

    def files(self) -> dict[str, list[Path]]:
        """Return the files of each id, by id, in the order of the audiences.

        Raises:
            CorpusMissing: the folder holds no sheet.
        """
        found: dict[str, list[Path]] = {}
        folders = [self._folder / audience for audience in AUDIENCES] + [self._folder]
        for folder in folders:
            paths = [*folder.glob("*.xml"), *folder.glob("*.json")] if folder.is_dir() else []
            for path in sorted(paths):
                if path.stem[:1] in {"F", "N", "R"} and path.stem[1:].isdigit():
                    found.setdefault(path.stem, []).append(path)
        if not found:
            raise CorpusMissing(
                f"Aucune fiche dans {str(self._folder)!r} : lancez « albert corpus fetch »."
            )
        return dict(sorted(found.items()))

    def read(self) -> Iterator[Sheet | Skipped]:
        for paths in self.files().values():
            yield from read_sheet(paths)


def read_sheet(paths: Sequence[Path]) -> list[Sheet | Skipped]:
    """Read the editions of one sheet: the sheet, and what had to be passed over."""
    read = [_read_edition(path) for path in paths]
    editions = [one for one in read if isinstance(one, Sheet)]
    skipped = [one for one in read if isinstance(one, Skipped)]
    return [merge(editions), *skipped] if editions else [*skipped]


def _read_edition(path: Path) -> Sheet | Skipped:
    label = f"{path.parent.name}/{path.name}"
    if path.stem.startswith("R"):
        return Skipped(name=label, reason=SERVICE_ONLY)
    try:
        root, blanks_lost = load(path)
    except (Malformed, OSError) as error:
        return Skipped(name=label, reason=str(error), error=True)
    try:
        return _edition(root, path, label, blanks_lost=blanks_lost)
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        if is_tree(root):
            raise
        return Skipped(name=label, reason=NO_TREE, error=True)


def _edition(root: Node, path: Path, label: str, *, blanks_lost: bool) -> Sheet | Skipped:
    audience = next((a for a in AUDIENCES if a == path.parent.name), None)
    publication = Publication(root, audience=audience, blanks_lost=blanks_lost)
    if publication.id.startswith("N"):
        return Skipped(name=label, reason=STRUCTURE_ONLY)
    if publication.id != path.stem:
        reason = f"l'identifiant {publication.id!r} n'est pas celui du fichier"
        return Skipped(name=label, reason=reason, error=True)
    sheet = publication.sheet()
    if not sheet.title:
        reason = NO_TITLE if is_tree(root) else NO_TREE
        return Skipped(name=label, reason=reason, error=True)
    return sheet


def merge(editions: Sequence[Sheet]) -> Sheet:
    """Return one sheet for all audiences: the newest edition, then what only others say.

    Editions of one date keep the order given. Where an older edition says
    something else, its own sections follow, under a heading that names its audience.
    """
    if len(editions) == 1:
        return editions[0]
    newest, *older = sorted(editions, key=lambda sheet: sheet.date, reverse=True)
    sections = list(newest.sections)
    for edition in older:
        known = {(s.headings, s.text) for s in sections}
        sections += _apart(edition, known)
        if edition.introduction not in {newest.introduction, ""}:
            text = edition.introduction
            sections.append(Section(headings=(_label(edition),), text=text))
    named = set().union(*(edition.audiences for edition in editions))
    return replace(
        newest,
        sections=tuple(sections),
        audiences=tuple(audience for audience in AUDIENCES if audience in named),
        web_services=_union(e.web_services for e in editions),
        related_questions=_union(e.related_questions for e in editions),
        contacts=_union(e.contacts for e in editions),
        links=_union(e.links for e in editions),
        terms=_union(e.terms for e in editions),
    )


def _apart(edition: Sheet, known: set[tuple[tuple[str, ...], str]]) -> Iterator[Section]:
    for section in edition.sections:
        if (section.headings, section.text) not in known:
            yield replace(section, headings=(_label(edition), *section.headings))


def _label(edition: Sheet) -> str:
    labels: Mapping[Audience, str] = {
        "particuliers": "Pour les particuliers",
        "professionnels": "Pour les professionnels",
        "associations": "Pour les associations",
    }
    return labels[edition.audiences[0]] if edition.audiences else "Autre édition"


def _union(groups: Iterable[Sequence[T]]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(item for group in groups for item in group))
