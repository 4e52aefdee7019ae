"""One publication (one file) as a sheet, before its audiences are merged."""

from __future__ import annotations

import re
from collections.abc import Iterator

from albert.corpus.sources.service_public.body import Body
from albert.corpus.sources.service_public.tree import Node, solid
from albert.domain.documents import (
    AUDIENCES,
    Audience,
    Link,
    RelatedQuestion,
    Section,
    Sheet,
    SheetId,
    SourceName,
    Term,
)

SOURCE = SourceName("service-public")
TEXT = ("ListeSituations", "Texte")
INSTEAD = ("Problematiques", "RechercheGuidee", "Questionnaire", "LienExterneCommente")
"""What a sheet without text says instead: a guided search, or an address with a comment."""

_PAGES: dict[Audience, str] = {
    "particuliers": "https://www.service-public.fr/particuliers/vosdroits/",
    "professionnels": "https://www.service-public.fr/professionnels-entreprises/vosdroits/",
    "associations": "https://www.service-public.fr/associations/vosdroits/",
}
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def page(sid: str, audience: Audience) -> str:
    """Return a sheet's address, built from its id: for the sheets that carry none."""
    return _PAGES[audience] + sid


class Publication:
    """A publication's parts, each read on demand from its tree."""

    def __init__(self, root: Node, *, audience: Audience | None, blanks_lost: bool) -> None:
        self._root = root
        self._body = Body(blanks_lost=blanks_lost)
        self._parts: dict[str, list[Node]] = {}
        for child in root.get("children", ()):
            if child["type"] == "element":
                self._parts.setdefault(child["name"], []).append(child)
        self.attributes = root.get("attributes", {})
        self._audience = audience

    @property
    def id(self) -> SheetId:
        return SheetId(self.attributes.get("ID", ""))

    @property
    def kind(self) -> str:
        return self._text("SurTitre")

    @property
    def audiences(self) -> tuple[Audience, ...]:
        """The folder it came from, else what the publication says of itself."""
        if self._audience is not None:
            return (self._audience,)
        said = {self._body.text(node).lower() for node in self._parts.get("Audience", ())}
        return tuple(audience for audience in AUDIENCES if audience in said)

    def parts(self, *names: str) -> Iterator[Node]:
        """Yield the top-level elements with these names, name by name."""
        for name in names:
            yield from self._parts.get(name, ())

    def sheet(self) -> Sheet:
        """Return the whole sheet; its text is walked once."""
        introduction = self._introduction()
        sections = self._sections(empty=not introduction)
        audiences = self.audiences
        date = _DATE.search(self._text("dc:date"))
        for node in self.parts("OuSAdresser"):
            self._body.contact(node)
        for node in self.parts("ServiceEnLigne"):
            self._body.service(node)
        return Sheet(
            id=self.id,
            source=SOURCE,
            title=self._text("dc:title"),
            url=self.attributes.get("spUrl")
            or page(self.id, audiences[0] if audiences else "particuliers"),
            date=date.group() if date else "",
            kind=self.kind,
            audiences=audiences,
            theme=self._titles("Theme"),
            breadcrumb=tuple(
                self._body.text(level)
                for trail in self.parts("FilDAriane")
                for level in solid(trail)
            ),
            description=self._text("dc:description"),
            introduction=introduction,
            warning="\n".join(self._lines("Avertissement")),
            sections=sections,
            web_services=tuple(dict.fromkeys(self._body.services)),
            related_questions=tuple(self._related()),
            contacts=tuple(dict.fromkeys(self._body.contacts)),
            links=tuple(dict.fromkeys([*self._body.links, *self._relations()])),
            terms=tuple(self._terms()),
        )

    def _introduction(self) -> str:
        return "\n".join(self._lines("Introduction"))

    def _sections(self, *, empty: bool) -> tuple[Section, ...]:
        """Read the text; a sheet that has none says what stands in its place."""
        for node in self.parts(*TEXT):
            self._body.blocks(node)
        if not self._parts.keys() & set(TEXT):
            for node in self.parts(*INSTEAD):
                self._body.blocks(node)
        sections = self._body.writer.sections()
        if empty and not sections:
            sections = (Section(text=self._text("dc:description") or self._text("dc:title")),)
        return sections

    def _lines(self, name: str) -> list[str]:
        aside = Body(blanks_lost=self._body._blanks_lost)
        for node in self.parts(name):
            aside.blocks(node)
        self._body.links += aside.links
        return [
            line
            for section in aside.writer.sections()
            for line in (*section.headings[-1:], section.text)
        ]

    def _text(self, name: str) -> str:
        return next((self._body.text(node) for node in self.parts(name)), "")

    def _titles(self, name: str) -> str:
        titles = (
            self._body.text(c)
            for n in self.parts(name)
            for c in n.get("children", ())
            if c.get("name") == "Titre"
        )
        return next(titles, "")

    def _related(self) -> Iterator[RelatedQuestion]:
        for node in self.parts("QuestionReponse", "CommentFaireSi"):
            attributes = node.get("attributes", {})
            said = attributes.get("audience", "").lower()
            # Some CommentFaireSi name no audience: the sheet's own is meant.
            audience = next(
                (a for a in AUDIENCES if a == said), (*self.audiences, "particuliers")[0]
            )
            if sid := attributes.get("ID"):
                yield RelatedQuestion(
                    question=self._body.text(node), sid=SheetId(sid), url=page(sid, audience)
                )

    def _relations(self) -> Iterator[Link]:
        for node in self.parts("Reference"):
            if url := node.get("attributes", {}).get("URL"):
                yield Link(relation="law", target=url, title=self._title_of(node))
        for node in self.parts("PourEnSavoirPlus"):
            if url := node.get("attributes", {}).get("URL"):
                yield Link(relation="web", target=url, title=self._title_of(node))
        for node in self.parts("DossierPere", "SousThemePere", "Theme"):
            if sid := node.get("attributes", {}).get("ID"):
                yield Link(relation="parent", target=sid, title=self._title_of(node))

    def _title_of(self, node: Node) -> str:
        titles = (self._body.text(c) for c in node.get("children", ()) if c.get("name") == "Titre")
        return next(titles, "") or self._body.text(node)

    def _terms(self) -> Iterator[Term]:
        for node in self.parts("Abreviation", "Definition"):
            children = {child.get("name", ""): child for child in node.get("children", ())}
            if "Titre" in children and "Texte" in children:
                meaning = " ".join(self._body.text(c) for c in solid(children["Texte"]))
                yield Term(
                    term=self._body.text(children["Titre"]),
                    meaning=meaning,
                    kind="acronym" if node["name"] == "Abreviation" else "definition",
                )
