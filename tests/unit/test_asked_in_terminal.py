"""What the commands ask in a terminal, and the answers they take."""

import io
import os
import pty
import subprocess
import sys

import pytest

from albert.cli.console import confirmed


@pytest.mark.parametrize("typed", ["o", "oui", "Oui", "y", "yes", " o "])
def test_what_cannot_be_undone_is_confirmed_by_a_yes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{typed}\n"))
    assert confirmed("Effacer camille ?")
    assert capsys.readouterr() == ("", "Effacer camille ? [o/N] ")


@pytest.mark.parametrize("typed", ["\n", "n\n", "non\n", "ok\n", ""])
def test_any_other_answer_is_no(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert not confirmed("Effacer camille ?")


FIRST, AGAIN = "Mot de passe : ", "Le même, encore : "
ASK = "from albert.cli.console import new_password; print('pris :', new_password())"


def test_a_password_is_asked_again_until_it_is_twice_the_same() -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", ASK]
    with (
        os.fdopen(ours, "r+b", buffering=0) as terminal,
        subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        ) as asking,
    ):
        os.close(theirs)
        said = b""
        for prompt, typed in [(FIRST, "un"), (AGAIN, "deux"), (FIRST, "trois"), (AGAIN, "trois")]:
            while not said.endswith(prompt.encode()):
                said += terminal.read(1)
            terminal.write(f"{typed}\n".encode())
        while not said.endswith(b"pris : trois\r\n"):
            said += terminal.read(1)
    assert asking.returncode == 0
    assert said.decode().splitlines() == [
        FIRST,
        AGAIN,
        "Les deux mots de passe diffèrent : recommencez.",
        FIRST,
        AGAIN,
        "pris : trois",
    ]
