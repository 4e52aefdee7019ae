"""The addresses that a corpus holds: its pages, what they link to, what their text says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from albert.domain.documents import Institution, Sheet, SourceName
from albert.guard import mails, phones, urls
from albert.guard.contract import Kind
from albert.guard.recognise import addresses, stripped
from albert.guard.whitelist import Whitelist

UNTRUSTED = frozenset({SourceName("experiences")})
"""Citizens' messages: anybody may have written an address there."""

_OFFICIAL = re.compile(r"(?:.+\.)?(?:gouv|service-public|legifrance|ameli|caf)\.fr")
_TITLED = re.compile(r"(?:^|- )(\d{2,3}(?: ?\d{2,3})?)(?= -|$| [A-ZÉ])")
"""A contact is titled "Samu - 15", "34 00 - Passeport", "3939 Allô Service Public"."""


_WORTH_READING = re.compile(
    r"[@+]|//|www|[^\W_]\.[a-z]{2,4}\b|\b0[ .]?[1-9]|\b(?:appel|t[ée]l|num|compos|contact|sms)",
    re.IGNORECASE,
)
"""What any address that ``addresses`` can find in a line comes with."""


class _Learner:
    def __init__(self) -> None:
        self.keys: dict[Kind, set[str]] = {"url": set(), "mail": set(), "number": set()}
        self._met: set[tuple[str, bool]] = set()

    def page(self, address: str, *, with_home: bool) -> None:
        """Learn a page; with the home page of its host, where that is an official one."""
        if (address, with_home) in self._met:
            return
        self._met.add((address, with_home))
        _, mailto, mailbox = address.partition("mailto:")  # some are made pages by their publisher
        if mailto:
            self.keys["mail"].add(mails.key(mailbox.partition("?")[0].strip()))
        elif key := urls.key(address.strip()):
            self.keys["url"].add(key)
            host = urls.host_of(key)
            if with_home or _OFFICIAL.fullmatch(host):
                self.keys["url"].add(host)

    def text(self, text: str) -> None:
        for line in text.split("\n"):
            if _WORTH_READING.search(line):
                self._line(line)

    def _line(self, line: str) -> None:
        for found in addresses(line):
            if found.kind == "number":
                self.keys["number"].add(phones.key(found.written))
            elif found.kind == "mail":
                self.keys["mail"].add(mails.key(found.written))
            else:
                *_, shortest = stripped(found.written)
                self.page(shortest, with_home=False)

    def sheet(self, sheet: Sheet) -> None:
        self.page(sheet.url, with_home=True)
        for service in sheet.web_services:
            self.page(service.url, with_home=True)
        for contact in sheet.contacts:
            self.page(contact.url, with_home=True)
            self.keys["number"].update(phones.key(n) for n in _TITLED.findall(contact.title))
        for question in sheet.related_questions:
            self.page(question.url, with_home=True)
        for link in sheet.links:
            if link.relation in ("web", "law"):
                self.page(link.target, with_home=False)
        for said in _said(sheet):
            self.text(said)

    def institution(self, institution: Institution) -> None:
        for url in institution.urls:
            self.page(url, with_home=True)
        self.keys["mail"].update(map(mails.key, institution.mails))
        self.keys["number"].update(map(phones.key, institution.phones))


def _said(sheet: Sheet) -> Iterator[str]:
    yield from (sheet.title, sheet.description, sheet.introduction, sheet.warning)
    for section in sheet.sections:
        yield from section.headings
        yield section.text
    for contact in sheet.contacts:
        yield contact.title


def learn(
    sheets: Iterable[Sheet], institutions: Iterable[Institution], *, made_from: str
) -> Whitelist:
    """Return what a corpus makes known; ``made_from`` is what the corpus was made from."""
    learner = _Learner()
    for sheet in sheets:
        if sheet.source not in UNTRUSTED:
            learner.sheet(sheet)
    for institution in institutions:
        learner.institution(institution)
    return Whitelist.of(learner.keys, made_from=made_from)
