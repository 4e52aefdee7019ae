"""An index that is killed at any moment is the one that was there before, or the new one."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from albert.index.engines.embedded import EmbeddedEngine

pytestmark = pytest.mark.integration

BUILDER = """
import asyncio, sys
from pathlib import Path
import numpy as np
from albert.domain.documents import Chunk, Sheet
from albert.index.build import build
from albert.index.embedding import embed_missing

class Embedder:
    model, dimension = "m", 8
    def token_count(self, text): return 1
    async def embed(self, texts, *, role):
        await asyncio.sleep(0.002)
        return np.tile(np.eye(8, dtype=np.float32)[0], (len(texts), 1))

folder = Path(sys.argv[1])
sheets = [Sheet(id=f"F{n}", source="s", title=f"Impôt {n}", url="") for n in range(200)]
chunks = [Chunk(sheet=s.id, source="s", title=s.title, url="", text=f"taxe {k}")
          for s in sheets for k in range(10)]
print("ready", flush=True)
while True:
    build(chunks, sheets, folder, model="m", dimension=8)
    print("built", flush=True)
    asyncio.run(embed_missing(folder, Embedder(), model="m", scope="sheets"))
"""


def start(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", BUILDER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_killed_at_any_moment_the_last_good_index_is_there(tmp_path: Path) -> None:
    first = start(tmp_path)
    assert first.stdout is not None
    assert first.stdout.readline() == "built\n"
    first.kill()
    first.communicate()
    chance = random.Random(5)  # noqa: S311 - moments, not secrets
    embedded = 0
    for _ in range(12):
        process = start(tmp_path)
        time.sleep(chance.uniform(0, 0.8))
        process.kill()
        process.communicate()

        engine = EmbeddedEngine(tmp_path, model="m", dimension=8)
        found = engine.rank_words("taxe impôt", 5)
        assert len(found) == 5
        assert [c.id for c in engine.read([m.chunk for m in found])] == [m.chunk for m in found]
        coverage = engine.coverage()
        assert (coverage.chunks, coverage.sheets) == (2000, 200)
        assert coverage.sheets_embedded <= 200
        embedded = max(embedded, coverage.sheets_embedded)
    assert embedded > 0
