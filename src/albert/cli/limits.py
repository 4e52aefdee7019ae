"""``albert limits``, ``albert user limits``: how much accounts may ask of the models."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import orjson
import typer

from albert.api.database.engine import Database
from albert.api.features.limits.administration import said_limits, say_limits, unsay_limits
from albert.api.features.limits.ledger import KINDS, Kind
from albert.api.features.limits.rules import UNLIMITED, Bound, read_rules
from albert.api.features.limits.tables import Limit
from albert.cli.console import say, show, write
from albert.cli.on_database import account_of, on_database
from albert.domain.errors import RequestError
from albert.settings import load

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Les limites des rôles et des comptes, sur la base des réglages. "
    "Par exemple : albert limits set member --requests-minute 60 --tokens-day 200000",
)


class Role(StrEnum):
    member = "member"
    admin = "admin"


_WORDS = {"illimité": UNLIMITED, "illimite": UNLIMITED, "défaut": None, "defaut": None}
_MOST = 10**15
_NAMES: Mapping[Kind, str] = {
    "requests_minute": "requêtes/minute",
    "requests_day": "requêtes/jour",
    "tokens_minute": "jetons/minute",
    "tokens_day": "jetons/jour",
    "streams": "flux",
}


def _option(name: str, said: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        f"--{name}", metavar="NOMBRE", help=f"{said} : un nombre, « illimité » ou « défaut »."
    )
    return option


Said = str | None
RequestsMinute = Annotated[Said, _option("requests-minute", "Requêtes par minute")]
RequestsDay = Annotated[Said, _option("requests-day", "Requêtes par jour")]
TokensMinute = Annotated[Said, _option("tokens-minute", "Jetons par minute")]
TokensDay = Annotated[Said, _option("tokens-day", "Jetons par jour")]
Streams = Annotated[Said, _option("streams", "Réponses en flux à la fois")]
Model = Annotated[
    str, typer.Option("--model", metavar="NOM", help="De ce modèle seul, non de tous ensemble.")
]
Clear = Annotated[bool, typer.Option("--clear", help="Oublie d'abord tout ce qui était dit.")]
AsJson = Annotated[bool, typer.Option("--json", help="En JSON.")]


@app.command("show")
def show_limits(as_json: AsJson = False) -> None:
    """Montre tout ce qui est dit : des rôles d'abord, puis des comptes."""
    rows = [
        {"role": limit.role, "user": name, "model": limit.model or None, **_numbers(limit)}
        for limit, name in on_database(said_limits)
    ]
    if as_json:
        show(orjson.dumps(rows).decode())
        return
    for row in rows:
        whose = f"rôle {row['role']}" if row["role"] else f"compte {row['user']}"
        told = ", ".join(f"{_NAMES[k]} : {_told(row[k])}" for k in KINDS if row[k] is not None)
        write(f"{whose}\t{row['model'] or 'tous les modèles'}\t{told}\n")
    if not rows:
        say("Aucune limite.")


@app.command("set")
def set_limits(
    role: Annotated[Role, typer.Argument(metavar="rôle", help="member ou admin.")],
    model: Model = "",
    requests_minute: RequestsMinute = None,
    requests_day: RequestsDay = None,
    tokens_minute: TokensMinute = None,
    tokens_day: TokensDay = None,
    streams: Streams = None,
    clear: Clear = False,
) -> None:
    """Dit les limites de chaque compte d'un rôle ; ce qui n'est pas nommé reste comme il était."""
    numbers = _read((requests_minute, requests_day, tokens_minute, tokens_day, streams))
    _refuse_nothing(numbers, clear=clear)
    limited = _resolved(model)

    async def act(database: Database) -> None:
        await _change(database, role.value, limited, numbers, clear=clear)

    on_database(act)
    say(f"Les limites du rôle {role.value} sont changées, partout, dès maintenant.")


def user_limits(
    login: Annotated[str, typer.Argument(metavar="compte", help="Nom d'utilisateur, ou adresse.")],
    model: Model = "",
    requests_minute: RequestsMinute = None,
    requests_day: RequestsDay = None,
    tokens_minute: TokensMinute = None,
    tokens_day: TokensDay = None,
    streams: Streams = None,
    clear: Clear = False,
    as_json: AsJson = False,
) -> None:
    """Montre les limites qui valent pour un compte, ou en dit qui passent avant son rôle."""
    numbers = _read((requests_minute, requests_day, tokens_minute, tokens_day, streams))
    limited = _resolved(model)

    async def act(database: Database) -> tuple[Bound, ...]:
        user = await account_of(database, login)
        if numbers or clear:
            await _change(database, user.id, limited, numbers, clear=clear)
        rules = await read_rules(database)
        return rules.bounds(user.id, is_admin=user.is_admin, model=limited)

    bounds = on_database(act)
    if as_json:
        show(orjson.dumps([bound._asdict() for bound in bounds]).decode())
        return
    for bound in bounds:
        write(f"{bound.model or 'tous les modèles'}\t{_NAMES[bound.kind]}\t{bound.most}\n")
    if not bounds:
        say("Aucune limite.")


def _resolved(model: str) -> str:
    """Return the model's own name, under which calls are counted; remark what is not that.

    Raises:
        TableInvalid, SettingInvalid, ModelFileInvalid: there is a table, and it is wrong.
    """
    if not model:
        return ""
    from albert.bootstrap.table import table_of  # half a second, for who names a model
    from albert.inference.e5 import E5Embedder
    from albert.routing.rules import EXTRACTION

    found = table_of(load()).find(model)
    if found is not None and found.name != model:
        say(f"« {model} » est un autre nom de « {found.name} » : c'est lui qui est compté.")
        return found.name
    if found is None and model not in (EXTRACTION, E5Embedder.model):
        say(f"« {model} » n'est pas dans la table de routage : vérifiez ce nom.")
    return model


async def _change(
    database: Database,
    whose: str | int,
    model: str,
    numbers: Mapping[Kind, int | None],
    *,
    clear: bool,
) -> None:
    if clear:
        await unsay_limits(database, whose)
    if numbers:
        await say_limits(database, whose, model, numbers)


def _read(said: tuple[Said, ...]) -> dict[Kind, int | None]:
    return {
        kind: _number(kind, word)
        for kind, word in zip(KINDS, said, strict=True)
        if word is not None
    }


def _number(kind: Kind, word: str) -> int | None:
    if word.lower() in _WORDS:
        return _WORDS[word.lower()]
    if not word.isascii() or not word.isdigit() or int(word[:20]) > _MOST:
        raise RequestError(
            f"--{kind.replace('_', '-')} ne peut pas valoir {word!r} : il faut un nombre entier "
            f"jusqu'à {_MOST}, « illimité », ou « défaut »."
        )
    return int(word)


def _refuse_nothing(numbers: Mapping[Kind, int | None], *, clear: bool) -> None:
    if not numbers and not clear:
        raise RequestError("Rien à changer : nommez une limite, par exemple --requests-minute 60.")


def _numbers(limit: Limit) -> dict[Kind, int | None]:
    return {kind: getattr(limit, kind) for kind in KINDS}


def _told(most: object) -> str:
    return "illimité" if most == UNLIMITED else str(most)
