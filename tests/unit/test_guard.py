"""What the guard makes of a model's text, case by case."""

import pytest

from albert.domain.documents import Chunk, SheetId, SourceName
from albert.guard import mails, phones, urls
from albert.guard.contract import Finding
from albert.guard.stream import GuardStream
from albert.guard.whitelist import Whitelist

PAGE = "https://www.service-public.fr/particuliers/vosdroits/F14929"
KNOWN = Whitelist.of(
    {
        "url": [urls.key(PAGE), "impots.gouv.fr", urls.key("https://a.fr/x?a=1&b=2")],
        "mail": [mails.key("contact@ville.fr")],
        "number": [phones.key("01 42 77 06 56")],
    }
)
CITED = Chunk(
    sheet=SheetId("F14929"),
    source=SourceName("service-public"),
    title="Passeport d'un majeur : première demande",
    url=f"{PAGE}#:~:text=Cas%20g%C3%A9n%C3%A9ral",
    text="",
)


def shown(text: str, *cited: Chunk) -> str:
    stream = GuardStream(KNOWN, cited)
    return stream.feed(text) + stream.end()


@pytest.mark.parametrize(
    "text",
    [
        # the same page, written otherwise
        f"Voir {PAGE}.",
        "Voir (http://service-public.fr/particuliers/vosdroits/F14929/#:~:text=Coût), puis",
        "HTTPS://WWW.Service-Public.FR:443/particuliers/vosdroits/F14929 !",
        f"Voir [la fiche]({PAGE}) et <{PAGE}> et **{PAGE}**",
        "impots.gouv.fr, www.impots.gouv.fr/ et https://www.impots.gouv.fr",
        "l'adresse contact@ville.fr. Ou Contact@Ville.fr",
        "au 01 42 77 06 56, au 01.42.77.06.56, au +33 (0)1 42 77 06 56, au 0142770656",
        # well-known short numbers
        "Appelez le 15, le 17, le 18, le 112, le 3939, le 39 39, le 116 117 ou le 119.",
        # what is no address at all
        "3000 €, 12,5 %, 1 000 000 €, 12h30, 2024, 01/02/2020, 01-02-2020 12, 75015 Paris",
        "article L1234-5, R. 123-4, loi n° 2020-1525, cerfa n° 12100*02, pourvoi 09-66132",
        "SIRET 012 345 678 00012, NIR 1 85 05 78 006 084 36, FR76 3000 6000 0112 3456 7890 189",
        "Appelez pendant 112 jours, pour 3000 euros ; le formulaire 3916.",
        "voir https:// et http: puis fin.Le début etc.) [1][2] et/ou 3.5.2 [1](2) (etc.)",
    ],
)
def test_what_is_known_or_is_no_address_is_left_alone(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    ("text", "made"),
    [
        # another page of a known host
        ("https://www.impots.gouv.fr/bidon.", "[URL MASQUÉE]."),
        # the order of a query matters
        ("https://a.fr/x?b=2&a=1", "[URL MASQUÉE]"),
        # hosts that imitate
        (f"https://service-public.fr@evil.com/{PAGE}", "[URL MASQUÉE]"),
        ("https://evil.com\\@service-public.fr", "[URL MASQUÉE]"),
        ("https://imp\u043ets.gouv.fr", "[URL MASQUÉE]"),
        ("https://impots.gouv.fr.evil.com (evil.fr)", "[URL MASQUÉE] ([URL MASQUÉE])"),
        ("ht\u200btps://evil.com", "[URL MASQUÉE]"),
        ("ｅｖｉｌ．ｃｏｍ", "[URL MASQUÉE]"),
        # schemes that no page has
        ("[x](javascript:alert(1)) <data:text/html,a>", "[x] ([URL MASQUÉE]) <[URL MASQUÉE]>"),
        ("[x](javascript&colon;alert(1))", "[x] ([URL MASQUÉE])"),
        # a link's text stays
        ("Voir [le site](https://evil.com).", "Voir [le site] ([URL MASQUÉE])."),
        (
            "[nous](mailto:a@evil.com) [ici](tel:0199000000)",
            "[nous] ([MAIL MASQUÉ]) [ici] ([NUMERO MASQUÉ])",
        ),
        ("![i](https://evil.com/p.png?x=1)", "![i] ([URL MASQUÉE])"),
        ("l'adresse:a.b@evil.com.", "l'adresse:[MAIL MASQUÉ]."),
        ("au 01 99 00 00 00 24h/24", "au [NUMERO MASQUÉ] 24h/24"),
        ("**0 899 12 34 56** (+33) 1 99 00 00 00", "**[NUMERO MASQUÉ]** [NUMERO MASQUÉ]"),
        ("bidon.fr/F2042 01 99 00 00 00", "[URL MASQUÉE] [NUMERO MASQUÉ]"),
        ("+32 2 123 45 67", "[NUMERO MASQUÉ]"),
        ("Appelez le 3123 ou le 118 999.", "Appelez le [NUMERO MASQUÉ] ou le [NUMERO MASQUÉ]."),
        # two masks make no link of Markdown
        ("0199000000(a/b)", "[NUMERO MASQUÉ] (a/b)"),
    ],
)
def test_what_is_unknown_is_masked(text: str, made: str) -> None:
    assert shown(text) == made


