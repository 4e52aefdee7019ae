"""No word is lost or said twice, whatever is nested in what: proved on generated publications."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from albert.corpus.build import read_batch
from albert.corpus.proof import prove
from albert.corpus.report import BuildReport
from albert.corpus.sources.service_public import ServicePublic
from albert.corpus.store import CorpusStore, CorpusWriter

Tree = dict[str, object]
WORDS = ["La mairie", "l'", "12", "²", "(oui)", "M.", "fin.", "où ?", "il faut :", "a|b", "é\u00ad"]


def said(words: str) -> Tree:
    return {"type": "text", "text": words}


text = st.sampled_from(WORDS).map(said)


def element(name: str, children: st.SearchStrategy[list[Tree]]) -> st.SearchStrategy[Tree]:
    return children.map(lambda some: {"type": "element", "name": name, "children": some})


def some_of(*each: st.SearchStrategy[Tree], least: int = 0) -> st.SearchStrategy[list[Tree]]:
    return st.lists(st.one_of(*each), min_size=least, max_size=3).map(without_touching_texts)


def without_touching_texts(children: list[Tree]) -> list[Tree]:
    """Two texts never touch in XML: they would be one."""
    kept: list[Tree] = []
    for child in children:
        if not (kept and kept[-1]["type"] == child["type"] == "text"):
            kept.append(child)
    return kept


def any_of(names: list[str], inside: st.SearchStrategy[list[Tree]]) -> st.SearchStrategy[Tree]:
    return st.sampled_from(names).flatmap(lambda name: element(name, inside))


inline = any_of(
    ["LienInterne", "LienExterne", "MiseEnEvidence", "Valeur", "Exposant", "Indice"],
    some_of(text, least=1),
)
paragraph = element("Paragraphe", some_of(text, inline))
data = any_of(["ServiceEnLigne", "OuSAdresser", "VoirAussi"], some_of(paragraph))
title = element("Titre", paragraph.map(lambda only: [only]))


def containers(blocks: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    cell = element("Cellule", some_of(blocks))
    row = element("Rangée", some_of(cell))
    return st.one_of(
        element("Liste", some_of(element("Item", some_of(blocks)))),
        element("Tableau", some_of(row, title)),
        any_of(["Chapitre", "Cas", "BlocCas", "ASavoir", "Fragment"], some_of(title, blocks)),
    )


blocks = st.recursive(st.one_of(paragraph, data, text), containers, max_leaves=12)
publications = st.tuples(
    element("Introduction", some_of(blocks)), element("Texte", some_of(blocks, least=1))
)


@settings(max_examples=40, derandomize=True)
@given(publications)
def test_a_generated_publication_is_proved(parts: tuple[Tree, Tree]) -> None:
    publication = {
        "type": "element",
        "name": "Publication",
        "attributes": {"ID": "F1"},
        "children": [*parts],
    }
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "F1.json").write_bytes(orjson.dumps({"children": [publication]}))
        rows, report = read_batch(list(ServicePublic(folder).files().values()), 64)
        assert report.errors == []
        with CorpusWriter(folder / "corpus.sqlite") as writer:
            writer.add(rows)
            writer.commit(BuildReport([report]), inputs="")
        with closing(CorpusStore(folder / "corpus.sqlite")) as store:
            proof = prove(store, {"service-public": folder}, tokens=64, progress=lambda *_: None)
        assert proof.lost == []
