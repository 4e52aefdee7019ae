"""What the API must do once it is deployed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from secrets import token_hex
from typing import Any

from albert.client import AsyncAlbert
from albert.client.errors import RequestRefused, TokenRefused
from albert.deploy.verifying.report import Check, Failed, Skipped
from albert.deploy.verifying.web import Service, vectors

QUESTION = "Comment demander un passeport ?"
EXTRACTION = "albert-extractif"
MASK = "[URL MASQUÉE]"

_WORDS = {"messages": [{"role": "user", "content": "Dites bonjour."}], "max_tokens": 16}
_REVOKED_SECONDS = 5.0
"""Within which every worker knows that a token is dead: one tells the others."""
_ADDRESS = re.compile(r"https?://\S+")


class ApiChecks:
    """The checks of one API, by an account of its own: it erases the chats that it opens."""

    def __init__(
        self,
        web: Service,
        albert: AsyncAlbert,
        *,
        login: str,
        password: str,
        question: str = QUESTION,
        expected: Sequence[str] = (),
        patience: float = 0,
    ) -> None:
        self._web, self._albert, self._asked = web, albert, question
        self._login, self._password = login, password
        self._patience = patience
        """Seconds given to the service to be ready."""
        self._expected = expected
        """Names that the table gives."""
        self._models: dict[str, str] = {}
        """Types of the models on offer, by name."""

    def __iter__(self) -> Iterator[Check]:
        yield Check("santé", self._health)
        yield Check("sans jeton, rien n'est ouvert", self._closed)
        yield Check("un mauvais mot de passe est refusé", self._wrong_password)
        yield Check("connexion", self._sign_in)
        yield Check("modèles", self._offered)
        for name in self._of("text-generation"):
            yield Check(f"réponse de {name}", partial(self._answer, name))
            yield Check(f"flux de {name}", partial(self._stream, name))
        for name in self._of("text-embeddings-inference"):
            yield Check(f"vecteurs de {name}", partial(self._embed, name))
        yield Check("une question, avec ses sources", self._question)
        yield Check("un lien inventé est masqué", self._masked)
        yield Check("déconnexion", self._sign_out)

    def _of(self, kind: str) -> list[str]:
        return [name for name, said in self._models.items() if said == kind]

    async def _health(self) -> str:
        ready = await self._web.until_ready("/health/ready", self._patience)
        told = await self._web.get("/api/v2/healthcheck")
        return f"version {told.get('version', '?')}, {ready.get('status', '?')}"

    async def _closed(self) -> str:
        await self._web.get("/v1/models", key="", expected=401)
        await self._web.get("/api/v2/user/me", key="", expected=401)
        return "401"

    async def _wrong_password(self) -> str:
        try:
            await self._albert.sign_in(f"sonde-{token_hex(8)}", token_hex(8))
        except RequestRefused as refused:
            return str(refused.status)
        raise Failed("Un compte qui n'existe pas est entré.")

    async def _sign_in(self) -> str:
        if not self._login or not self._password:
            raise Failed(
                "Il faut un compte : TEST_USERNAME et TEST_PASSWORD, ou FIRST_ADMIN_USERNAME et "
                "FIRST_ADMIN_PASSWORD, dans le fichier de l'environnement."
            )
        await self._albert.sign_in(self._login, self._password)
        self._web.key = await self._albert.tokens.create(f"sonde-{token_hex(8)}")
        return (await self._albert.me()).username

    async def _offered(self) -> str:
        told = await self._web.get("/v1/models")
        self._models = {one["id"]: one.get("type", "") for one in told.get("data", ())}
        if not self._models:
            raise Failed("/v1/models : aucun modèle.")
        if missing := [name for name in self._expected if name not in self._models]:
            raise Failed(f"La table nomme {', '.join(missing)}, que le service n'offre pas.")
        return ", ".join(self._models)

    async def _answer(self, name: str) -> str:
        told = await self._web.post("/v1/chat/completions", {"model": name, **_WORDS})
        text = _content(told, "message")
        if not text.strip():
            raise Failed("La réponse est vide.")
        return f"{len(text)} caractères"

    async def _stream(self, name: str) -> str:
        body = {"model": name, "stream": True, **_WORDS}
        events = await self._web.events("/v1/chat/completions", body)
        pieces = [_content(event, "delta") for event in events if event.get("choices")]
        if not "".join(pieces).strip():
            raise Failed("Le flux n'a aucun texte.")
        return f"{len(pieces)} morceaux"

    async def _embed(self, name: str) -> str:
        asked = ["Le passeport coûte 86 €.", "Le RSA est versé par la CAF."]
        told = await self._web.post("/v1/embeddings", {"model": name, "input": asked})
        return vectors("/v1/embeddings", told, len(asked))

    async def _question(self) -> str:
        answer = await self._ask(self._asked, EXTRACTION)
        if not answer.sources:
            raise Failed(f"« {self._asked} » n'a aucune source : les fiches sont-elles apprises ?")
        addresses = [source.url for source in answer.sources]
        if wrong := [url for url in addresses if not url.startswith("https://")]:
            raise Failed(f"La source {wrong[0]!r} n'est pas une adresse https.")
        return f"{len(addresses)} sources, la première {addresses[0]}"

    async def _masked(self) -> str:
        models = [name for name in self._of("text-generation") if name != EXTRACTION]
        if not models:
            raise Skipped("Aucun modèle de langue : Albert cite, il n'écrit aucun lien.")
        invented = f"https://www.exemple-{token_hex(4)}.fr/page"
        answer = await self._ask(
            f"Recopie cette adresse, sans rien d'autre : {invented}", models[0]
        )
        if invented in answer.text:
            raise Failed(f"{models[0]} a écrit une adresse inconnue, et elle n'est pas masquée.")
        if MASK in answer.text:
            return f"{models[0]} l'a écrit, il est masqué"
        if _ADDRESS.search(answer.text):
            return f"{models[0]} a écrit une adresse connue à la place"
        raise Skipped(f"{models[0]} n'a recopié aucune adresse : rien à masquer, rien à conclure.")

    async def _ask(self, question: str, model: str) -> Any:  # noqa: ANN401 — an Answer
        chat = await self._albert.chats.create("qa")
        try:
            return await self._albert.ask(question, chat=chat.id, model=model)
        finally:
            await self._albert.chats.delete(chat.id)

    async def _sign_out(self) -> str:
        for token in await self._albert.tokens.list():
            if token.name.startswith("sonde-"):
                await self._albert.tokens.delete(token.name)
        await self._albert.sign_out()
        await self._web.until_closed("/v1/models", _REVOKED_SECONDS)
        try:
            await self._albert.me()
        except TokenRefused:
            return "le jeton n'ouvre plus rien"
        raise Failed("Le jeton ouvre encore après la déconnexion.")


def _content(told: Any, part: str) -> str:  # noqa: ANN401 — JSON
    try:
        return str(told["choices"][0][part].get("content") or "")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise Failed("La réponse n'est pas dans la forme d'OpenAI.") from None
