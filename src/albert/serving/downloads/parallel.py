"""Several tasks at once, on threads that never outlive the program nor hold it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event, Thread

from albert.serving.downloads.partial import Stopped

_FAREWELL = 1.0  # seconds for a thread to hear that it is over; one that waits for a host may not


def run(tasks: Sequence[Callable[[], None]], *, threads: int, stop: Event) -> None:
    """Run the tasks in their order; the first failure sets ``stop``, and is raised.

    An executor would do, but the interpreter waits for its threads: Ctrl-C would take as long
    as a silent host's time.
    """
    waiting, failures = iter(tasks), list[BaseException]()

    def work() -> None:
        try:
            while not stop.is_set() and (task := next(waiting, None)) is not None:
                task()
        except BaseException as error:  # noqa: BLE001  # told below, by the thread that waits
            failures.append(error)
            stop.set()

    workers = [Thread(target=work, daemon=True) for _ in range(min(threads, len(tasks)))]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        stop.set()
        for worker in workers:
            worker.join(_FAREWELL)
    for failure in sorted(failures, key=lambda one: isinstance(one, Stopped)):
        raise failure
