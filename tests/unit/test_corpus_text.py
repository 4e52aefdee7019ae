"""Text as it is kept, and where sentences end."""

import pytest

from albert.corpus.sentences import sentences
from albert.corpus.text import lowered, normalise, raised, words


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("30 m²", "30 m²"),
        ("10³", "10³"),
        ("CO₂", "CO₂"),
        ("10³ ﬁls", "10³ fils"),
        ("cafe\u0301 m²", "café m²"),
        ("ﬁn", "fin"),
        ("9,76\u00a0€", "9,76 €"),
        ("«\u202foui\u202f»", "« oui »"),
        (" un\n\tdeux  trois ", "un deux trois"),
        ("œuvre", "œuvre"),
        ("co\u00adupé", "coupé"),
        ("a\u200bb\ufeff", "ab"),
        ("a\x00b", "ab"),
        ("é\x00b", "éb"),
        ("a\u2028b\x1fc", "a b c"),
    ],
)
def test_text_is_brought_to_one_form(written: str, kept: str) -> None:
    assert normalise(written) == kept


def test_only_digits_are_raised_or_lowered() -> None:
    assert [raised("2"), raised("-3"), raised("er"), raised("10")] == ["²", "-3", "er", "¹⁰"]
    assert [lowered("2"), lowered("n")] == ["₂", "n"]


def test_words_are_counted_whatever_their_case_and_marks() -> None:
    assert words("L'Été, l'été_2") == {"l": 2, "été": 2, "2": 1}


@pytest.mark.parametrize(
    ("paragraph", "count"),
    [
        ("Un. Deux.", 2),
        ("Un ! Deux ? Trois…  Quatre", 4),
        ('Il dit "Oui." Puis il part.', 2),
        ("Il part. « Oui », dit-elle.", 2),
        ("L'art. L. 1234-5 du code. Suite.", 2),
        ("M. Dupont et Mme. Durand.", 1),
        ("Tél. 01 23.", 1),
        ("En 3.4 points.", 1),
        ("fin. et suite", 1),
        ("Cf. R*. 12-3. Suite", 2),
        ("", 0),
    ],
)
def test_a_sentence_ends_where_a_reader_would_say(paragraph: str, count: int) -> None:
    assert len(sentences(paragraph)) == count
