"""The account routes of /api/v2."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query

from albert.api.access import REFUSED_VALUE, Admin, Member, Served, refusals
from albert.api.features.accounts import resets, service
from albert.api.features.accounts.schemas import (
    Account,
    ContactForm,
    Decision,
    ResetAsked,
    ResetForm,
    Said,
    SignInForm,
    SignUp,
    Token,
    account,
)
from albert.api.features.accounts.service import Credentials, Message
from albert.api.services import Services

_TAGS: list[str | Any] = ["Comptes"]
public = APIRouter(prefix="/api/v2", tags=_TAGS, responses=refusals(413, 500, 503))
private = APIRouter(prefix="/api/v2", tags=_TAGS, responses=refusals(401, 403, 413, 500, 503))


async def knows_organization(services: Services, identifier: str, name: str) -> bool:
    """Whether the directory has that id with that name; without a directory, it has none."""
    known = await services.library.organizations()
    return any((one.id, one.name) == (identifier, name) for one in known)


@public.post("/user/me", summary="Demande un compte", responses={**refusals(400), **REFUSED_VALUE})
async def sign_up(asked: SignUp, services: Served) -> Said:
    await service.sign_up(
        services.database,
        asked.account(),
        asked.password,
        lambda identifier, name: knows_organization(services, identifier, name),
    )
    return Said(msg="Votre demande est enregistrée : un administrateur doit l'accepter.")


@public.post("/sign_in", summary="Ouvre une session", responses=refusals(400, 429))
async def sign_in(asked: SignInForm, services: Served) -> Token:
    given = Credentials(login=asked.login, password=asked.password)
    token = await service.sign_in(services.database, services.secret, given, now=time.time())
    return Token(token=token)


@private.get("/user/me", summary="Mon compte")
async def read_me(caller: Member, services: Served) -> Account:
    return account(await service.read(services.database, caller))


@private.get("/users/pending", summary="Les comptes qui attendent une décision")
async def read_pending(
    _caller: Admin,
    services: Served,
    skip: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> list[Account]:
    found = await service.pending(services.database, skip=skip, limit=limit)
    return [account(user) for user in found]


@private.post("/user/confirm", summary="Accepte ou refuse un compte", responses=refusals(400, 404))
async def confirm(_caller: Admin, asked: Decision, services: Served) -> Said:
    user = await service.decide(services.database, asked.email, accepted=asked.is_confirmed)
    policy = services.policy
    mail = service.decision_mail(user, front_url=policy.front_url, contact=policy.contact_email)
    services.background.start(services.mailer.send(mail))
    return Said(msg="Le compte est accepté." if asked.is_confirmed else "Le compte est refusé.")


@public.post("/send_reset_password_email", summary="Demande un lien de mot de passe")
async def send_reset_password_email(asked: ResetAsked, services: Served) -> Said:
    services.background.start(  # known or not, the answer is the same and takes as long
        resets.mail_link(services.database, services.mailer, services.policy.front_url, asked.email)
    )
    return Said(msg="Si cette adresse a un compte, un lien vient de lui être envoyé.")


@public.post(
    "/reset_password",
    summary="Choisit un mot de passe",
    responses={**refusals(400), **REFUSED_VALUE},
)
async def reset_password(asked: ResetForm, services: Served) -> Said:
    await resets.reset(services.database, asked.token, asked.password)
    return Said(msg="Votre mot de passe est changé : connectez-vous.")


@private.post(
    "/user/contact", summary="Écrit à ceux qui tiennent le service", responses=refusals(502)
)
async def contact(caller: Member, asked: ContactForm, services: Served) -> Said:
    message = Message(subject=asked.subject, text=asked.text, institution=asked.institution or "")
    to = services.policy.contact_email
    await service.write_to_us(services.database, services.mailer, caller, message, to=to)
    return Said(msg="Votre message est envoyé.")