@pytest.mark.parametrize(
    "link",
    [
        # the page itself, under a query, another path, or its escapes
        f"{PAGE}?utm_source=x",
        "https://www.service-public.fr/F14929",
        "https://www.service-public.fr/particuliers/vosdroits/f14929",
        # the words of its title
        "https://www.service-public.fr/passeport-majeur-premiere-demande",
    ],
)
def test_a_cited_page_takes_the_place_of_a_link_that_surely_means_it(link: str) -> None:
    assert shown(f"Voir {link}.", CITED) == f"Voir {PAGE}."


def test_the_text_of_a_link_may_name_the_cited_page() -> None:
    text = "[Passeport d’un majeur : première demande](https://exemple.com/x)"
    assert shown(text, CITED) == f"[Passeport d’un majeur : première demande]({PAGE})"


@pytest.mark.parametrize(
    "text",
    ["https://www.service-public.fr/particuliers/vosdroits/F14930", "[Passeport](https://x.fr/a)"],
)
def test_a_page_that_is_merely_near_takes_no_place(text: str) -> None:
    assert "[URL MASQUÉE]" in shown(text, CITED)


def test_findings_tell_what_was_found_and_what_replaced_it() -> None:
    stream = GuardStream(KNOWN, [CITED])
    stream.feed(f"Voir evil.fr, {PAGE}?x ou a@evil.com. ")
    assert stream.findings == (
        Finding("url", "evil.fr", "[URL MASQUÉE]"),
        Finding("url", f"{PAGE}?x", PAGE),
        Finding("mail", "a@evil.com", "[MAIL MASQUÉ]"),
    )


def test_only_the_word_being_written_is_held_back() -> None:
    stream = GuardStream(KNOWN)
    pieces = ["Voir ", "le si", "te ", "https://ev", "il.com ", "ou 2024 et", " fin"]
    assert [stream.feed(piece) for piece in pieces] == [
        "Voir ",
        "le ",
        "site ",
        "",
        "[URL MASQUÉE] ",
        "ou 2024 ",
        "et ",
    ]


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("HTTP://www.Exemple.fr:80/A/?b=2&a=1#x", "exemple.fr/A?b=2&a=1"),
        ("https://exemple.fr:8443/caf%c3%a9/%7Ea", "exemple.fr:8443/caf%C3%A9/~a"),
        ("exemple.fr/café", "exemple.fr/caf%C3%A9"),
        ("https://génération.fr", "xn--gnration-b1ab.fr"),
        ("https://a@exemple.fr", ""),
        ("https://exemple.fr/../x", ""),
        ("ftp://exemple.fr", ""),
        ("https://exemple", ""),
    ],
)
def test_the_addresses_of_one_page_have_one_key(address: str, key: str) -> None:
    assert urls.key(address) == key
