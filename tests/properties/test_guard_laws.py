"""Laws of the guard, whatever a model writes and however it is cut."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from albert.domain.documents import Chunk, SheetId, SourceName
from albert.guard import mails, phones, urls
from albert.guard.contract import CHECK_OF, CHECKS, MASKS, Check, Finding, Kind
from albert.guard.recognise import addresses
from albert.guard.stream import GuardStream
from albert.guard.whitelist import Whitelist
from albert.guard.words import LIMIT, UNIT, as_read, seen

PAGES = (
    "https://www.service-public.fr/particuliers/vosdroits/F14929",
    "https://www.impots.gouv.fr/portail/formulaire/2042?annee=2020&a=1",
    "https://fr.wikipedia.org/wiki/Loi_(droit)",
    "http://www.demarches-plaisance.gouv.fr/",
    "https://www.impots.gouv.fr",
)
MAILS = ("contact@ville.fr", "dgt.cosp@travail.gouv.fr")
NUMBERS = ("01 42 77 06 56", "0800 130 000")
KNOWN = Whitelist.of(
    {
        "url": map(urls.key, PAGES),
        "mail": map(mails.key, MAILS),
        "number": map(phones.key, NUMBERS),
    }
)
CITED = Chunk(
    sheet=SheetId("F14929"),
    source=SourceName("service-public"),
    title="Passeport d'un majeur : première demande",
    url=f"{PAGES[0]}#:~:text=Cas%20g%C3%A9n%C3%A9ral",
    text="",
)

unknown_links = [
    "https://evil.com/a",
    "HTTPS://Evil.COM:8443/a?b=c#d",
    "https://www.service-public.fr/particuliers/vosdroits/F99999",
    "https://www.service-public.fr/F14929",
    "https://www.service-public.fr/passeport-majeur-premiere-demande",
    "https://service-public.fr@evil.com/x",
    "https://evil.com\\@service-public.fr",
    "https://www.impots.gouv.fr/portail/formulaire/2042?a=1&annee=2020",
    "https://www.impots.gouv.fr/portail/formulaire/2042?annee=2020&amp;a=1",
    "https://sеrvice-public.fr/",
    "https://xn--srvice-public-i4k.fr/a",
    "https://evil.com/%2e%2e/(a)",
    "www.evil.fr",
    "bidon.gouv.fr/page",
    "evil.fr",
    "//evil.com/x",
    "javascript:alert(1)",
    "data:text/html;base64,AAAA",
    "file:///etc/passwd",
    "ht\u200btps://evil.com",
    "ｅｖｉｌ．ｃｏｍ",
    "mailto:a@evil.com",
    "tel:+33199000000",
]
glue = [
    *" \n.,;:!?()[]<>*_'\"/\\|-«»@#&+=%",
    *("](", "[titre](", ")", "](<", ">)", "![", "\u200b", "\u00a0", "\u202f", "é", "…", "`", "//"),
]
french = ["le", "au", "Appelez le ", "Tél. : ", "numéro ", "l'", "n° ", "article L1234-5", "fin.Le"]
digits = ["0", "01", "23", "45", "39", "3939", "31 23", "116 117", "2024", "+33", "(0)", "1", "000"]
numbers = [
    "01 99 00 00 00",
    "01.99.00.00.00",
    "+33 (0)1 99 00 00 00",
    "0 899 12 34 56",
    "0033199000000",
]
near_mails = ["a@evil.com", "Contact@Ville.fr", "x@y", "a.b-c_d@sous.evil.fr."]
pieces = st.one_of(
    st.sampled_from([*unknown_links, *PAGES, *MAILS, *NUMBERS, *numbers, *near_mails]),
    st.sampled_from([*glue, *french, *digits]),
    st.text(max_size=3),
)
texts = st.lists(pieces, max_size=14).map("".join)
runs = st.builds(
    lambda start, times: start * (80 * times),
    st.sampled_from(["a", "a.", "1", "é", ",", "a@", "/", "https://a", "1 "]),
    st.integers(0, 40),
)
long_texts = st.lists(st.one_of(pieces, runs), max_size=6).map("".join)
cuts = st.lists(st.integers(1, 9), max_size=40)
checks: st.SearchStrategy[frozenset[Check]] = st.frozensets(st.sampled_from(sorted(CHECKS)))


def guarded(
    text: str, sizes: list[int] | None = None, of: frozenset[Check] = CHECKS
) -> tuple[str, tuple[Finding, ...]]:
    """Guard a text, in pieces of these sizes over and over, or whole."""
    stream = GuardStream(KNOWN, [CITED], of)
    shown, place, turn = [], 0, 0
    while sizes and place < len(text):
        size = sizes[turn % len(sizes)]
        shown.append(stream.feed(text[place : place + size]))
        place, turn = place + size, turn + 1
    if not sizes:
        shown.append(stream.feed(text))
    return "".join([*shown, stream.end()]), stream.findings


@settings(max_examples=250)
@given(st.one_of(texts, long_texts), cuts, checks)
@example("Appelez le 01 99 00 00 00 24h/24", [1], CHECKS)
@example(f"{'a' * (LIMIT - 5)}evil.com/x", [1], CHECKS)
def test_a_guarded_stream_is_the_guarded_whole_however_it_is_cut(
    text: str, sizes: list[int], of: frozenset[Check]
) -> None:
    assert guarded(text, sizes, of) == guarded(text, None, of)


@settings(max_examples=250)
@given(texts)
@example("01 99 00 00 00+a@evil.comle")
def test_what_was_guarded_passes_as_it_is(text: str) -> None:
    once, _ = guarded(text)
    assert guarded(once) == (once, ())


def known(kind: Kind, written: str) -> bool:
    """Say by itself whether an address that was read in a guarded text is known."""
    if kind == "mail":
        return mails.key(written.removeprefix("mailto:")) in map(mails.key, MAILS)
    if kind == "number":
        return KNOWN.knows("number", phones.key(written))
    keys = set(map(urls.key, PAGES))
    return any(urls.key(written[:end]) in keys for end in range(len(written), 0, -1))


@settings(max_examples=250)
@given(st.one_of(texts, long_texts))
def test_no_unknown_address_survives(text: str) -> None:
    shown, _ = guarded(text)
    left = [each for word in UNIT.findall(shown) for each in addresses(as_read(seen(word)))]
    assert not [each for each in left if not known(each.kind, each.written)]


around = st.sampled_from(
    [("", ""), ("(", ")"), ("<", ">"), ("**", "**"), ("« ", " »"), ("[ici](", ")")]
)
ends = st.sampled_from(["", ".", ",", " ;", " !", ").", "…", "\n", "**."])


@given(st.lists(st.tuples(st.sampled_from([*PAGES, *MAILS]), around, ends), max_size=5), cuts)
def test_nothing_known_is_ever_masked(
    said: list[tuple[str, tuple[str, str], str]], sizes: list[int]
) -> None:
    text = " et ".join(f"{left}{what}{right}{end}" for what, (left, right), end in said)
    assert guarded(text, sizes) == (text, ())


@given(texts, checks)
def test_only_what_is_asked_is_checked(text: str, of: frozenset[Check]) -> None:
    _, findings = guarded(text, None, of)
    assert {CHECK_OF[finding.kind] for finding in findings} <= of


@given(texts)
def test_a_replacement_is_a_mask_or_a_known_page(text: str) -> None:
    _, findings = guarded(text)
    pages = set(map(urls.key, PAGES))
    assert all(
        finding.replaced_by == MASKS[finding.kind] or urls.key(finding.replaced_by) in pages
        for finding in findings
    )


@given(texts, st.sampled_from([" ", "\n"]))
def test_a_word_is_shown_as_soon_as_the_next_begins(text: str, blank: str) -> None:
    stream = GuardStream(KNOWN, [CITED])
    shown = stream.feed(f"{text}{blank}suite")
    assert shown == guarded(f"{text}{blank}")[0]


@settings(max_examples=20)
@given(st.sampled_from(["a", "https://evil.com/", "1", "a@", "0 1", "."]), st.integers(1, 64))
def test_little_is_held_back_of_an_endless_word(start: str, size: int) -> None:
    stream = GuardStream(KNOWN)
    fed, shown = len(start), len(stream.feed(start))
    for _ in range(20_000 // size):
        shown += len(stream.feed("a" * size))
        fed += size
    assert fed - shown <= 2 * LIMIT or stream.findings
    assert len(stream.end()) <= 2 * LIMIT
