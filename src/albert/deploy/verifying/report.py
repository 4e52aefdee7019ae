"""Checks made one after the other, and what came of each."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

from albert.client.errors import ApiError
from albert.domain.errors import AlbertError

Outcome = Literal["passed", "failed", "skipped"]


class Failed(Exception):
    """The service does not do what it should; says what it did, never a secret."""


class Skipped(Exception):
    """Nothing can be concluded here; says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that should be so; ``ask`` returns what it saw."""

    name: str
    ask: Callable[[], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    outcome: Outcome
    detail: str
    seconds: float


async def made(checks: Iterable[Check], told: Callable[[Result], None]) -> tuple[Result, ...]:
    """Make the checks in order, telling each result as it comes; none stops the others.

    ``checks`` may be a generator: what a check finds can decide on the next.
    """
    results = []
    for check in checks:
        began = time.monotonic()
        outcome, detail = await _outcome(check)
        result = Result(check.name, outcome, detail, time.monotonic() - began)
        told(result)
        results.append(result)
    return tuple(results)


async def _outcome(check: Check) -> tuple[Outcome, str]:
    try:
        return "passed", await check.ask()
    except Skipped as reason:
        return "skipped", str(reason)
    except Failed as reason:
        return "failed", str(reason)
    except ApiError as refused:
        return "failed", f"{refused.status} : {refused}"
    except AlbertError as error:
        return "failed", str(error)
    except (LookupError, TypeError, AttributeError, ValueError):  # of JSON that has another shape
        return "failed", "La réponse n'est pas dans la forme attendue."


def junit(suite: str, results: Iterable[Result]) -> bytes:
    """Return the results as GitLab reads them: a JUnit ``testsuite``, in UTF-8."""
    results = tuple(results)
    counted = {kind: sum(r.outcome == kind for r in results) for kind in ("failed", "skipped")}
    root = ElementTree.Element(
        "testsuite",
        name=suite,
        tests=str(len(results)),
        failures=str(counted["failed"]),
        skipped=str(counted["skipped"]),
        errors="0",
        time=f"{sum(result.seconds for result in results):.3f}",
    )
    for result in results:
        case = ElementTree.SubElement(
            root, "testcase", classname=suite, name=result.name, time=f"{result.seconds:.3f}"
        )
        if result.outcome == "passed":
            ElementTree.SubElement(case, "system-out").text = _printable(result.detail)
        else:
            tag = "failure" if result.outcome == "failed" else "skipped"
            ElementTree.SubElement(case, tag, message=_printable(result.detail))
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _printable(text: str) -> str:
    """Return what XML may hold of a text that came from elsewhere."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
