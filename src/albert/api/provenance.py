"""Where an answer comes from, as clients are told."""

from __future__ import annotations

from collections.abc import Sequence

from albert.assistant.contract import Finish
from albert.domain.documents import Chunk
from albert.wire.citations import citation
from albert.wire.openai import Provenance


def provenance(found: Sequence[Chunk], finish: Finish) -> Provenance:
    """Return the extra fields of a whole answer, or of a stream's finish chunk."""
    return {
        "rag_context": [{"strategy": "last", "references": [chunk.id for chunk in found]}],
        "sources": [citation(cited.chunk, cited.quote) for cited in finish.citations],
        "mode": finish.mode,
        "answered": finish.answered,
    }
