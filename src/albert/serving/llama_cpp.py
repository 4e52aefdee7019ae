"""A GGUF file served by llama.cpp in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import logging
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from albert.domain.conversation import Message, Sampling
from albert.domain.errors import InferenceError
from albert.inference.openai_compatible import OpenAIChatModel
from albert.serving import gguf, llama_cpp_server

logger = logging.getLogger(__name__)

_PATIENCE_ON_STOP = 3.0  # seconds between SIGTERM and SIGKILL
_LAST_LINES = 5

REQUEST_EXTRA: Mapping[str, object] = {"return_progress": True}
"""Add to each request: while it reads a prompt, llama.cpp notices that the reader left only
when it has something to say. Measured on 2,000 tokens: 14 s without, 0.2 to 0.4 s with."""


class LlamaCppServer:
    """``async with LlamaCppServer(file, …) as server: server.base_url, server.key``.

    It listens on 127.0.0.1, at a port the system chooses, for one random key. It ends
    with the block, or with this process, however that ends.
    """

    def __init__(
        self,
        file: Path,
        *,
        name: str,
        log: Path,
        window: int = 4096,
        threads: int = 2,
        parallel: int = 1,
        start_timeout: float = 180.0,
    ) -> None:
        """``window`` in tokens for each of ``parallel`` readers; ``start_timeout`` in seconds."""
        self.name = name
        self.window = window
        self.key = secrets.token_urlsafe(32)
        self.base_url = ""
        self._file = file
        self._log = log
        self._threads = threads
        self._parallel = parallel
        self._start_timeout = start_timeout
        self._process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> bool:
        """Whether the process is alive, which is not to say that it answers."""
        return self._process is not None and self._process.returncode is None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Return once a first token has been generated.

        Raises:
            ModelFileInvalid: the file is not one that can be served.
            InferenceError: the engine stopped or was too slow; with its last words.
        """
        if importlib.util.find_spec("xllamacpp") is None:
            raise InferenceError("llama.cpp n'est pas installé : lancez « make install ».")
        about = await asyncio.to_thread(gguf.examine, self._file)
        self.window = min(self.window, about.context or self.window)
        try:
            async with asyncio.timeout(self._start_timeout):
                await self._spawn()
                await self._first_token()
        except TimeoutError:
            await self.stop()
            raise InferenceError(self._failure("n'est pas prêt à temps")) from None
        except InferenceError as error:
            await self.stop()
            raise InferenceError(self._failure("n'a pas démarré")) from error
        except OSError as error:
            await self.stop()
            raise InferenceError(
                f"llama.cpp ne peut pas être lancé ({error.strerror}) : "
                f"vérifiez la place et les droits de {self._log.parent}."
            ) from error
        except asyncio.CancelledError:
            await self.stop()
            raise
        logger.info("model served", extra={"action": "model_served", "model": self.name})

    def chat_model(self, session: aiohttp.ClientSession) -> OpenAIChatModel:
        """Return the model this server offers, once it is started."""
        return OpenAIChatModel(
            self.base_url,
            self.name,
            key=self.key,
            window=self.window,
            session=session,
            extra=REQUEST_EXTRA,
        )

    async def stop(self) -> None:
        """End the process: politely, then by force. May be called twice."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_PATIENCE_ON_STOP):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _spawn(self) -> None:
        """Start the child and learn its address.

        Raises:
            InferenceError: it ended before it said one.
        """
        with await asyncio.to_thread(self._log.open, "ab") as log:
            process = self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", llama_cpp_server.__name__),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is for us: we stop it in order
            )
        assert process.stdin is not None  # noqa: S101 — for mypy: both are pipes
        assert process.stdout is not None  # noqa: S101
        process.stdin.write(json.dumps(self._order()).encode() + b"\n")
        address = (await process.stdout.readline()).decode().strip()
        if not address:
            raise InferenceError
        self.base_url = f"{address}/v1"

    def _order(self) -> llama_cpp_server.Order:
        return {
            "path": str(self._file.absolute()),
            "name": self.name,
            "key": self.key,
            "window": self.window,
            "parallel": self._parallel,
            "threads": self._threads,
        }

    async def _first_token(self) -> None:
        async with aiohttp.ClientSession() as session:
            model = self.chat_model(session)
            async for _ in model.stream([Message("user", "Bonjour")], Sampling(max_tokens=1)):
                pass

    def _failure(self, what: str) -> str:
        lines = self._log.read_text("utf-8", "replace").splitlines()[-_LAST_LINES:]
        return (
            f"Le modèle « {self._file} » {what} : essayez un autre fichier GGUF, ou consultez "
            f"{self._log}, qui finit par :\n" + "\n".join(lines)
        )
