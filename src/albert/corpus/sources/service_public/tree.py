"""One publication as a tree, whether it came as XML or as the registry package's JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import orjson

if TYPE_CHECKING:
    from lxml import etree


class Node(TypedDict):
    """An element, or a text: the form of the registry's JSON, which XML is brought to."""

    type: str
    name: NotRequired[str]
    attributes: NotRequired[dict[str, str]]
    children: NotRequired[list[Node]]
    text: NotRequired[str]


_DEEPEST = 256


class Malformed(ValueError):
    """A file that is not a publication; the message says why."""


def load(path: Path) -> tuple[Node, bool]:
    """Return a file's ``Publication`` element, and whether blank texts were lost on the way.

    Raises:
        Malformed: neither well-formed nor of the publisher's form.
    """
    content = path.read_bytes()
    if path.suffix == ".json":
        return _from_json(content), True
    return _from_xml(content), False


def solid(node: Node) -> list[Node]:
    """Return an element's children but for blank texts: what indented XML has between blocks."""
    return [
        child
        for child in node.get("children", ())
        if child["type"] == "element" or child["text"].strip()
    ]


def _from_json(content: bytes) -> Node:
    try:
        document: Any = orjson.loads(content)
        root: Node = document["children"][-1]
        name = root.get("name")
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise Malformed(f"JSON illisible : {error}") from error
    if name != "Publication":
        raise Malformed(f"la racine est {name!r}, et non « Publication »")
    return root


def is_tree(root: Any) -> bool:  # noqa: ANN401  # whatever JSON held
    """Whether all below is an element or a text, no deeper than libxml2 allows.

    It costs as much as reading: it is asked only where reading failed.
    """
    level = [root]
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for node in level:
            if not _is_node(node):
                return False
            below += node.get("children", ())
        if not below:
            return True
        level = below
    return False


def _is_node(node: Any) -> bool:  # noqa: ANN401  # whatever JSON held
    if not isinstance(node, dict):
        return False
    if node.get("type") == "text":
        return isinstance(node.get("text"), str)
    attributes = node.get("attributes", {})
    return (
        node.get("type") == "element"
        and isinstance(node.get("name"), str)
        and isinstance(node.get("children", []), list)
        and isinstance(attributes, dict)
        and all(isinstance(value, str) for value in attributes.values())
    )


def _from_xml(content: bytes) -> Node:
    from lxml import etree

    # No entity is expanded, no DTD read, no address fetched: a sheet needs none of them.
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise Malformed(f"XML mal formé : {error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise Malformed("XML refusé : il déclare une DTD")
    if root.tag != "Publication":
        raise Malformed(f"la racine est {root.tag!r}, et non « Publication »")
    return _element(root)


def _element(element: etree._Element) -> Node:
    children: list[Node] = []
    if element.text:
        children.append({"type": "text", "text": element.text})
    for child in element:
        children.append(_element(child))
        if child.tail:
            children.append({"type": "text", "text": child.tail})
    name = str(element.tag)
    if name.startswith("{http://purl.org/dc/elements/1.1/}"):
        name = "dc:" + name.rpartition("}")[2]
    return {
        "type": "element",
        "name": name,
        "attributes": {str(k): str(v) for k, v in element.attrib.items()},
        "children": children,
    }
