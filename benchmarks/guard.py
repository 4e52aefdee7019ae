"""Guarding a stream, on one core: events a second, against merely passing them on.

    python benchmarks/guard.py                     # 20,000 pages known
    python benchmarks/guard.py --whitelist FILE    # the one that albert built

The text is as a model writes it, with links, mails, numbers, amounts and dates, cut in
tokens of 1 to 6 characters, links included. Wanted: at least 20,000 events a second.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

from albert.guard import urls
from albert.guard.stream import GuardStream
from albert.guard.whitelist import Whitelist

WANTED = 20_000
PAGE = "https://www.service-public.fr/particuliers/vosdroits/F{}"
TEXT = """
Pour renouveler votre passeport, vous devez vous rendre en **mairie** avec ces pièces [1] :

- une photo d'identité de moins de 6 mois ;
- un timbre fiscal de 86 €, à acheter sur https://timbres.impots.gouv.fr/pages/choixTimbres.jsp ;
- un justificatif de domicile de moins d'un an.

Le délai dépend de la période : en 2020, il était de 12 à 24 jours (article R. 123-4). Voyez
[la fiche du passeport](https://www.service-public.fr/particuliers/vosdroits/F21089), ou
https://www.service-public.fr/particuliers/vosdroits/F{}. Pour une question, appelez le 3939 ou le
01 99 00 00 00, ou écrivez à contact@exemple-inconnu.fr. Au-delà de 1 200,50 € par an, l'aide n'est
pas due ; en cas de refus, vous avez deux mois pour saisir le tribunal administratif [2][3].
"""
SENTENCE = "En cas de refus, vous avez deux mois pour saisir le tribunal administratif.\n"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--whitelist", type=Path, help="made by « albert whitelist build »")
    arguments.add_argument("--rounds", type=int, default=5)
    given = arguments.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    pages = [urls.key(PAGE.format(number)) for number in range(20_000)]
    known = Whitelist.load(given.whitelist) if given.whitelist else Whitelist.of({"url": pages})
    print(f"{len(known.digests)} addresses known")
    texts = {
        "links and numbers": "".join(TEXT.format(number) for number in range(100)),
        "plain sentences": SENTENCE * 1000,
    }
    for name, text in texts.items():
        events = cut(text)
        passed = max(speed(events, lambda: str) for _ in range(given.rounds))
        guarded = max(speed(events, lambda: GuardStream(known).feed) for _ in range(given.rounds))
        print(
            f"{name:>18}: {guarded:9,.0f} events/s guarded, {passed:11,.0f} passed on "
            f"({1e6 / guarded:.1f} us an event, {guarded / WANTED:.1f} times what is wanted)"
        )


def cut(text: str) -> list[str]:
    """Pieces of 1 to 6 characters, always the same."""
    draw = random.Random(1)
    pieces, place = [], 0
    while place < len(text):
        size = draw.randint(1, 6)
        pieces.append(text[place : place + size])
        place += size
    return pieces


def speed(events: list[str], make: Callable[[], Callable[[str], str]]) -> float:
    """Events a second, an answer of 400 events at a time, as answers are."""
    start = time.perf_counter()
    for first in range(0, len(events), 400):
        feed = make()
        for event in events[first : first + 400]:
            feed(event)
    return len(events) / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
