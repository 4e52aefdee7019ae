"""``albert user``: accounts and tokens from the shell, as the API does it."""

from __future__ import annotations

import secrets
import sys
from datetime import UTC
from typing import Annotated, TypeVar

import orjson
import typer

from albert.api.database.engine import Database
from albert.api.features.accounts import repository, resets, service
from albert.api.features.accounts.names import email_of, normal, username_of
from albert.api.features.accounts.passwords import check_form
from albert.api.features.accounts.repository import NewAccount
from albert.api.features.accounts.schemas import account as card
from albert.api.features.accounts.tables import User
from albert.api.features.privacy.erasure import erase as erase_account
from albert.api.features.tokens import service as tokens
from albert.api.mail.drivers import mailer_of
from albert.cli.console import confirmed, new_password, say, show, write
from albert.cli.limits import user_limits
from albert.cli.on_database import account_of, on_database
from albert.cli.start import place
from albert.domain.errors import AccountError, MailNotSent

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Les comptes, sur la base des réglages, que le service tourne ou non. "
    "Par exemple : albert user create camille camille@exemple.fr --admin --generate",
)

T = TypeVar("T")
Login = Annotated[str, typer.Argument(metavar="compte", help="Nom d'utilisateur, ou adresse.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Lit le mot de passe sur l'entrée standard.")
]
Generate = Annotated[
    bool, typer.Option("--generate", help="Tire un mot de passe au sort, et le montre une fois.")
]


app.command("limits")(user_limits)


@app.command("create")
def create(
    username: Annotated[str, typer.Argument(metavar="nom", help="Nom d'utilisateur, sans « @ ».")],
    email: Annotated[str, typer.Argument(metavar="adresse", help="Adresse électronique.")],
    admin: Annotated[bool, typer.Option("--admin", help="En fait un administrateur.")] = False,
    password_stdin: FromStdin = False,
    generate: Generate = False,
) -> None:
    """Crée un compte, accepté d'avance ; le mot de passe est demandé sans s'afficher."""
    try:
        name, address = username_of(username), email_of(email)
    except ValueError as error:
        raise AccountError(str(error)) from None
    password = _password(from_stdin=password_stdin, generated=generate)
    account = NewAccount(
        username=name, email=address, password_hash=None, is_confirmed=True, is_admin=admin
    )
    on_database(lambda database: service.sign_up(database, account, password))
    say(f"Le compte {name} est créé{', administrateur' if admin else ''}.")
    _show_generated(password, generate)


@app.command("confirm")
def confirm(login: Login) -> None:
    """Accepte un compte qui attend, et le lui dit par courriel."""
    _decide(login, accepted=True)


@app.command("decline")
def decline(login: Login) -> None:
    """Refuse un compte qui attend, et le lui dit par courriel."""
    _decide(login, accepted=False)


@app.command("list")
def list_users(
    pending: Annotated[
        bool, typer.Option("--pending", help="Seulement ceux qui attendent.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="En JSON.")] = False,
) -> None:
    """Liste les comptes : numéro, nom, adresse, état, rôle."""

    async def read(database: Database) -> list[User]:
        async with database.session() as session:
            return list(await repository.every(session))

    found = [user for user in on_database(read) if not pending or user.is_confirmed is None]
    if as_json:
        show(orjson.dumps([card(user).model_dump() for user in found]).decode())
        return
    for user in found:
        state = {None: "en attente", True: "accepté", False: "refusé"}[user.is_confirmed]
        role = "administrateur" if user.is_admin else "membre"
        write(f"{user.id}\t{user.username}\t{user.email}\t{state}\t{role}\n")
    if not found:
        say("Aucun compte.")


@app.command("token")
def token(
    login: Login,
    new: Annotated[str, typer.Option("--new", metavar="NOM", help="Crée un jeton.")] = "",
    revoke: Annotated[str, typer.Option("--revoke", metavar="NOM", help="Supprime ce jeton.")] = "",
) -> None:
    """Liste les jetons d'un compte, en crée un (montré cette seule fois), ou en supprime un."""

    async def act(database: Database) -> list[str]:
        user = await account_of(database, login)
        if revoke:
            await tokens.revoke(database, user.id, revoke)
            return []
        if new:
            return [await tokens.create(database, user.id, tokens.checked_name(new))]
        kept = await tokens.every(database, user.id)
        return [f"{one.name}\t{one.created_at.astimezone(UTC):%Y-%m-%d %H:%M}" for one in kept]

    lines = on_database(act)
    if revoke:
        say(f"Le jeton {revoke} n'ouvre plus rien.")
    elif new:
        say("Votre jeton, montré cette seule fois :")
    for line in lines:
        write(line + "\n")


@app.command("reset-password")
def reset_password(
    login: Login,
    password_stdin: FromStdin = False,
    generate: Generate = False,
    mail: Annotated[
        bool, typer.Option("--mail", help="Envoie plutôt un lien au compte, par courriel.")
    ] = False,
) -> None:
    """Change le mot de passe d'un compte, et ferme ses sessions ; ses jetons d'API restent."""
    if mail:
        _mail_link(login)
        return
    password = _password(from_stdin=password_stdin, generated=generate)
    user = on_database(lambda database: resets.set_password(database, normal(login), password))
    say(f"Le mot de passe de {user.username} est changé, ses sessions sont fermées.")
    _show_generated(password, generate)


@app.command("erase")
def erase(
    login: Login,
    yes: Annotated[bool, typer.Option("--yes", help="Ne demande pas de confirmer.")] = False,
) -> None:
    """Efface un compte et tout ce qui est à lui, sans retour : conversations, jetons, usage."""
    if not yes and not (sys.stdin.isatty() and confirmed(f"Effacer {login} ?")):
        raise AccountError(
            "Rien n'est effacé : un effacement est sans retour, confirmez par --yes."
        )

    async def act(database: Database) -> None:
        user = await account_of(database, login)
        await erase_account(database, user.id)

    on_database(act)
    say(f"Le compte {login} est effacé, avec tout ce qui était à lui.")


def _decide(login: str, *, accepted: bool) -> None:
    one = place()
    mailer, said = mailer_of(one.settings, one.home.mail), one.settings

    async def act(database: Database) -> User:
        user = await service.decide(database, normal(login), accepted=accepted)
        mail = service.decision_mail(user, front_url=said.front_url, contact=said.contact)
        try:
            await mailer.send(mail)
        except MailNotSent:
            say("La décision est prise, mais le courriel qui l'annonce n'est pas parti.")
        return user

    user = on_database(act, one)
    say(f"Le compte {user.username} est {'accepté' if accepted else 'refusé'}.")


def _mail_link(login: str) -> None:
    one = place()
    mailer = mailer_of(one.settings, one.home.mail)

    async def act(database: Database) -> str:
        user = await account_of(database, login)
        await resets.mail_link(database, mailer, one.settings.front_url, user.email)
        return user.email

    say(f"Un lien est envoyé à {on_database(act, one)}, sauf s'il en a déjà trois qui sont bons.")


def _password(*, from_stdin: bool, generated: bool) -> str:
    """Return a password that may be chosen.

    Raises:
        PasswordInvalid, AccountError
    """
    if generated:
        return secrets.token_urlsafe(18)
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = new_password()
    else:
        raise AccountError(
            "Il n'y a pas de terminal où demander le mot de passe : ajoutez --generate, ou "
            "--password-stdin et donnez-le sur l'entrée standard."
        )
    check_form(password)
    return password


def _show_generated(password: str, generated: bool) -> None:
    if generated:
        say("Son mot de passe, montré cette seule fois :")
        show(password)
