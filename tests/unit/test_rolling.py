"""Workers restarted one at a time: whom nginx is told to ask, and when."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from albert.deploy.activation import Activation, behind_nginx, in_turn
from albert.deploy.hosts import LocalHost, run
from albert.deploy.rolling import Front, roll, upstream, wait_ready
from albert.deploy.site import Site
from albert.domain.errors import DeploymentError

ROOT = Path(__file__).parents[2]
WORKERS = {"8090": "127.0.0.1:8090", "8091": "127.0.0.1:8091"}


class Told:
    """A front whose reload writes down what nginx would read; it refuses where ``refuses``."""

    def __init__(self, folder: Path, *, refuses: bool = False) -> None:
        self.file = folder / "upstream.conf"
        self.file.write_text(upstream(list(WORKERS.values())))
        self.log = folder / "log"
        self.log.touch()
        program = "false" if refuses else f"cp {self.file} {folder}/reloaded"
        script = folder / "reload"
        first = f"grep -v backup {self.file} | grep -o 809."
        script.write_text(f"#!/bin/sh\n{first} | tr '\\n' ' ' >>{self.log}\n")
        script.write_text(script.read_text() + f"echo >>{self.log}\n{program}\n")
        script.chmod(0o755)
        self.front = Front(LocalHost(), str(self.file), str(script), settle=0)

    @property
    def said(self) -> list[str]:
        return [line.strip() for line in self.log.read_text().splitlines()]


def test_each_worker_restarts_while_the_others_are_asked(tmp_path: Path) -> None:
    told = Told(tmp_path)
    story: list[tuple[str, list[str]]] = []
    roll([told.front], WORKERS, lambda name: story.append((name, told.said)), lambda _: None)
    assert story == [("8090", ["8091"]), ("8091", ["8091", "8090"])]
    assert told.said == ["8091", "8090", "8090 8091"]


def test_a_worker_that_does_not_come_back_is_left_aside(tmp_path: Path) -> None:
    told = Told(tmp_path)

    def fails(name: str) -> None:
        raise DeploymentError(f"{name} est mort")

    with pytest.raises(DeploymentError, match="8090 est mort"):
        roll([told.front], WORKERS, fails, lambda _: None)
    assert told.file.read_text() == upstream(["127.0.0.1:8091"])


def test_run_again_it_begins_with_the_one_that_is_not_asked(tmp_path: Path) -> None:
    """After the second failed, the first alone serves: it must not be the next to stop."""
    told = Told(tmp_path)
    told.file.write_text(upstream(["127.0.0.1:8090"]))
    story: list[tuple[str, list[str]]] = []
    roll([told.front], WORKERS, lambda name: story.append((name, told.said)), lambda _: None)
    assert story == [("8091", ["8090"]), ("8090", ["8090", "8091"])]
    assert told.file.read_text() == upstream(list(WORKERS.values()))


def test_what_nginx_refuses_is_put_back(tmp_path: Path) -> None:
    told = Told(tmp_path, refuses=True)
    before = told.file.read_text()
    with pytest.raises(DeploymentError):
        roll([told.front], WORKERS, lambda _: None, lambda _: None)
    assert told.file.read_text() == before


def test_a_worker_alone_is_restarted_and_that_it_interrupts_is_said(tmp_path: Path) -> None:
    told, said, restarted = Told(tmp_path), list[str](), list[str]()
    roll([told.front], {"8090": "127.0.0.1:8090"}, restarted.append, said.append)
    assert restarted == ["8090"]
    assert "s'interrompt" in said[0]


def test_the_file_of_the_repository_is_what_is_written() -> None:
    written = (ROOT / "contrib" / "nginx" / "albert-upstream.conf").read_text()
    block = written[written.index("upstream") :]
    assert block == upstream(list(WORKERS.values()))


def test_nobody_ready_is_one_sentence() -> None:
    with pytest.raises(DeploymentError, match="n'est pas prêt"):
        wait_ready(9, 0.1)


class Deployed:
    """A machine whose containers are only counted: what is asked of them, and whom nginx asks."""

    def __init__(self, told: Told, *, ill: dict[str, str] | None = None) -> None:
        self.host = LocalHost()
        self.asked: list[tuple[str, list[str]]] = []
        self._told, self._ill = told, ill or {}

    def compose(self, _release: str, *words: str) -> str:
        self.asked.append((words[-1], self._told.said[-1:]))
        return ""

    def healthy(self, _release: str, service: str, _seconds: float) -> str | None:
        return self._ill.get(service)

    def last_words(self, _release: str, service: str) -> str:
        return f"{service} | a mal fini"


WANTED = Activation("api", "r2", {"api-8090": 8090, "api-8091": 8091})


def test_a_release_restarts_each_set_while_nginx_asks_the_other(tmp_path: Path) -> None:
    told = Told(tmp_path)
    site = Deployed(told)
    activate = behind_nginx(str(told.file), told.front.reload, lambda _: None, settle=0)
    activate(cast("Site", site), WANTED)
    assert site.asked == [("api-8090", ["8091"]), ("api-8091", ["8090"])]
    assert told.said == ["8091", "8090", "8090 8091"]


def test_a_release_that_is_ill_leaves_its_set_aside(tmp_path: Path) -> None:
    told = Told(tmp_path)
    site = Deployed(told, ill={"api-8090": ""})
    activate = behind_nginx(str(told.file), told.front.reload, lambda _: None, settle=0)
    with pytest.raises(DeploymentError, match=r"api-8090 \| a mal fini"):
        activate(cast("Site", site), WANTED)
    assert told.said == ["8091"]


def test_a_probe_that_fails_without_a_word_is_a_failure(tmp_path: Path) -> None:
    site = Deployed(Told(tmp_path), ill={"api-8090": ""})
    with pytest.raises(DeploymentError, match="sa sonde échoue sans rien dire"):
        in_turn(cast("Site", site), WANTED)


def test_the_set_that_is_ill_is_changed_before_the_one_that_serves(tmp_path: Path) -> None:
    site = Deployed(Told(tmp_path), ill={"api-8091": "starting"})
    with pytest.raises(DeploymentError):
        in_turn(cast("Site", site), WANTED)
    assert [name for name, _ in site.asked] == ["api-8091"]


def test_models_and_a_release_that_serves_already_leave_nginx_alone(tmp_path: Path) -> None:
    told = Told(tmp_path)
    activate = behind_nginx(str(told.file), told.front.reload, lambda _: None, settle=0)
    site = cast("Site", Deployed(told))
    activate(site, Activation("llm", "r2", {"llm-m": 8000}))
    activate(site, Activation("api", "r2", {"api-8090": 8090}, anew=False))
    assert told.said == []


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["sh", "-c", "echo non >&2; exit 3"], "a échoué (3) : non"),
        (["un-programme-absent"], "Le programme « un-programme-absent » est introuvable"),
    ],
)
def test_a_command_that_fails_says_so(command: Sequence[str], said: str) -> None:
    with pytest.raises(DeploymentError) as failed:
        run(command)
    assert said in str(failed.value)
