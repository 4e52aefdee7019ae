"""What the README and the guide say works, run as it stands there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from service import ROOT, Running, environment

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.skipif(
        shutil.which("npm") is None, reason="no npm client: the sheets cannot be fetched"
    ),
]

README = (ROOT / "README.md").read_text("utf-8")
SOURCE = re.compile(r"https://www\.service-public\.fr/\S+")
DATE = re.compile(r"fiche du \d{1,4}[-/]\d{2}[-/]\d{2,4}")


GUIDE = (ROOT / "docs" / "guide.md").read_text("utf-8")


def blocks(language: str, page: str = README) -> list[str]:
    return re.findall(rf"```{language} acceptance\n(.*?)```", page, re.DOTALL)


def here(block: str, env: dict[str, str]) -> str:
    """Return a block of a page with the port and the data folder of the test."""
    return block.replace(":8090", f":{env['ALBERT_PORT']}").replace(
        "~/.local/share/albert", env["ALBERT_HOME"]
    )


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return environment(tmp_path_factory.mktemp("albert") / "home")


@pytest.fixture(scope="module")
def service(env: dict[str, str]) -> Iterator[Running]:
    running = Running(env)
    try:
        running.wait_ready(300)
        yield running
    finally:
        running.interrupt()


def run(command: list[str], env: dict[str, str]) -> str:
    done = subprocess.run(
        command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def left_of(pids: list[int]) -> list[int]:
    """Return those that still run after a moment: some end on seeing their parent gone."""
    for _ in range(50):
        pids = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
        if not pids:
            break
        time.sleep(0.1)
    return pids


@pytest.mark.parametrize("block", blocks("sh"))
def test_a_shell_block_of_the_readme_answers_with_its_source_and_date(
    block: str, service: Running, env: dict[str, str]
) -> None:
    command = block.replace(".venv/bin/albert", f"'{sys.executable}' -m albert")
    said = run(["bash", "-euc", command], env)
    assert SOURCE.search(said)
    assert DATE.search(said)


@pytest.mark.parametrize("block", blocks("python"))
def test_the_openai_client_of_the_readme_gets_an_answer_with_its_source(
    block: str, service: Running, env: dict[str, str]
) -> None:
    said = run([sys.executable, "-c", here(block, env)], env)
    assert SOURCE.search(said)
    assert DATE.search(said)


@pytest.mark.parametrize("block", blocks("sh", GUIDE))
def test_a_search_of_the_guide_finds_a_sheet(
    block: str, service: Running, env: dict[str, str]
) -> None:
    found = json.loads(run(["bash", "-euc", here(block, env)], env))
    for sheet in found if isinstance(found, list) else [found]:
        assert SOURCE.search(sheet["url"])
        assert sheet["text"]


def test_the_pages_have_blocks_to_run() -> None:
    assert (len(blocks("sh")), len(blocks("python")), len(blocks("sh", GUIDE))) == (2, 1, 2)


def test_the_quote_in_the_readme_is_word_for_word_in_its_sheet(
    service: Running, env: dict[str, str]
) -> None:
    """Which sheets come first depends on how far the vectors are; what they say does not."""
    shown = " ".join(re.findall(r"^> (.*)$", README, re.MULTILINE))
    quote = shown.removesuffix(" [1]")
    assert quote in run([sys.executable, "-m", "albert", "corpus", "show", "F10027"], env)


def test_ctrl_c_ends_every_process_and_a_second_start_learns_nothing_again(
    service: Running, env: dict[str, str]
) -> None:
    began = service.children()
    assert service.interrupt() == 0
    assert not left_of(began)

    again = Running(env)
    try:
        again.wait_ready(60)
        assert "Téléchargement" not in again.said
        assert "Lecture des fiches" not in again.said
    finally:
        again.interrupt()


def test_make_run_starts_the_installed_program() -> None:
    said = run(["make", "-n", "run"], {"PATH": "/usr/local/bin:/usr/bin:/bin"})
    assert "exec .venv/bin/albert up" in said
