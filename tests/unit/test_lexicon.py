"""Acronyms are mined from what sheets explain; questions are put in the sheets' words."""

from __future__ import annotations

from pathlib import Path

import pytest

from albert.domain.documents import Section, Sheet, SheetId, SourceName, Term
from albert.lexicon.acronyms import agrees, found_in, mine
from albert.lexicon.followed import FollowedLexicon
from albert.lexicon.lexicon import Acronym, Familiar, Lexicon, load, written_by_hand


def a_sheet(*terms: Term, title: str = "Fiche", text: str = "") -> Sheet:
    return Sheet(
        id=SheetId("F1"),
        source=SourceName("service-public"),
        title=title,
        url="",
        sections=(Section(text=text),),
        terms=terms,
    )


@pytest.mark.parametrize(
    ("letters", "meaning"),
    [
        ("rsa", "revenu de solidarite active"),
        ("caf", "caisse d allocations familiales"),
        ("pacs", "pacte civil de solidarite"),
        ("dom", "departements d outre mer"),
        ("paca", "provence alpes cote d azur"),
    ],
)
def test_letters_agree_with_the_beginnings_of_the_words(letters: str, meaning: str) -> None:
    assert agrees(letters, meaning.split())


@pytest.mark.parametrize(
    ("letters", "meaning"),
    [("caf", "cas general"), ("msa", "regime agricole"), ("fph", "hospitaliere"), ("rsa", "")],
)
def test_letters_that_begin_no_word_do_not_agree(letters: str, meaning: str) -> None:
    assert not agrees(letters, meaning.split())


def test_the_long_form_is_the_end_of_what_stands_before_the_brackets() -> None:
    found = list(found_in("Vous percevez l'allocation aux adultes handicapés (AAH)"))
    assert found == [("AAH", "allocation aux adultes handicapés", 1)]


def test_the_long_form_may_stand_in_the_brackets() -> None:
    found = list(found_in("Le RSA (revenu de solidarité active) est versé"))
    assert found == [("RSA", "revenu de solidarité active", 1)]


def test_a_remark_in_brackets_is_no_acronym() -> None:
    assert list(found_in("Régime agricole (MSA) ou Logement (appartement ou maison)")) == []


def test_the_most_frequent_meaning_comes_first_and_a_plural_is_no_other() -> None:
    cap = [Term(term="CAP", meaning="Commission administrative paritaire", kind="acronym")] * 3
    cap += [Term(term="CAP", meaning="Commissions administratives paritaires", kind="acronym")]
    cap += [Term(term="CAP", meaning="Certificat d'aptitude professionnelle", kind="acronym")]
    assert mine([a_sheet(*cap)]).acronyms["CAP"].meanings == (
        "Commission administrative paritaire",
        "Certificat d'aptitude professionnelle",
    )


def test_letters_that_the_corpus_uses_as_a_word_are_ordinary() -> None:
    plus = a_sheet(title="Prêt locatif à usage social (PLUS)", text="plus ou moins, plus " * 3)
    assert mine([plus]).acronyms["PLUS"].ordinary


LEXICON = Lexicon(
    [
        Acronym("RSA", ("Revenu de solidarité active",)),
        Acronym("PLUS", ("Prêt locatif à usage social",), ordinary=True),
    ],
    [
        Familiar("jsuis", "je suis"),
        Familiar("boîte", "entreprise", kept=True),
        Familiar("fiche de paie", "bulletin de paie"),
    ],
)


@pytest.mark.parametrize(
    ("question", "expanded"),
    [
        ("ai-je droit au rsa ?", "ai-je droit au rsa ? Revenu de solidarité active"),
        ("le revenu de solidarite active", "le revenu de solidarite active RSA"),
        ("RSA ou revenu de solidarité active", "RSA ou revenu de solidarité active"),
        ("je veux plus", "je veux plus"),
        ("un PLUS", "un PLUS Prêt locatif à usage social"),
        ("J'EN VEUX PLUS", "J'EN VEUX PLUS"),
        ("Jsuis dans une boîte.", "je suis dans une boîte entreprise."),
        ("ma fiche de paie", "ma bulletin de paie"),
        ("", ""),
    ],
)
def test_a_question_is_put_in_the_words_of_the_sheets(question: str, expanded: str) -> None:
    assert LEXICON.expand(question) == expanded


def test_a_lexicon_is_read_back_as_it_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "lexicon.json"
    LEXICON.save(path)
    again = load(path)
    assert (again.acronyms, again.familiar) == (LEXICON.acronyms, LEXICON.familiar)


def test_of_two_lexicons_the_first_has_the_first_word() -> None:
    other = Lexicon([Acronym("RSA", ("régime simplifié agricole",)), Acronym("UE", ("Union",))])
    merged = LEXICON.merged(other).acronyms
    assert merged["RSA"].meanings == ("Revenu de solidarité active", "régime simplifié agricole")
    assert set(merged) == {"RSA", "PLUS", "UE"}


def test_the_lexicon_that_ships_says_each_thing_once() -> None:
    shipped = written_by_hand()
    said = [entry.says for entry in shipped.familiar]
    assert len(said) == len(set(said)) > 100
    assert shipped.acronyms["CPAM"].meanings == ("caisse primaire d'assurance maladie",)


def test_a_lexicon_that_was_replaced_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "lexicon.json"
    followed = FollowedLexicon(path)
    assert followed.expand("GRPZ") == "GRPZ"
    Lexicon([Acronym("GRPZ", ("groupement",))]).save(path)
    assert followed.expand("GRPZ") == "GRPZ groupement"
    path.unlink()
    assert followed.expand("GRPZ") == "GRPZ groupement"
