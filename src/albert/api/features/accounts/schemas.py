"""What the account routes read and say."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from albert.api.features.accounts.names import email_of, username_of
from albert.api.features.accounts.repository import NewAccount
from albert.api.features.accounts.tables import User


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("nul", "Le caractère nul n'est pas accepté.")
    return text


Text = Annotated[str, AfterValidator(_without_nul)]
"""PostgreSQL cannot keep the character NUL."""
Username = Annotated[
    str, AfterValidator(username_of), Field(description="De 1 à 64 caractères visibles, sans @")
]
Email = Annotated[str, AfterValidator(email_of), Field(description="nom@domaine.fr")]
Password = Annotated[
    str, Field(description="De 8 à 128 lettres, chiffres ou signes parmi $!%*+-?&#_=.,:;@")
]
Organization = Annotated[
    Text | None,
    Field(max_length=300, description="De /api/v2/organizations/mfs ; les deux ou rien"),
]


class SignUp(BaseModel):
    """Une demande de compte ; aucun autre champ n'est accepté."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "username": "camille",
                "email": "camille@exemple.fr",
                "password": "un-mot-de-passe",
            }
        },
    )

    username: Username
    email: Email
    password: Password
    organization_id: Organization = None
    organization_name: Organization = None
    accept_cookie: bool = False
    accept_retrain: bool = False

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.organization_id is None) != (self.organization_name is None):
            raise PydanticCustomError(
                "organization_incomplete",
                "organization_id et organization_name vont ensemble : donnez les deux, ou aucun.",
            )
        return self

    def account(self) -> NewAccount:
        return NewAccount(**self.model_dump(exclude={"password"}), password_hash=None)


class SignInForm(BaseModel):
    """Un nom d'utilisateur ou une adresse, et le mot de passe."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"username": "camille", "password": "un-mot-de-passe"}}
    )

    username: Text | None = Field(None, max_length=320)
    email: Text | None = Field(None, max_length=320)
    password: str

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        if not self.login:
            raise PydanticCustomError("login_missing", "Donnez username ou email.")
        return self

    @property
    def login(self) -> str:
        return self.username or self.email or ""


class Token(BaseModel):
    """Le jeton d'une session, bon 24 heures."""

    token: str


class Said(BaseModel):
    """Ce qui a été fait."""

    msg: str


class Account(BaseModel):
    """Un compte."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str
    email: str
    is_confirmed: bool | None = Field(description="null tant qu'aucun administrateur n'a décidé")
    is_admin: bool
    organization_id: str | None
    organization_name: str | None
    accept_cookie: bool
    accept_retrain: bool


class Decision(BaseModel):
    """Accepter ou refuser un compte qui attend."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"email": "camille@exemple.fr", "is_confirmed": True}}
    )

    email: Email
    is_confirmed: bool


class ResetAsked(BaseModel):
    """Un lien pour un nouveau mot de passe."""

    model_config = ConfigDict(json_schema_extra={"example": {"email": "camille@exemple.fr"}})

    email: Email
    app: str = Field("albert", max_length=64, description="Gardé pour les clients existants")


class ResetForm(BaseModel):
    """Le jeton du lien, et le nouveau mot de passe."""

    token: str = Field(max_length=200)
    password: Password


class ContactForm(BaseModel):
    """Un message à ceux qui tiennent le service."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"subject": "Une question", "text": "Bonjour."}}
    )

    subject: Annotated[Text, Field(min_length=1, max_length=200)]
    text: Annotated[Text, Field(min_length=1, max_length=20_000)]
    institution: Annotated[Text | None, Field(max_length=300)] = None


def account(user: User) -> Account:
    return Account.model_validate(user)
