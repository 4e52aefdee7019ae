"""The text of a publication as sections, and what stands in it that is data, not text."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from urllib.parse import quote

from albert.corpus.markdown import Cell, item, table
from albert.corpus.sections import SectionWriter
from albert.corpus.sources.service_public.tree import Node, solid
from albert.corpus.text import lowered, normalise, raised
from albert.domain.documents import Contact, Link, WebService

DATA = frozenset(
    {
        "OuSAdresser", "ServiceEnLigne", "PivotLocal", "Reference", "PourEnSavoirPlus", "VoirAussi",
        "QuestionReponse", "CommentFaireSi", "RefActualite", "Condition", "SiSelectionne",
    }
)  # fmt: skip
"""Elements inside a text that are not text: whom to contact, services, the site's machinery."""

INLINE = frozenset(
    {
        "LienInterne", "LienExterne", "LienIntra", "MiseEnEvidence", "Exposant", "Indice", "Valeur",
        "Expression", "Citation", "TermeEtranger", "Variable",
    }
)  # fmt: skip
"""Elements inside a line: what stands around them is the same line."""

_SCRIPTS = {"Exposant": raised, "Indice": lowered}
_OPENING = ("(", "[", "«", "'", "’", "/", "-", "–", " ", "\u00a0", "\u202f", "\n")


def gap(before: str, name: str, after: str) -> str:
    """Return the blank that the registry's JSON lost between two elements that touch.

    Only between words: an exponent holds to what it raises, and punctuation to its word.
    """
    if name in _SCRIPTS or not before or not after or before.endswith(_OPENING):
        return ""
    return " " if after[0].isalnum() or after[0] in "«([" else ""


