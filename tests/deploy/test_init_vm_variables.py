"""The variables of ``init_vm.sh`` from an environment's file: read as Albert reads it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from debian_roots import DebianRoot
from new_machine import GIVEN, KEY, LOCAL, SCRIPT, bash, init_vm

from albert.deploy.env_file import parse
from albert.domain.errors import EnvironmentInvalid

pytest_plugins = ("debian_fixtures",)

EXAMPLE = Path(__file__).parents[2] / "contrib/environments/exemple.env"


def read(root: DebianRoot, text: str, **exported: str) -> str:
    """What the password is then, or the sentence of a refusal."""
    shutil.copy(SCRIPT, root.path / "init_vm.sh")
    (root.path / "main.env").write_text(text)
    commands = '. /init_vm.sh; read_variables main.env; printf %s "$GITLAB_PASSWORD"'
    done = root.run(["bash", "-euc", commands], given=exported)
    return done.stdout or done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "GITLAB_PASSWORD=simple",
        "GITLAB_PASSWORD='deux mots # $HOME'",
        'GITLAB_PASSWORD="deux mots"   # dit pourquoi',
        "GITLAB_PASSWORD='deux mots' # dit pourquoi",
        "GITLAB_PASSWORD=mot   # dit pourquoi",
        "GITLAB_PASSWORD=mot#suite",
        "GITLAB_PASSWORD='mot$(touch /owned)'",
        "GITLAB_PASSWORD=mot`touch /owned`",
        "export GITLAB_PASSWORD = espaces  ",
        "GITLAB_PASSWORD=sous=windows\r\n",
        "GITLAB_PASSWORD=#",
        "# GITLAB_PASSWORD=non\n\nENV=main\nGITLAB_PASSWORD=oui\nMY_GITLAB_PASSWORD=non",
    ],
)
def test_a_line_is_read_as_albert_reads_it(line: str, bare_root: DebianRoot) -> None:
    assert read(bare_root, line) == parse(line, "")["GITLAB_PASSWORD"]
    assert not (bare_root.path / "owned").exists()


def test_what_is_exported_wins(bare_root: DebianRoot) -> None:
    assert read(bare_root, "GITLAB_PASSWORD=file", GITLAB_PASSWORD="exported") == "exported"  # noqa: S106


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("GITLAB_PASSWORD='coupé", "ligne 1 : mettez la valeur de GITLAB_PASSWORD entre deux"),
        ("ENV=x\nGITLAB_PASSWORD='l'un'", "ligne 2 : mettez la valeur"),
        ("GITLAB_PASSWORD=mot$(touch /owned)", "ligne 1 : mettez la valeur"),
        ('GITLAB_PASSWORD="mot$HOME"', "ligne 1 : mettez la valeur"),
        ("GITLAB_PASSWORD=a\\b", "ligne 1 : mettez la valeur"),
        ("GITLAB_PASSWORD=a\nGITLAB_PASSWORD=b", "ligne 2 : GITLAB_PASSWORD est déjà donnée"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(text: str, reason: str, bare_root: DebianRoot) -> None:
    said = read(bare_root, text)
    with pytest.raises(EnvironmentInvalid):
        parse(text, "")
    assert said.startswith("Erreur : main.env, ligne ")
    assert reason in said


def test_the_file_of_the_environment_is_enough(spare: DebianRoot) -> None:
    """The whole example, its two lines filled in; another password is what there is to do."""
    filled = EXAMPLE.read_text("utf-8").replace(
        "# GITLAB_PASSWORD=", "GITLAB_PASSWORD='un autre mot'"
    )
    lines = [line for line in filled.splitlines() if "GITLAB_SSH_PUBLIC_KEY" not in line]
    (spare.path / "main.env").write_text("\n".join([*lines, f"GITLAB_SSH_PUBLIC_KEY='{KEY}'"]))
    done = init_vm(spare, *LOCAL, "--env-file", "main.env", given={})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("- donner son mot de passe à gitlab\nLa machine est prête.\n")
    again = init_vm(spare, *LOCAL, "--env-file", "main.env", given=GIVEN)
    assert "donner son mot de passe" in again.stdout
    assert bash(spare, "cat ~gitlab/.ssh/authorized_keys") == f"{KEY}\n"
