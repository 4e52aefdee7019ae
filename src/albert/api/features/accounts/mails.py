"""What the service writes to its users, in French."""

from __future__ import annotations

from albert.api.mail.contract import Mail

_SIGNED = "\n\nL'équipe d'Albert\nCe message est envoyé par un automate : n'y répondez pas.\n"


def accepted(email: str, username: str, front_url: str) -> Mail:
    return Mail(
        to=email,
        subject="Votre compte Albert est ouvert",
        text=f"Bonjour {username},\n\nVotre compte a été accepté : vous pouvez vous connecter "
        f"sur {front_url}{_SIGNED}",
    )


def declined(email: str, username: str, contact: str) -> Mail:
    turn = f" Pour en savoir plus, écrivez à {contact}." if contact else ""
    return Mail(
        to=email,
        subject="Votre demande de compte Albert",
        text=f"Bonjour {username},\n\nVotre demande de compte n'a pas été acceptée.{turn}{_SIGNED}",
    )


def reset(email: str, username: str, link: str) -> Mail:
    return Mail(
        to=email,
        subject="Votre nouveau mot de passe Albert",
        text=f"Bonjour {username},\n\nPour choisir un nouveau mot de passe, ouvrez ce lien dans "
        f"l'heure ; il ne sert qu'une fois :\n\n{link}\n\nSi vous n'avez rien demandé, oubliez "
        f"ce message : votre mot de passe reste le même.{_SIGNED}",
    )


def contact(
    to: str, *, username: str, email: str, subject: str, text: str, institution: str
) -> Mail:
    where = f"Structure : {one_line(institution)}\n" if institution else ""
    return Mail(
        to=to,
        subject=f"[Albert] {one_line(subject)}",
        text=f"De : {username} <{email}>\n{where}\n{text}\n",
        reply_to=email,
    )


def one_line(text: str) -> str:
    """Return the text without line breaks or control characters, which headers cannot hold."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
