"""From French to terms."""

from __future__ import annotations

import pytest

from albert.index.analysis import terms, tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("l'APL d’aujourd’hui", ["apl", "aujourd", "hui"]),
        ("Jusqu'à qu'une lorsqu'il", ["à", "une", "il"]),
        ("le R.S.A. et la T.V.A", ["le", "rsa", "et", "la", "tva"]),
        ("1 500 € ou 1.500 ou 12 34", ["1500", "ou", "1500", "ou", "12", "34"]),
        ("Conseil de prud'hommes", ["conseil", "de", "prudhommes"]),
        ("e\u0301tat", ["état"]),
    ],
)
def test_words_are_cut_as_a_reader_would(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("bénéficiaires", "beneficiaire"),
        ("cœur", "COEUR"),
        ("indemnisé", "indemnise"),
        ("les congés payés", "congé payé"),
    ],
)
def test_forms_of_one_word_share_their_term(one: str, other: str) -> None:
    assert terms(one) == terms(other)


def test_codes_are_kept_whole() -> None:
    assert terms("permis A1, formulaire 2042-C") == ["perm", "a1", "formulair", "2042"]


def test_question_words_say_nothing_but_sans_does() -> None:
    assert terms("est-ce que je peux, comment et pourquoi, sans") == ["san"]
