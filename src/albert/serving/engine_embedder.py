"""The vectors of an engine that is launched here: prefixes by role, long texts in windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import aiohttp

from albert.domain.errors import ModelDown
from albert.inference.contract import Vectors
from albert.inference.openai_compatible_embedder import OpenAIEmbedder
from albert.inference.prefixes import prefixes_of
from albert.routing.table import RoutedModel
from albert.serving.engines.contract import EngineState


class EngineEmbedder:
    """An embedder at the engine's address of the moment; the session stays its owner's."""

    def __init__(
        self, engine: EngineState, model: RoutedModel, session: aiohttp.ClientSession
    ) -> None:
        self.model = model.name
        self.fingerprint = model.hf_repo_id or model.name
        self._engine = engine
        self._entry = model
        self._session = session
        self._address = ""
        self._at: OpenAIEmbedder | None = None

    @property
    def dimension(self) -> int:
        """Raises ``ModelDown`` before the engine has answered once."""
        return self._there().dimension

    def token_count(self, text: str) -> int:
        """An upper bound: the tokenizer is the engine's."""
        return self._there().token_count(text)

    async def embed(self, texts: Sequence[str], *, role: Literal["query", "document"]) -> Vectors:
        """As ``OpenAIEmbedder.embed``.

        Raises:
            ModelDown: the engine starts, or starts again.
        """
        return await self._there().embed(texts, role=role)

    def _there(self) -> OpenAIEmbedder:
        if not self._engine.ready:
            raise ModelDown(self._engine.detail or None)
        if self._at is None or self._address != self._engine.base_url:
            entry, self._address = self._entry, self._engine.base_url
            self._at = OpenAIEmbedder(
                self._address,
                entry.upstream_name,
                session=self._session,
                key=self._engine.key,
                prefixes=prefixes_of(entry.hf_repo_id or entry.name),
                context=entry.engine.context,
            )
        return self._at
