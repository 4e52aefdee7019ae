"""Where an answer comes from, as clients are told."""

from __future__ import annotations

from collections.abc import Sequence

from albert.assistant.contract import Finish
from albert.domain.documents import Chunk
from albert.guard.contract import Finding
from albert.wire.citations import citation
from albert.wire.openai import FindingJson, Provenance


def provenance(found: Sequence[Chunk], finish: Finish) -> Provenance:
    """Return the extra fields of a whole answer, or of a stream's finish chunk."""
    return {
        "rag_context": [{"strategy": "last", "references": [chunk.id for chunk in found]}],
        "sources": [citation(cited.chunk, cited.quote) for cited in finish.citations],
        "mode": finish.mode,
        "answered": finish.answered,
        "findings": [_finding(each) for each in finish.findings],
    }


def _finding(found: Finding) -> FindingJson:
    return {"kind": found.kind, "found": found.found, "replaced_by": found.replaced_by}
