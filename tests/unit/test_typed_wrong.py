"""A command line that is typed wrong: one French sentence; and its help, in French too."""

import sys

import pytest

from albert.cli.french import start
from albert.cli.main import program


def typed(monkeypatch: pytest.MonkeyPatch, line: str) -> int:
    words = line.split()
    monkeypatch.setattr(sys, "argv", ["albert", *words])
    return start(program(words[:1]))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("nimporte", "« nimporte » n'est pas une commande : voyez « albert --help »."),
        ("deploy non", "« non » n'est pas une commande : voyez « albert deploy --help »."),
        (
            "corpus status",
            (
                "« status » n'est pas une commande, vouliez-vous dire stats : "
                "voyez « albert corpus --help »."
            ),
        ),
        ("deploy render", "Il manque ENV : voyez « albert deploy render --help »."),
        ("deploy systemd", "Il manque --env-file : voyez « albert deploy systemd --help »."),
        ("deploy render a b", "« b » est de trop : voyez « albert deploy render --help »."),
        (
            "deploy render a --outptu b",
            (
                "--outptu n'est pas une option, vouliez-vous dire --output : "
                "voyez « albert deploy render --help »."
            ),
        ),
        ("deploy render a --output", "--output veut une valeur."),
        (
            "deploy logs a --tail x",
            (
                "--tail ne peut valoir cela, il faut un nombre entier, au moins 0 : "
                "voyez « albert deploy logs --help »."
            ),
        ),
        (
            "deploy test http://a --part non",
            (
                "--part ne peut valoir cela, il faut api ou llm ou embeddings : "
                "voyez « albert deploy test --help »."
            ),
        ),
        (
            "doctor --host-role non",
            (
                "--host-role ne peut valoir cela, il faut api ou llm ou embeddings : "
                "voyez « albert doctor --help »."
            ),
        ),
        (
            "deploy release main --only non",
            (
                "--only ne peut valoir cela, il faut llm ou api : "
                "voyez « albert deploy release --help »."
            ),
        ),
    ],
)
def test_what_is_typed_wrong_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str, told: str
) -> None:
    assert typed(monkeypatch, line) == 2
    assert capsys.readouterr() == ("", f"Erreur : {told}\n")


ENGLISH = ("Usage:", "Options:", "Arguments:", "Show this message", "required", "<str>", "<int")


@pytest.mark.parametrize("line", ["deploy render -h", "deploy logs --help"])
def test_the_help_is_in_french(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    assert typed(monkeypatch, line) == 0
    said = capsys.readouterr().out
    assert "Usage : albert deploy" in said
    assert "Montre cette aide." in said
    assert not [word for word in ENGLISH if word in said]


def test_a_group_without_a_command_shows_those_it_has(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(monkeypatch, "deploy gpu") == 2
    said = capsys.readouterr().err
    assert "Commandes :" in said
    assert "unlink" in said
