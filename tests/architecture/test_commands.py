"""The commands' page is the program's own account of its verbs and options."""

import re
from pathlib import Path

import pytest

from albert.cli.reference import page, verbs

PAGE = Path(__file__).parents[2] / "docs" / "commandes.md"


def test_the_page_of_commands_is_as_the_program_writes_it() -> None:
    written = PAGE.read_text("utf-8")
    assert written == page(), "python -m albert.cli.reference > docs/commandes.md"


COMMAND = re.compile(
    r"(?:`|« |^|sudo )(?:\.venv/bin/)?albert (?:--env-file \S+ )?([a-z][^\n`»#]*)", re.MULTILINE
)
PAGES = [
    *(PAGE.parent / "deploiement").glob("*.md"),
    *(PAGE.parent / name for name in ("donnees-personnelles.md", "comptes.md", "models.md")),
]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_names_only_verbs_and_options_that_exist(path: Path) -> None:
    known = {name: {one for p in verb.params for one in p.opts} for name, verb in verbs()}
    every = {" ".join(name.split()[:n]) for name in known for n in (2, 3, 4)}
    for said in COMMAND.findall(path.read_text("utf-8")):
        words = ["albert", *said.split()]
        lengths = range(2, min(4, len(words)) + 1)
        longest = max((n for n in lengths if " ".join(words[:n]) in every), default=0)
        verb = " ".join(words[:longest])
        assert verb in known or longest == len(words), said
        options = {word for word in words[longest:] if re.fullmatch(r"--[a-z-]+", word)}
        assert options <= known.get(verb, set()) | {"--help"}, said


def test_every_option_of_every_verb_says_what_it_does() -> None:
    assert not [
        (name, param.name)
        for name, verb in verbs()
        for param in verb.params
        if not getattr(param, "hidden", False) and not getattr(param, "help", "")
    ]
