"""What each family of embedding models wants written before a text, by its role."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Prefixes(NamedTuple):
    query: str = ""
    document: str = ""

    def of(self, role: Literal["query", "document"]) -> str:
        return self.query if role == "query" else self.document


_FAMILIES = (
    (
        "e5-large-instruct",
        Prefixes(
            "Instruct: Given a web search query, retrieve relevant passages that answer "
            "the query\nQuery: "
        ),
    ),
    ("multilingual-e5", Prefixes("query: ", "passage: ")),
    ("e5-", Prefixes("query: ", "passage: ")),
    ("bge-small-en", Prefixes("Represent this sentence for searching relevant passages: ")),
    ("bge-base-en", Prefixes("Represent this sentence for searching relevant passages: ")),
    ("bge-large-en", Prefixes("Represent this sentence for searching relevant passages: ")),
)
"""From the models' own cards; BGE-M3 and those not named here want none."""


def prefixes_of(model: str) -> Prefixes:
    """Return those of a model, told by its repository or its name (``intfloat/e5-base``)."""
    name = model.rpartition("/")[2].lower()
    for family, prefixes in _FAMILIES:
        if name.startswith(family) or (family.endswith("instruct") and name.endswith(family)):
            return prefixes
    return Prefixes()
