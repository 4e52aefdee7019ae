"""``albert whitelist``, typed in a terminal, on a small real corpus."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from albert.corpus.build import Inputs
from albert.corpus.build import build as build_corpus

pytestmark = pytest.mark.integration

FIXTURES = Path(__file__).parents[1] / "fixtures"
ALBERT = [sys.executable, "-m", "albert"]
EARLIER = [sys.executable, "-c", "from albert.cli.earlier import main; main()"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    inputs = [
        Inputs("service-public", FIXTURES / "service-public" / "json", "1"),
        Inputs("directory", FIXTURES / "directory", "1"),
    ]
    build_corpus(inputs, folder / "corpus.sqlite", tokens=220, workers=1, progress=lambda *_: None)
    return folder


def type_in(home: Path, *words: str, by: list[str] = ALBERT) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.defpath, "HOME": str(home), "ALBERT_HOME": str(home)}
    if source := os.environ.get("PYTHONPATH"):
        environment["PYTHONPATH"] = source
    return subprocess.run(
        [*by, *words], capture_output=True, text=True, env=environment, check=False, timeout=60
    )


def test_a_text_is_shown_as_the_guard_lets_it_pass(home: Path) -> None:
    text = "Appelez le 3939 ou écrivez à faux@exemple.org, voir https://impots-gouv.exemple/rsa."
    checked = type_in(home, "whitelist", "check", text, "--json")

    told = json.loads(checked.stdout)
    assert checked.returncode == 1
    assert told["text"] == "Appelez le 3939 ou écrivez à [MAIL MASQUÉ], voir [URL MASQUÉE]."
    assert [finding["kind"] for finding in told["findings"]] == ["mail", "url"]


def test_a_text_without_a_fault_exits_with_0(home: Path) -> None:
    checked = type_in(home, "whitelist", "check", "Le passeport coûte 86 € en 2020.")
    assert (checked.returncode, checked.stdout) == (0, "Le passeport coûte 86 € en 2020.\n")


def test_the_page_of_a_sheet_is_known(home: Path) -> None:
    page = "https://www.service-public.fr/particuliers/vosdroits/F1001"
    build = type_in(home, "whitelist", "build", "--force")
    assert build.returncode == 0, build.stderr
    assert type_in(home, "whitelist", "check", f"Voir {page}").returncode == 0
    assert type_in(home, "whitelist", "check", f"Voir {page}9").returncode == 1


@pytest.mark.parametrize("options", [(), ("--config-file", "whitelist_config.json")])
def test_the_earlier_command_still_works(home: Path, options: tuple[str, ...]) -> None:
    done = type_in(home, "create_whitelist", *options, by=EARLIER)
    assert done.returncode == 0, done.stderr
    assert "albert whitelist build" in done.stderr + done.stdout
