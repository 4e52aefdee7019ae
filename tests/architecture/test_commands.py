"""The commands' page is the program's own account of its verbs and options."""

from pathlib import Path

from albert.cli.reference import page, verbs

PAGE = Path(__file__).parents[2] / "docs" / "commandes.md"


def test_the_page_of_commands_is_as_the_program_writes_it() -> None:
    written = PAGE.read_text("utf-8")
    assert written == page(), "python -m albert.cli.reference > docs/commandes.md"


def test_every_option_of_every_verb_says_what_it_does() -> None:
    assert not [
        (name, param.name)
        for name, verb in verbs()
        for param in verb.params
        if not getattr(param, "hidden", False) and not getattr(param, "help", "")
    ]
