"""The addresses that a corpus and an operator make known."""

from pathlib import Path

import pytest

from albert.domain.documents import Contact, Institution, Link, Section, Sheet, SheetId, SourceName
from albert.domain.errors import SettingInvalid
from albert.guard.followed import FollowedWhitelist
from albert.guard.learning import learn
from albert.guard.whitelist import Whitelist, operators_list


def sheet(source: str = "service-public") -> Sheet:
    return Sheet(
        id=SheetId("F1"),
        source=SourceName(source),
        title="Passeport",
        url="https://www.service-public.fr/particuliers/vosdroits/F1",
        sections=(Section(text="Écrivez à aide@ville.fr ou appelez le 01 99 00 00 00."),),
        contacts=(Contact(title="34 01 - Titres", url="https://ants.gouv.fr/contact"),),
        links=(Link(relation="web", target="https://lien.fr/page"),),
    )


INSTITUTION = Institution(
    name="Mairie", urls=("http://ville.fr/",), phones=("04 00 00 00 00",), mails=("M@ville.fr",)
)
LEARNT = learn([sheet()], [INSTITUTION], made_from="v1")


def test_pages_links_texts_contacts_and_institutions_are_known() -> None:
    pages = ("service-public.fr/particuliers/vosdroits/F1", "ants.gouv.fr/contact", "lien.fr/page")
    assert all(LEARNT.knows("url", key) for key in (*pages, "ville.fr"))
    assert all(LEARNT.knows("mail", key) for key in ("aide@ville.fr", "m@ville.fr"))
    assert all(LEARNT.knows("number", key) for key in ("0199000000", "3401", "0400000000", "15"))
    assert not LEARNT.knows("number", "3402")


def test_the_home_page_is_known_of_official_hosts_only() -> None:
    assert LEARNT.knows("url", "ants.gouv.fr")
    assert not LEARNT.knows("url", "lien.fr")


def test_what_citizens_write_makes_nothing_known() -> None:
    assert learn([sheet("experiences")], [], made_from="v1").counts == {
        "url": 0,
        "mail": 0,
        "number": 0,
    }


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    LEARNT.save(tmp_path / "whitelist")
    assert Whitelist.load(tmp_path / "whitelist") == LEARNT
    assert [path.name for path in tmp_path.iterdir()] == ["whitelist"]


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]\n", b'{"format": 1}\nabc', b"\xff\xfe"])
def test_a_damaged_file_knows_nothing_and_is_made_again(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "whitelist").write_bytes(content)
    assert Whitelist.load(tmp_path / "whitelist") == Whitelist()


def test_a_new_file_is_followed(tmp_path: Path) -> None:
    followed = FollowedWhitelist(tmp_path / "whitelist")
    assert not followed.current().knows("url", "lien.fr/page")
    LEARNT.save(tmp_path / "whitelist")
    assert followed.current().knows("url", "lien.fr/page")


def test_the_operators_list_adds_to_it(tmp_path: Path) -> None:
    own = tmp_path / "liste.txt"
    own.write_text("# les nôtres\n\nhttps://www.ville.fr/a#b\nA@b.fr  # accueil\n01.02 03 04 05\n")
    assert operators_list(own) == {
        "url": {"ville.fr/a"},
        "mail": {"a@b.fr"},
        "number": {"0102030405"},
    }
    assert FollowedWhitelist(tmp_path / "none", own=str(own)).current().knows("mail", "a@b.fr")


def test_a_line_that_is_no_address_is_named(tmp_path: Path) -> None:
    own = tmp_path / "liste.txt"
    own.write_text("https://ville.fr\nla mairie\n")
    with pytest.raises(SettingInvalid, match="ligne 2 : 'la mairie'"):
        operators_list(own)


def test_a_missing_list_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match="ALBERT_WHITELIST"):
        operators_list(tmp_path / "rien.txt")
