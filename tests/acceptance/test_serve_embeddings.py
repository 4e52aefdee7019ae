"""``albert serve embeddings``, asked by the clients people have, stopped as operators do."""

import asyncio
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from numpy.typing import NDArray
from openai import AsyncOpenAI, AuthenticationError, OpenAI, UnprocessableEntityError

from albert.inference.e5 import E5Embedder

pytestmark = pytest.mark.acceptance

KEY = "cle-du-service-de-vecteurs"
MODEL = "multilingual-e5-small"
PASSAGES = [f"Le passeport de la commune n° {number} coûte {number} euros." for number in range(16)]


class Served:
    """The command in a process of its own, once it answers."""

    def __init__(self, process: subprocess.Popen[bytes], address: str) -> None:
        self.process, self.address = process, address

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ALBERT_")}
    return {**kept, "ALBERT_HOME": str(home), **more}


@contextmanager
def service(home: Path, *words: str, **more: str) -> Iterator[Served]:
    process = subprocess.Popen(
        [sys.executable, "-m", "albert", "serve", "embeddings", "--port", "0", *words],
        env=environment(home, **more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        yield Served(process, _address(process))
    finally:
        process.kill()
        process.wait(10)
        assert process.stderr is not None
        process.stderr.close()


def _address(process: subprocess.Popen[bytes]) -> str:
    """Read what it says until it tells its address."""
    said, end = b"", time.monotonic() + 60
    assert process.stderr is not None
    while not (found := re.search(rb"http://\S+\n", said)):
        ready, _, _ = select.select([process.stderr], [], [], end - time.monotonic())
        piece = os.read(process.stderr.fileno(), 65536) if ready else b""
        assert piece, f"never ready: {said.decode()}"
        said += piece
    return found.group().decode().strip()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("home")
    with service(home, EMBEDDINGS_API_KEY=KEY) as running:
        yield running


def expected(*texts: str) -> NDArray[np.float32]:
    embedder = E5Embedder()
    rows = asyncio.run(embedder.embed(texts, role="document"))
    embedder.close()
    return rows


def test_openais_client_gets_the_librarys_own_vectors(served: Served) -> None:
    with OpenAI(base_url=served.address, api_key=KEY) as client:
        answer = client.embeddings.create(model=MODEL, input=PASSAGES[:2])  # base64 by default
    assert [item.index for item in answer.data] == [0, 1]
    rows = np.array([item.embedding for item in answer.data], dtype=np.float32)
    np.testing.assert_array_equal(rows, expected(*PASSAGES[:2]))
    embedder = E5Embedder()
    assert answer.usage.prompt_tokens == sum(map(embedder.token_count, PASSAGES[:2]))
    embedder.close()


def test_16_clients_at_once_each_get_their_own_vector(served: Served) -> None:
    async def scenario() -> NDArray[np.float32]:
        async def one(passage: str) -> list[float]:
            async with AsyncOpenAI(base_url=served.address, api_key=KEY) as client:
                answer = await client.embeddings.create(model=MODEL, input=passage)
                return answer.data[0].embedding

        return np.array(await asyncio.gather(*map(one, PASSAGES)), dtype=np.float32)

    np.testing.assert_array_equal(asyncio.run(scenario()), expected(*PASSAGES))


def test_openais_client_understands_what_is_refused(served: Served) -> None:
    with (
        OpenAI(base_url=served.address, api_key="une-autre") as stranger,
        pytest.raises(AuthenticationError),
    ):
        stranger.models.list()
    with OpenAI(base_url=served.address, api_key=KEY) as client:
        with pytest.raises(UnprocessableEntityError, match="jetons"):
            client.embeddings.create(model=MODEL, input=[1, 2, 3])
        assert [model.id for model in client.models.list()] == [MODEL]


def test_documents_are_ordered_by_what_they_say(served: Served) -> None:
    async def scenario() -> dict[str, list[dict[str, object]]]:
        body = {
            "model": MODEL,
            "query": "Combien coûte un passeport ?",
            "documents": ["Le RSA est une aide.", "Un passeport adulte coûte 86 euros."],
        }
        headers = {"Authorization": f"Bearer {KEY}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{served.address}/rerank", json=body) as answer,
        ):
            found: dict[str, list[dict[str, object]]] = await answer.json()
            return found

    assert [one["index"] for one in asyncio.run(scenario())["results"]] == [1, 0]


def test_a_query_passes_before_the_passages_of_another(tmp_path: Path) -> None:
    """One thread: behind 512 passages, a query would wait for them all."""

    async def scenario(address: str) -> None:
        async with AsyncOpenAI(base_url=address, api_key="sans") as client:
            large = asyncio.create_task(
                client.embeddings.create(model=MODEL, input=["un passeport"] * 512)
            )
            small = client.embeddings.create(
                model=MODEL, input="passeport ?", extra_body={"doc_type": "query"}
            )
            done, _ = await asyncio.wait(
                (asyncio.create_task(small), large), return_when=asyncio.FIRST_COMPLETED
            )
            assert large not in done
            large.cancel()

    with service(tmp_path, "--threads", "1") as running:
        asyncio.run(scenario(running.address))


def test_sigterm_lets_running_calls_end_and_leaves_nothing(tmp_path: Path) -> None:
    async def scenario(running: Served) -> int:
        async with AsyncOpenAI(base_url=running.address, api_key="sans", max_retries=0) as client:
            call = asyncio.create_task(client.embeddings.create(model=MODEL, input=PASSAGES))
            first = await client.embeddings.create(model=MODEL, input="a")  # theirs has begun
            assert len(first.data) == 1
            status = asyncio.create_task(asyncio.to_thread(running.terminate))
            assert len((await call).data) == len(PASSAGES)
            return await status

    with service(tmp_path) as running:
        assert asyncio.run(scenario(running)) == 0
        with pytest.raises(ProcessLookupError):
            os.kill(running.process.pid, 0)


@pytest.mark.parametrize(
    ("words", "key", "says"),
    [
        (["--host", "0.0.0.0"], "", "EMBEDDINGS_API_KEY"),  # noqa: S104 — refused, which is the point
        ([], "clé", "EMBEDDINGS_API_KEY"),
        (["--threads", "0"], "", "--threads"),
    ],
)
def test_what_cannot_be_served_is_told_in_a_sentence(
    words: list[str], key: str, says: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "albert", "serve", "embeddings", *words],
        env=environment(tmp_path, EMBEDDINGS_API_KEY=key),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_names_the_option(served: Served, tmp_path: Path) -> None:
    port = served.address.rpartition(":")[2].removesuffix("/v1")
    done = subprocess.run(
        [sys.executable, "-m", "albert", "serve", "embeddings", "--port", port],
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr
