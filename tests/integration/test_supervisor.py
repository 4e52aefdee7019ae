"""Engines launched, watched, launched again, and ended with all that came of them."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path

import aiohttp
import pytest

from albert.domain.errors import InferenceError
from albert.routing.table import Engine, Limits, Replica, RoutedModel
from albert.serving.engines.contract import Launch, Order
from albert.serving.engines.llama_cpp import LlamaCppDriver
from albert.serving.patience import Patience
from albert.serving.supervisor import Supervisor
from albert.serving.watched import State, WatchedEngine
from albert.testing.scripted_engine import ScriptedDriver

pytestmark = pytest.mark.integration

QUICK = Patience(start=30, pause=0.01, longest_pause=0.02, poll=0.02, health=0.5, misses=2, stop=1)


def model(*script: str, name: str = "one") -> RoutedModel:
    return RoutedModel(name=name, driver="vllm", file="weights", engine=Engine(flags=script))


class Watched(Supervisor):
    """A supervisor of scripted engines that remembers the states it has seen."""

    def __init__(
        self, logs: Path, patience: Patience = QUICK, environment: Mapping[str, str] = {}
    ) -> None:
        super().__init__(
            {"vllm": ScriptedDriver(), "llama.cpp": LlamaCppDriver()},
            weights=lambda model: Path(model.file),
            logs=logs,
            environment={**os.environ, **environment},
            patience=patience,
        )
        self.states: list[State] = []
        self._news = asyncio.Condition()
        self.watch(self._remember)

    def _remember(self, engine: WatchedEngine) -> None:
        self.states.append(engine.state)
        self._told = asyncio.ensure_future(self._tell_all())

    async def _tell_all(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(60), self._news:
            await self._news.wait_for(holds)


def run(scenario: Coroutine[object, object, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, timeout=120))


async def gone(process: int) -> None:
    """Wait until the process is dead; a zombie that nobody has reaped yet is dead too."""
    status = Path(f"/proc/{process}/stat")
    async with asyncio.timeout(20):
        while status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z":  # noqa: ASYNC110, ASYNC240 — /proc never blocks, nor tells
            await asyncio.sleep(0.05)


def child_of(logs: Path) -> int:
    return int(re.findall(r"one \| child (\d+)", (logs / "one.log").read_text("utf-8"))[-1])


def engine_under(keeper: int) -> int:
    return int(Path(f"/proc/{keeper}/task/{keeper}/children").read_text("ascii").split()[0])


def test_an_engine_killed_with_9_serves_again(smollm2: Path, tmp_path: Path) -> None:
    async def scenario() -> None:
        real = RoutedModel(
            name="s", driver="llama.cpp", file=str(smollm2), engine=Engine(context=256)
        )
        async with Watched(tmp_path) as supervisor, aiohttp.ClientSession() as session:
            await supervisor.start([real])
            engine = supervisor.engines["s"]
            os.kill(engine.pid, signal.SIGKILL)
            await supervisor.until(lambda: engine.launches == 2 and engine.ready)
            assert supervisor.states[0:1] + supervisor.states[-1:] == ["ready", "ready"]
            async with session.post(
                engine.base_url + "/completions",
                json={"model": "s", "prompt": "Hello", "max_tokens": 2},
                headers={"Authorization": f"Bearer {engine.key}"},
            ) as response:
                assert response.status == 200

    run(scenario())


def test_an_engine_that_dies_at_once_is_given_up_after_its_attempts(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Watched(tmp_path) as supervisor:
            await supervisor.reconcile([model("die")])
            await supervisor.settle()
            engine = supervisor.engines["one"]
            assert (engine.launches, engine.ready) == (3, False)
            assert supervisor.states == ["restarting", "restarting", "failed"]
            assert "out of memory" in str(engine.error)
            assert str(tmp_path) not in engine.detail

    run(scenario())


def test_an_engine_given_up_is_tried_again_at_a_reload(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Watched(tmp_path) as supervisor:
            await supervisor.reconcile([model("die")])
            await supervisor.settle()
            given_up = supervisor.engines["one"]
            await supervisor.reconcile([model("die")])
            assert supervisor.engines["one"] is not given_up

    run(scenario())


@pytest.mark.parametrize(("script", "told"), [("deaf", "à temps"), ("refuse", "erreur 400")])
def test_an_engine_that_never_serves_is_ended_and_told_of(
    tmp_path: Path, script: str, told: str
) -> None:
    async def scenario() -> None:
        hasty = Patience(start=4, attempts=1, poll=0.02, stop=1)
        async with Watched(tmp_path, hasty) as supervisor:
            await supervisor.reconcile([model(script)])
            await supervisor.settle()
            engine = supervisor.engines["one"]
            assert engine.state == "failed"
            assert engine.pid == 0
            assert told in engine.detail

    run(scenario())


def test_an_engine_that_hangs_is_killed_and_launched_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Watched(tmp_path) as supervisor:
            await supervisor.start([model()])
            engine = supervisor.engines["one"]
            stopped = engine_under(engine.pid)
            os.kill(stopped, signal.SIGSTOP)
            await supervisor.until(lambda: engine.launches == 2 and engine.ready)
            await gone(stopped)

    run(scenario())


@pytest.mark.parametrize("script", [(), ("stubborn",)])
def test_stopping_leaves_nothing_behind(tmp_path: Path, script: tuple[str, ...]) -> None:
    async def scenario() -> None:
        async with Watched(tmp_path) as supervisor:
            await supervisor.start([model("child", *script)])
            keeper = supervisor.engines["one"].pid
            processes = [keeper, engine_under(keeper), child_of(tmp_path)]
        for process in processes:
            await gone(process)
        assert supervisor.states[-1] == "stopped"

    run(scenario())


def test_an_engine_whose_keeper_is_killed_does_not_linger(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Watched(tmp_path) as supervisor:
            await supervisor.start([model()])
            engine = supervisor.engines["one"]
            orphan = engine_under(engine.pid)
            os.kill(engine.pid, signal.SIGKILL)
            await gone(orphan)
            await supervisor.until(lambda: engine.launches == 2 and engine.ready)

    run(scenario())


PARENT = """
import asyncio, os, sys
from pathlib import Path
from albert.domain.errors import InferenceError
from albert.routing.table import Engine, RoutedModel
from albert.serving.engines.contract import Launch, Order
from albert.serving.engines.llama_cpp import LlamaCppDriver
from albert.serving.supervisor import Supervisor
from albert.testing.scripted_engine import ScriptedDriver