class Body:
    """Walks one publication's text once, writing its sections and keeping its data aside."""

    def __init__(self, *, blanks_lost: bool) -> None:
        self.writer = SectionWriter()
        self.links: list[Link] = []
        self.contacts: list[Contact] = []
        self.services: list[WebService] = []
        self._blanks_lost = blanks_lost
        self._blocks: dict[str, Callable[[Node], None]] = {
            "Paragraphe": self._paragraph,
            "Liste": self._list,
            "Tableau": self._table,
            "OuSAdresser": self.contact,
            "ServiceEnLigne": self.service,
            **dict.fromkeys(("Chapitre", "SousChapitre", "Situation", "Cas"), self._section),
            **dict.fromkeys(("Branche", "Problematique", "Question", "Choix"), self._section),
            **dict.fromkeys(("ANoter", "ASavoir", "Attention", "Rappel"), self._note),
        }

    def inline(self, node: Node) -> str:
        """Return an element's text with nothing added or lost around what stands in it."""
        children = node.get("children", ())
        if len(children) == 1 and children[0]["type"] == "text":
            return children[0]["text"]  # most are
        parts: list[str] = []
        touching = False
        for child in children:
            if child["type"] == "text":
                parts.append(child["text"])
                touching = False
                continue
            name = child["name"]
            if name in DATA:
                continue
            text = self.inline(child)
            if name in _SCRIPTS:
                text = _SCRIPTS[name](text)
            elif name.startswith("Lien"):
                self._link(name, child, text)
            if touching and self._blanks_lost:
                parts.append(gap(parts[-1], name, text))
            parts.append(text)
            touching = True
        return "".join(parts)

    def text(self, node: Node) -> str:
        """Return an element's text on one line, normalised."""
        return normalise(self.inline(node))

    def blocks(self, node: Node) -> None:
        """Write all that stands in a container, in order."""
        for child in node.get("children", ()):
            if child["type"] == "text":
                self.writer.line(normalise(child["text"]))
                continue
            name = child["name"]
            write = self._blocks.get(name)
            if write is not None:
                write(child)
            elif name not in DATA:
                self._other(child)

    def _other(self, node: Node) -> None:
        children = solid(node)
        within = {child["name"] for child in children if child["type"] == "element"}
        # Text beside blocks (a title, a list) is a line of its own: it is not welded to theirs.
        if within <= INLINE | DATA and any(child["type"] == "text" for child in children):
            self.writer.line(self.text(node))
        else:
            self.blocks(node)

    def _paragraph(self, node: Node) -> None:
        self.writer.line(self.text(node))

    def _section(self, node: Node) -> None:
        title, rest = self._titled(node)
        if title:
            self.writer.open(title, _fragment(title))
        self.blocks(rest)
        if title:
            self.writer.close()

    def _note(self, node: Node) -> None:
        title, rest = self._titled(node)
        children = solid(rest)
        if children and children[0].get("name") == "Paragraphe":
            self.writer.line(
                f"{title} : {self.text(children[0])}" if title else self.text(children[0])
            )
            children = children[1:]
        else:
            self.writer.line(f"{title} :" if title else "")
        self.blocks({"type": "element", "children": children})

    def _titled(self, node: Node) -> tuple[str, Node]:
        """Split an element into its title and all the rest."""
        children = node.get("children", [])
        for i, child in enumerate(children):
            if child.get("name") == "Titre":
                rest = children[:i] + children[i + 1 :]
                return self.text(child), {"type": "element", "children": rest}
        return "", node

    def _list(self, node: Node) -> None:
        for line in self._items(node, 0):
            self.writer.line(line)

    def _items(self, node: Node, depth: int) -> list[str]:
        lines: list[str] = []
        for child in node.get("children", ()):
            if child.get("name") == "Item":
                lines += self._item(child, depth)
            elif child.get("name") not in DATA:
                lines.append(self._flat(child))
        return lines

    def _item(self, node: Node, depth: int) -> list[str]:
        lines: list[str] = []
        text = ""
        for child in node.get("children", ()):
            name = child.get("name")
            if name == "Liste":
                lines += self._items(child, depth + 1)
            elif name == "Tableau":
                lines += self._rows(child)
            elif name not in DATA:
                flat = self._flat(child)
                if lines and flat:
                    lines.append("  " * (depth + 1) + flat)
                else:
                    text = f"{text} {flat}".strip()
        return [item(text, depth), *lines] if text else lines

    def _flat(self, node: Node) -> str:
        """Return a block on one line: the items of a list are set off by bullets."""
        if node["type"] == "text":
            return normalise(node["text"])
        if node["name"] in {"Paragraphe", "Titre"}:
            return self.text(node)
        parts = []
        for child in node.get("children", ()):
            if child.get("name") not in DATA:
                flat = self._flat(child)
                parts.append(f"• {flat}" if child.get("name") == "Item" and flat else flat)
        return " ".join(part for part in parts if part)

    def _table(self, node: Node) -> None:
        for line in self._rows(node):
            self.writer.line(line)

    def _rows(self, node: Node) -> list[str]:
        before: list[str] = []
        rows: dict[bool, list[list[Cell]]] = {True: [], False: []}
        for child in node.get("children", ()):
            if child.get("name") == "Rangée":
                header = child.get("attributes", {}).get("type") == "header" and not rows[False]
                rows[header].append([self._cell(cell) for cell in solid(child)])
            elif child.get("name") != "Colonne":
                before.append(self._flat(child))
        return [line for line in before if line] + table(rows[True], rows[False])

    def _cell(self, node: Node) -> Cell:
        attributes = node.get("attributes", {})
        return Cell(
            self._flat(node),
            columns=_count(attributes.get("fusionHorizontale")),
            rows=_count(attributes.get("fusionVerticale")),
        )

    def _link(self, name: str, node: Node, text: str) -> None:
        attributes = node.get("attributes", {})
        title = normalise(text)
        if name == "LienInterne" and (target := attributes.get("LienPublication")):
            self.links.append(Link(relation="sheet", target=target, title=title))
        elif name == "LienExterne" and (target := attributes.get("URL")):
            self.links.append(Link(relation="web", target=target, title=title))
        elif name == "LienIntra" and (target := attributes.get("LienID")):
            self.links.append(Link(relation="definition", target=target, title=title))

    def contact(self, node: Node) -> None:
        """Keep whom to contact ("Où s'adresser ?")."""
        title, rest = self._titled(node)
        found = {child.get("name", ""): child for child in rest.get("children", ())}
        url = (
            found["RessourceWeb"].get("attributes", {}).get("URL", "")
            if "RessourceWeb" in found
            else ""
        )
        kind = self.text(found["PivotLocal"]) if "PivotLocal" in found else ""
        if title:
            self.contacts.append(Contact(title=title, url=url, kind=kind))

    def service(self, node: Node) -> None:
        """Keep an online service or a form."""
        title, rest = self._titled(node)
        attributes = node.get("attributes", {})
        source = next((c for c in rest.get("children", ()) if c.get("name") == "Source"), None)
        if title:
            self.services.append(
                WebService(
                    title=title,
                    url=attributes.get("URL", ""),
                    institution=self.text(source) if source is not None else "",
                    type=attributes.get("type", ""),
                )
            )


@lru_cache(maxsize=4096)
def _fragment(title: str) -> str:
    """Return the fragment that leads a browser to a heading (WICG, "Text Fragments")."""
    return f":~:text={quote(title, safe='')}"


def _count(value: str | None) -> int:
    return int(value) if value and value.isdigit() and int(value) else 1
