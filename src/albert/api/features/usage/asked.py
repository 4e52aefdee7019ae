"""What a report of usage is asked: from when to when, of whom, by what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, get_args
from urllib.parse import parse_qsl

from albert.asgi.problems import Problem, invalid

Group = Literal["day", "model", "user", "operation", "status"]
GROUPS: tuple[Group, ...] = get_args(Group)
DAY_AND_MODEL: tuple[Group, ...] = ("day", "model")
EVERYBODY = "*"
_DAYS = 30
_LONGEST = 366
_KNOWN = ("from", "to", "model", "user", "group_by")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """From ``since``, up to and without ``until``."""

    since: datetime
    until: datetime
    model: str = ""
    user: str = ""
    """A name or an address; empty: one's own; ``*``: everybody's."""
    by: tuple[Group, ...] = DAY_AND_MODEL


def asked(query: bytes, now: datetime) -> Asked:
    """Read a query string.

    Raises:
        Problem: 400, with the parameter at fault.
    """
    given: dict[str, str] = {}
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=20)
    except (UnicodeDecodeError, ValueError):
        raise Problem(400, "Les paramètres de l'adresse sont illisibles.") from None
    for name, value in pairs:
        if name not in _KNOWN:
            known = ", ".join(_KNOWN)
            raise invalid(f"Le paramètre {name!r} n'existe pas ici : il y a {known}.", name)
        if name in given:
            raise invalid(f"« {name} » est donné deux fois.", name)
        given[name] = value
    until = moment(given["to"], "to", end=True) if "to" in given else now
    since = (
        moment(given["from"], "from")
        if "from" in given
        else datetime.combine((until - timedelta(days=_DAYS)).date(), time(), UTC)
    )
    _check(since, until)
    model, user = (_filled(given, name) for name in ("model", "user"))
    by = groups(given["group_by"]) if "group_by" in given else DAY_AND_MODEL
    return Asked(since=since, until=until, model=model, user=user, by=by)


def moment(said: str, name: str, *, end: bool = False) -> datetime:
    """Read a day, or a moment; of a day that ends a period, its end. UTC unless it is said.

    Raises:
        Problem: 400
    """
    try:
        if len(said) == len("2026-01-31"):
            day = datetime.combine(date.fromisoformat(said), time(), UTC)
            return day + timedelta(days=1) if end else day
        found = datetime.fromisoformat(said.replace(" ", "+"))  # a « + » that was not escaped
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise invalid(
            f"« {name} » doit être une date comme 2026-01-31 ou 2026-01-31T08:00:00Z, "
            f"et non {said!r}.",
            name,
        ) from None


def groups(said: str) -> tuple[Group, ...]:
    """Read ``"day,model"``.

    Raises:
        Problem: 400
    """
    names = [name.strip() for name in said.split(",")]
    for name in names:
        if name not in GROUPS:
            raise invalid(
                f"« group_by » ne connaît pas {name!r} : choisissez parmi {', '.join(GROUPS)}.",
                "group_by",
            )
    return tuple(group for group in GROUPS if group in names)


def _check(since: datetime, until: datetime) -> None:
    if since >= until:
        raise invalid("« from » doit être avant « to ».", "from")
    if until - since > timedelta(days=_LONGEST):
        raise invalid(f"La période est trop longue : {_LONGEST} jours au plus.", "from")


def _filled(given: dict[str, str], name: str) -> str:
    value = given.get(name)
    if value is not None and (not value or "\0" in value):
        raise invalid(f"« {name} » est vide, ou contient un caractère nul.", name)
    return value or ""
