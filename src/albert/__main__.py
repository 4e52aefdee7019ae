"""Where the programs ``albert`` and ``pyalbert`` begin and end; ``python -m albert`` too.

It imports next to nothing itself: Ctrl-C is one word and status 130 whenever it comes, while
the program still imports its parts and while Python clears up after it.
"""

import os
import signal
import sys
from collections.abc import Callable

_STOPPED = 130  # 128 + SIGINT, as shells say it


def main() -> None:
    """Run ``albert``."""
    _run(_albert)


def earlier() -> None:
    """Run ``pyalbert``."""
    _run(_pyalbert)


def _albert() -> None:
    from albert.cli.main import main

    main()


def _pyalbert() -> None:
    from albert.cli.earlier import main

    main()


def _run(program: Callable[[], None]) -> None:
    try:
        program()
    except KeyboardInterrupt:
        print("Interrompu.", file=sys.stderr)  # noqa: T201 -- the console is not imported yet
        sys.exit(_STOPPED)
    finally:
        if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # as a shell has it behind « & »
            signal.signal(signal.SIGINT, lambda *_: os._exit(_STOPPED))


if __name__ == "__main__":
    main()
