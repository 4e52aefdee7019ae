"""The terminal: what is said, where, and how work in progress is shown."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getpass

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

OUT = Console(highlight=False, soft_wrap=True)
ERR = Console(stderr=True, highlight=False, soft_wrap=True)
"""Progress and remarks: the standard output is for what was asked."""

_WIDE = 1000


def say(text: str) -> None:
    """Print a remark, as it is."""
    ERR.print(text, markup=False)


def show(text: str = "") -> None:
    """Print an answer, as it is."""
    OUT.print(text, markup=False)


def lay(table: Table) -> None:
    """Print a table as wide as it is: in a narrow terminal or a pipe, nothing of it is cut."""
    Console(width=_WIDE, highlight=False).print(table)


def write(text: str) -> None:
    """Print a piece of an answer at once, without ending the line."""
    sys.stdout.write(text)
    sys.stdout.flush()


def confirmed(question: str) -> bool:
    """Ask in the terminal before what cannot be undone; anything but « o », « oui » is no."""
    ERR.print(f"{question} [o/N] ", markup=False, end="")
    return sys.stdin.readline().strip().lower() in {"o", "oui", "y", "yes"}


def new_password() -> str:
    """Ask for a password in the terminal, without showing it, until it is twice the same."""
    while (password := getpass("Mot de passe : ")) != getpass("Le même, encore : "):
        say("Les deux mots de passe diffèrent : recommencez.")
    return password


class Bar:
    """One line of progress; where there is no terminal, a line at its beginning and end."""

    def __init__(self, progress: Progress, label: str) -> None:
        self._progress, self._label = progress, label
        self._task = progress.add_task(label, total=None)
        self._silent = not ERR.is_terminal
        if self._silent:
            say(f"{label} …")

    def at(self, done: int, total: int | None, label: str | None = None) -> None:
        """Show how much is done of how much, if that is known."""
        self._progress.update(
            self._task, completed=done, total=total, description=label or self._label
        )


@contextmanager
def bar(label: str, *, in_bytes: bool = False) -> Iterator[Bar]:
    """Show a progress bar while the body runs."""
    amount: ProgressColumn = DownloadColumn() if in_bytes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=ERR, disable=not ERR.is_terminal) as progress:
        yield Bar(progress, label)