async def main():
    drivers = {"vllm": ScriptedDriver(), "llama.cpp": LlamaCppDriver()}
    find = lambda model: Path(model.file)
    models = [
        RoutedModel(name="one", driver="vllm", file="w", engine=Engine(flags=("child",))),
        RoutedModel(name="s", driver="llama.cpp", file=sys.argv[2], engine=Engine(context=256)),
    ]
    logs = Path(sys.argv[1])
    async with Supervisor(drivers, weights=find, logs=logs, environment=os.environ) as one:
        await one.start(models)
        print(one.engines["one"].pid, one.engines["s"].pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def test_engines_die_with_a_parent_that_is_killed_and_so_does_all_they_started(
    smollm2: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path), str(smollm2)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        keeper, llama = map(int, parent.stdout.readline().split())
        processes = [keeper, llama, engine_under(keeper), child_of(tmp_path)]
        parent.send_signal(signal.SIGKILL)

    async def all_gone() -> None:
        for process in processes:
            await gone(process)

    run(all_gone())


def test_a_reload_starts_what_is_new_stops_what_is_gone_and_leaves_the_rest(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with Watched(tmp_path) as supervisor:
            await supervisor.start([model(name="kept"), model(name="gone"), model(name="changed")])
            before = {name: engine.pid for name, engine in supervisor.engines.items()}
            kept = model(name="kept").model_copy(update={"limits": Limits(concurrent=3)})
            await supervisor.start([kept, model("tell", name="changed"), model(name="new")])
            after = {name: engine.pid for name, engine in supervisor.engines.items()}
            assert set(after) == {"kept", "changed", "new"}
            assert after["kept"] == before["kept"]
            assert supervisor.engines["kept"].model.limits.concurrent == 3
            assert after["changed"] != before["changed"]
            await gone(before["gone"])
            await gone(before["changed"])

    run(scenario())


def test_a_fault_of_ours_gives_an_engine_up_rather_than_keep_its_callers_waiting(
    tmp_path: Path,
) -> None:
    class Faulty(ScriptedDriver):
        def launch(self, order: Order) -> Launch:
            raise KeyError(order.model.name)

    async def scenario() -> None:
        async with Supervisor(
            {"vllm": Faulty()}, weights=lambda _: Path(), logs=tmp_path, environment={}
        ) as supervisor:
            with pytest.raises(InferenceError, match="erreur interne"):
                await supervisor.start([model()])
            assert supervisor.engines["one"].state == "failed"

    run(scenario())


def test_what_is_served_elsewhere_is_not_launched(tmp_path: Path) -> None:
    async def scenario() -> None:
        elsewhere = model().model_copy(update={"replicas": (Replica(host="gpu1.exemple.fr"),)})
        async with Watched(tmp_path) as supervisor:
            await supervisor.start([elsewhere])
            assert not supervisor.engines

    run(scenario())


def test_the_journal_names_the_model_and_hides_the_key_and_the_engine_has_no_secret(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        secrets = {"POSTGRES_PASSWORD": "a", "CLE_GPU1": "b", "HF_TOKEN": "c", "ALBERT_PORT": "1"}
        told = {**secrets, "CUDA_VISIBLE_DEVICES": "0"}
        async with Watched(tmp_path, environment=told) as supervisor:
            await supervisor.start([model("tell")])
            key = supervisor.engines["one"].key
        lines = (tmp_path / "one.log").read_text("utf-8").splitlines()
        assert "one | key ***" in lines
        assert "one | CUDA_VISIBLE_DEVICES" in lines
        assert not [line for line in lines if any(name in line for name in secrets)]
        assert not [line for line in lines if key in line]

    run(scenario())
