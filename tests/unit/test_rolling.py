"""Workers restarted one at a time: whom nginx is told to ask, and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest

from albert.deploy.activation import Activation, BehindNginx, in_turn
from albert.deploy.hosts import LocalHost, run
from albert.deploy.rolling import Front, roll, upstream, wait_ready
from albert.deploy.site import Site
from albert.domain.errors import DeploymentError

ROOT = Path(__file__).parents[2]
WORKERS = {"8090": "127.0.0.1:8090", "8091": "127.0.0.1:8091"}
ALONE = {"8090": "127.0.0.1:8090"}


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


@dataclass
class Workers:
    """Those that are well; each restart is written down with whom nginx asks meanwhile."""

    told: Told
    well: set[str] = field(default_factory=lambda: set(WORKERS))
    story: list[tuple[str, list[str]]] = field(default_factory=list)
    spoken: list[str] = field(default_factory=list)

    def restart(self, name: str) -> None:
        self.story.append((name, self.told.said[-1:]))
        self.well.add(name)

    def roll(
        self,
        restart: Callable[[str], None] | None = None,
        workers: Mapping[str, str] = WORKERS,
    ) -> None:
        again, well = restart or self.restart, self.well.__contains__
        roll(self.told.front, workers, again, well, self.spoken.append)


def test_each_worker_restarts_while_the_others_are_asked(tmp_path: Path) -> None:
    workers = Workers(Told(tmp_path))
    workers.roll()
    assert workers.story == [("8090", ["8091"]), ("8091", ["8090"])]
    assert workers.told.said == ["8091", "8090", "8090 8091"]


def test_a_worker_that_does_not_come_back_is_left_aside(tmp_path: Path) -> None:
    told = Told(tmp_path)

    def fails(name: str) -> None:
        raise DeploymentError(f"{name} est mort")

    with pytest.raises(DeploymentError, match="8090 est mort"):
        Workers(told).roll(fails)
    assert told.file.read_text() == upstream(["127.0.0.1:8091"])


def test_the_one_that_is_dead_restarts_first_and_is_never_alone_to_be_asked(tmp_path: Path) -> None:
    workers = Workers(Told(tmp_path), well={"8090"})
    workers.roll()
    assert workers.story == [("8091", ["8090"]), ("8090", ["8091"])]


def test_all_dead_nginx_is_told_of_those_that_came_back_only(tmp_path: Path) -> None:
    workers = Workers(Told(tmp_path), well=set())
    workers.roll()
    assert workers.story == [("8090", []), ("8091", ["8090"])]
    assert workers.told.said == ["8090", "8090 8091"]


def test_the_last_one_that_answers_is_not_restarted(tmp_path: Path) -> None:
    """The first came back, then died while the second waited for its turn."""
    workers = Workers(Told(tmp_path))

    def restart(name: str) -> None:
        workers.story.append((name, []))
        workers.well.discard(name)

    with pytest.raises(DeploymentError, match="8091 est seul à répondre"):
        workers.roll(restart)
    assert workers.story == [("8090", [])]
    assert workers.told.file.read_text() == upstream(["127.0.0.1:8091"])


def test_run_again_it_begins_with_the_one_that_is_not_asked(tmp_path: Path) -> None:
    """After the second failed, the first alone serves: it must not be the next to stop."""
    workers = Workers(Told(tmp_path))
    workers.told.file.write_text(upstream(["127.0.0.1:8090"]))
    workers.roll()
    assert workers.story == [("8091", ["8090"]), ("8090", ["8091"])]
    assert workers.told.file.read_text() == upstream(list(WORKERS.values()))


def test_what_nginx_refuses_is_put_back(tmp_path: Path) -> None:
    told = Told(tmp_path, refuses=True)
    before = told.file.read_text()
    with pytest.raises(DeploymentError):
        Workers(told).roll()
    assert told.file.read_text() == before


def test_a_file_that_nobody_installed_is_not_made(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.file.unlink()
    with pytest.raises(DeploymentError):
        told.front.show(["127.0.0.1:8090"])
    assert not told.file.exists()


def test_a_worker_alone_is_restarted_and_that_it_interrupts_is_said(tmp_path: Path) -> None:
    workers = Workers(Told(tmp_path))
    workers.roll(workers=ALONE)
    assert [name for name, _ in workers.story] == ["8090"]
    assert "s'interrompt" in workers.spoken[0]


def test_the_file_of_the_repository_is_what_is_written() -> None:
    written = (ROOT / "contrib" / "nginx" / "albert-upstream.conf").read_text()
    block = written[written.index("upstream") :]
    assert block == upstream(list(WORKERS.values()))


@pytest.mark.parametrize(
    ("missing", "reload", "said"),
    [
        ("upstream.conf", "true", "n'existe pas : installez nginx"),
        ("", "sh -c 'echo refused; exit 1'", r"rien n'a été changé : .* a échoué \(1\) : refused"),
        ("", "un-programme-absent", "introuvable"),
        ("", "", "albert-reload.path ne surveille pas"),
    ],
)
def test_nginx_that_cannot_be_told_is_one_sentence(
    tmp_path: Path, missing: str, reload: str, said: str
) -> None:
    told = Told(tmp_path)
    if missing:
        (tmp_path / missing).unlink()
    with pytest.raises(DeploymentError, match=said):
        Front(LocalHost(), str(told.file), reload).check()


def test_nginx_that_can_be_told_reads_its_file_as_it_is(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.front.check()
    assert told.said == ["8090 8091"]


def test_nobody_ready_is_one_sentence() -> None:
    with pytest.raises(DeploymentError, match="n'est pas prêt"):
        wait_ready(9, 0.1)


class Deployed:
    """A machine whose containers are only counted: what is asked of them, and whom nginx asks."""

    def __init__(
        self, told: Told, *, ill: dict[str, str] | None = None, dead: Sequence[str] = ()
    ) -> None:
        self.host = LocalHost()
        self.asked: list[tuple[str, list[str]]] = []
        self._told, self._ill, self._dead = told, ill or {}, set(dead)

    def compose(self, _release: str, *words: str) -> str:
        self.asked.append((words[-1], self._told.said[-1:]))
        self._dead.discard(words[-1])
        return ""

    def healthy(self, _release: str, service: str, _seconds: float) -> str | None:
        return "" if service in self._dead else self._ill.get(service)

    def last_words(self, _release: str, service: str) -> str:
        return f"{service} | a mal fini"


def behind(told: Told) -> BehindNginx:
    return BehindNginx(str(told.file), told.front.reload, lambda _: None, settle=0)


WANTED = Activation("api", "r2", {"api-8090": 8090, "api-8091": 8091})


def test_a_release_restarts_each_set_while_nginx_asks_the_other(tmp_path: Path) -> None:
    told = Told(tmp_path)
    site = Deployed(told)
    behind(told)(cast("Site", site), WANTED)
    assert site.asked == [("api-8090", ["8091"]), ("api-8091", ["8090"])]
    assert told.said == ["8091", "8090", "8090 8091"]


def test_a_release_that_is_ill_leaves_its_set_aside(tmp_path: Path) -> None:
    told = Told(tmp_path)
    site = Deployed(told, ill={"api-8090": ""})
    with pytest.raises(DeploymentError, match=r"api-8090 \| a mal fini"):
        behind(told)(cast("Site", site), WANTED)
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


def test_a_fix_is_released_to_the_dead_set_while_nginx_asks_the_one_that_serves(
    tmp_path: Path,
) -> None:
    told = Told(tmp_path)
    site = Deployed(told, dead=["api-8091"])
    behind(told)(cast("Site", site), WANTED)
    assert site.asked == [("api-8091", ["8090"]), ("api-8090", ["8091"])]
    assert told.said == ["8090", "8091", "8090 8091"]


def test_models_and_a_release_that_serves_already_leave_nginx_alone(tmp_path: Path) -> None:
    told = Told(tmp_path)
    site = cast("Site", Deployed(told))
    behind(told)(site, Activation("llm", "r2", {"llm-m": 8000}))
    behind(told)(site, replace(WANTED, anew=False))
    assert told.said == []


def test_a_release_that_serves_already_has_nginx_ask_every_set_again(tmp_path: Path) -> None:
    """A deployment was killed while the first set restarted."""
    told = Told(tmp_path)
    told.file.write_text(upstream(["127.0.0.1:8091"]))
    behind(told)(cast("Site", Deployed(told)), replace(WANTED, anew=False))
    assert told.said == ["8090 8091"]


def test_a_machine_whose_nginx_cannot_be_told_is_named(tmp_path: Path) -> None:
    site = cast("Site", Deployed(Told(tmp_path)))
    missing = BehindNginx("/nonexistent/upstream.conf", "true", lambda _: None)
    with pytest.raises(DeploymentError, match=r"localhost : « /nonexistent/upstream\.conf »"):
        missing.check(site)


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
