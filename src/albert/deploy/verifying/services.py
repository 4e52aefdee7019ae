"""What the service of a model, and that of the vectors, must do once they are deployed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import orjson

from albert.deploy.verifying.report import Check, Failed, Skipped
from albert.deploy.verifying.web import Service, WrongStatus, vectors

_PROMPT = {"prompt": "Bonjour", "max_tokens": 16}
_TEXTS = ["Le passeport coûte 86 €.", "Le RSA est versé par la CAF."]


class LlmChecks:
    def __init__(self, web: Service, patience: float) -> None:
        self._web, self._patience = web, patience

    def __iter__(self) -> Iterator[Check]:
        yield Check("santé", self._health)
        yield Check("sans clé, rien n'est ouvert", partial(closed, self._web, "/models"))
        yield Check("modèles", self._models)
        yield Check("réponse", self._generate)
        yield Check("flux", self._stream)
        yield Check("vecteurs", self._embed)

    async def _health(self) -> str:
        await self._web.until_ready("/health", self._patience)
        return "prêt"

    async def _models(self) -> str:
        told = await self._web.get("/models")
        return ", ".join(one["id"] for one in told["data"])

    async def _generate(self) -> str:
        told = await self._web.post("/generate", _PROMPT)
        return _written(told)

    async def _stream(self) -> str:
        said = await self._web.raw("POST", "/generate", {**_PROMPT, "stream": True})
        texts = [orjson.loads(item) for item in said.split(b"\0") if item]
        if not texts:
            raise Failed("/generate : le flux est vide.")
        return f"{len(texts)} morceaux, {_written(texts[-1])}"

    async def _embed(self) -> str:
        try:
            told = await self._web.post("/embeddings", {"input": _TEXTS})
        except WrongStatus as answer:
            if answer.status == 404:
                raise Skipped("Ce modèle n'a pas de vecteurs.") from None
            raise
        return vectors("/embeddings", told, len(_TEXTS))


class EmbeddingsChecks:
    def __init__(self, web: Service, patience: float) -> None:
        self._web, self._patience = web, patience

    def __iter__(self) -> Iterator[Check]:
        yield Check("santé", self._health)
        yield Check("sans clé, rien n'est ouvert", partial(closed, self._web, "/models"))
        yield Check("vecteurs de questions", partial(self._embed, "query"))
        yield Check("vecteurs de passages", partial(self._embed, "passage"))
        yield Check("classement", self._rerank)

    async def _health(self) -> str:
        await self._web.until_ready("/health", self._patience)
        return "prêt"

    async def _embed(self, kind: str) -> str:
        told = await self._web.post("/embeddings", {"input": _TEXTS, "doc_type": kind})
        return vectors("/embeddings", told, len(_TEXTS))

    async def _rerank(self) -> str:
        body = {"query": "Combien coûte un passeport ?", "documents": list(reversed(_TEXTS))}
        told = await self._web.post("/v1/rerank", body)
        first = told["results"][0]["index"]
        if first != 1:
            raise Failed("La phrase sur le passeport ne vient pas la première.")
        return "la bonne phrase est la première"


async def closed(web: Service, path: str) -> str:
    """See that nothing is open to who has no key.

    Raises:
        Failed, Skipped
    """
    if not web.key:
        raise Skipped("Le service n'a pas de clé : il n'écoute donc que sa machine.")
    await web.get(path, key="", expected=401)
    return "401"


def _written(told: object) -> str:
    text = told["text"][0] if isinstance(told, dict) and told.get("text") else ""
    if not str(text).strip():
        raise Failed("/generate : le texte est vide.")
    return f"{len(str(text))} caractères"
