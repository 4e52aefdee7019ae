"""``albert doctor``, as an administrator types it on a machine that is ready, or is not."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from model_store import store_of
from service import Running

pytestmark = pytest.mark.acceptance

SECRET = "0f6b2c7d9e1a4835b0c2d4e6f8a1b3c5"  # noqa: S105 — of this test
WHOLE_SECONDS = 40
"""A bound for a busy machine: one by one, the hosts that hang would take longer."""


def doctor(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "albert", *words],
        env={**kept, **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WHOLE_SECONDS,
    )


def findings(done: subprocess.CompletedProcess[str]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(done.stdout)
    return found


def of(done: subprocess.CompletedProcess[str], check: str) -> list[tuple[str, str]]:
    return [(one["level"], one["said"]) for one in findings(done) if one["check"] == check]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        port: int = chosen.getsockname()[1]
        return port


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    path = tmp_path / "essai.env"
    write(path, ALBERT_HOME=str(tmp_path / "home"), API_PORTS=str(free_port()))
    return path


def write(path: Path, **values: str) -> None:
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()), "utf-8")


def test_a_machine_that_is_ready_is_told_so_and_nothing_is_made(env_file: Path) -> None:
    done = doctor("doctor", "--env-file", str(env_file))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("0 erreur(s), ")
    assert not (env_file.parent / "home").exists()


def test_a_store_that_has_every_model_is_neither_measured_nor_written(env_file: Path) -> None:
    storage = store_of(env_file.parent / "models", "a/m")
    table = env_file.parent / "table.json"
    model = {"driver": "llama.cpp", "hf_repo_id": "a/m", "replicas": [{"port": free_port()}]}
    table.write_text(json.dumps({"petit": model}))
    write(env_file, ALBERT_ROUTING_TABLE=str(table), STORAGE_PATH=str(storage))
    done = doctor("doctor", "--env-file", str(env_file), "--json")
    told = f"STORAGE_PATH : chaque modèle de la table est dans « {storage} »."
    assert ("ok", told) in of(done, "Disque")


def test_the_file_of_the_whole_program_is_the_same_file(env_file: Path) -> None:
    done = doctor("--env-file", str(env_file), "doctor", "--json")
    assert of(done, "Fichier") == [("ok", f"« {env_file} » : 2 variables, toutes connues.")]


def test_addresses_that_are_none_are_errors_and_the_rest_is_told(env_file: Path) -> None:
    write(
        env_file,
        ALBERT_HOME=str(env_file.parent / "home"),
        API_PORTS=str(free_port()),
        FRONT_URL="https://albert.exemple.fr:port",
        POSTGRES_URI="postgresql://a:motdepasse@[::1/n",
    )
    done = doctor("doctor", "--env-file", str(env_file), "--json")
    assert (done.returncode, done.stderr) == (1, "")
    assert of(done, "Certificats") == [("error", "Une adresse des réglages est mal formée.")]
    assert of(done, "Base de données") == [
        ("error", "POSTGRES_URI n'est pas une adresse : corrigez-la.")
    ]
    assert "FRONT_URL" in " ".join(said for level, said in of(done, "Réglages"))
    assert of(done, "Ports")
    assert "motdepasse" not in done.stdout


def test_values_that_cannot_be_are_told_together(env_file: Path) -> None:
    write(
        env_file,
        ENV="main",
        ALBERT_HOME=str(env_file.parent / "home"),
        API_PORTS=str(free_port()),
        ALBERT_TRUSTED_PROXIES="abc",
        API_MEMORY="beaucoup",
        POSTGRES_HOST="127.0.0.1",
        POSTGRES_PORT=str(free_port()),
        SECRET_KEY=SECRET,
    )
    done = doctor("doctor", "--env-file", str(env_file), "--json")
    told = [said.split()[0] for level, said in of(done, "Réglages") if level == "error"]
    assert told == ["ALBERT_TRUSTED_PROXIES", "API_MEMORY", "POSTGRES_PASSWORD"]


def test_an_error_is_the_exit_status_and_says_what_to_do(env_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        write(env_file, ALBERT_HOME=str(env_file.parent / "home"), API_PORTS=port)
        done = doctor("doctor", "--env-file", str(env_file))
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    (said,) = [number for number, line in enumerate(lines) if line.startswith("ERREUR")]
    assert f"Port {port}" in lines[said]
    assert lines[said + 1].strip().startswith("→ ")


def test_settings_that_cannot_be_are_one_error(env_file: Path) -> None:
    write(env_file, ALBERT_PORT="http")
    done = doctor("doctor", "--env-file", str(env_file), "--json")
    assert done.returncode == 1
    ((level, said),) = of(done, "Réglages")
    assert level == "error"
    assert said.startswith("Le réglage ALBERT_PORT ne peut pas valoir 'http'")


def test_secrets_are_judged_and_never_shown(env_file: Path) -> None:
    write(
        env_file,
        ENV="main",
        ALBERT_HOME=str(env_file.parent / "home"),
        API_PORTS=str(free_port()),
        SECRET_KEY="secret" * 8,
        FIRST_ADMIN_PASSWORD="azerty12345",  # noqa: S106 — weak, which is the point
        POSTGRES_HOST="inexistant.invalid",
        POSTGRES_PASSWORD=SECRET,
        CLE_INCONNUE=SECRET,
    )
    env_file.chmod(0o644)
    done = doctor("doctor", "--env-file", str(env_file), "--json")
    assert done.returncode == 1
    told = {said.split()[0] for level, said in of(done, "Réglages") if level == "error"}
    assert told == {"SECRET_KEY", "FIRST_ADMIN_PASSWORD"}
    assert [level for level, _ in of(done, "Fichier")] == ["warning", "error"]
    assert [level for level, _ in of(done, "Base de données")] == ["error"]
    printed = done.stdout + done.stderr
    assert not [secret for secret in (SECRET, "secret" * 8, "azerty12345") if secret in printed]


@pytest.fixture
def mute() -> Iterator[list[int]]:
    """Ports that let everybody in and say nothing."""
    with ExitStack() as stack:
        listeners = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=16))
            for _ in range(6)
        ]
        yield [listener.getsockname()[1] for listener in listeners]


def test_hosts_that_hang_are_told_all_at_once(env_file: Path, mute: list[int]) -> None:
    database, mail, front, *models = map(str, mute)
    table = env_file.with_name("table.json")
    replicas = [{"host": f"https://127.0.0.1:{port}/v1"} for port in models]
    table.write_text(json.dumps({"loin": {"driver": "openai", "replicas": replicas}}), "utf-8")
    write(
        env_file,
        ALBERT_HOME=str(env_file.parent / "home"),
        ALBERT_ROUTING_TABLE=str(table),
        API_PORTS=str(free_port()),
        POSTGRES_HOST="127.0.0.1",
        POSTGRES_PORT=database,
        SMTP_HOST="127.0.0.1",
        SMTP_PORT=mail,
        FRONT_URL=f"https://127.0.0.1:{front}",
    )
    done = doctor("doctor", "--env-file", str(env_file), "--json")
    assert done.returncode == 1
    assert [level for level, _ in of(done, "Base de données")] == ["error"]
    assert [level for level, _ in of(done, "Courriels")] == ["error"]
    assert [level for level, _ in of(done, "Adresses")] == ["error"] * 3
    assert [level for level, _ in of(done, "Certificats")] == ["warning"] * 4
    assert "Traceback" not in done.stderr


DEAF = """
import socket, time
known = socket.getaddrinfo

def hangs(host, *words, **more):
    if str(host).endswith(".invalid"):
        time.sleep(600)
    return known(host, *words, **more)

socket.getaddrinfo = hangs

from albert.cli.main import main

main()
"""
"""The program, where no name server answers."""


def test_names_that_nobody_looks_up_do_not_keep_the_program(env_file: Path) -> None:
    table = env_file.with_name("table.json")
    replica = {"host": "https://ia.invalid/v1"}
    table.write_text(json.dumps({"loin": {"driver": "openai", "replicas": [replica]}}), "utf-8")
    write(
        env_file,
        ALBERT_HOME=str(env_file.parent / "home"),
        ALBERT_ROUTING_TABLE=str(table),
        API_HOSTS="localhost,api2.invalid,api3.invalid",
        POSTGRES_HOST="bases.invalid",
        SMTP_HOST="smtp.invalid",
        FRONT_URL="https://albert.invalid",
    )
    done = subprocess.run(
        [sys.executable, "-c", DEAF, "--env-file", str(env_file), "doctor", "--json"],
        env={name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ},
        capture_output=True,
        text=True,
        timeout=WHOLE_SECONDS,
    )
    assert done.returncode == 1
    assert [level for level, _ in of(done, "Adresses")] == ["error"]
    assert of(done, "Base de données") == [("error", "La base ne répond pas en 8 secondes.")]
    assert [level for level, _ in of(done, "Courriels")] == ["error"]


def test_a_port_that_our_own_service_holds_is_well(env_file: Path) -> None:
    port = free_port()
    table = env_file.with_name("table.json")
    entry = {
        "type": "embeddings",
        "driver": "embedded",
        "replicas": [{"host": "localhost", "port": port}],
    }
    table.write_text(json.dumps({"vecteurs": entry}), "utf-8")
    home = str(env_file.parent / "home")
    write(env_file, ALBERT_HOME=home, ALBERT_ROUTING_TABLE=str(table), API_PORTS=str(free_port()))
    words = ("--env-file", str(env_file), "serve", "embeddings", "--port", str(port))
    running = Running(dict(os.environ), *words, ready="répond sur")
    try:
        running.wait_ready(60)
        done = doctor("doctor", "--env-file", str(env_file), "--json")
    finally:
        running.interrupt()
    assert f"Port {port} (embeddings-vecteurs) : tenu par ce service d'Albert, qui répond." in [
        said for level, said in of(done, "Ports") if level == "ok"
    ]


def test_a_machine_that_the_plan_does_not_name_is_told(env_file: Path) -> None:
    write(env_file, ALBERT_HOME=str(env_file.parent / "home"), API_HOSTS="api1.invalid")
    unknown = doctor("doctor", "--env-file", str(env_file), "--json")
    assert unknown.returncode == 1
    ((level, said),) = of(unknown, "Réglages")
    assert (level, "api1.invalid" in said) == ("error", True)
    named = doctor("doctor", "--env-file", str(env_file), "--host", "api1.invalid", "--json")
    assert len(of(named, "Ports")) == 2


def test_a_role_keeps_the_services_of_a_kind(env_file: Path) -> None:
    table = env_file.with_name("table.json")
    table.write_text(json.dumps({"m": {"driver": "llama.cpp", "file": "m.gguf"}}), "utf-8")
    home = str(env_file.parent / "home")
    write(env_file, ALBERT_HOME=home, ALBERT_ROUTING_TABLE=str(table), API_PORTS=str(free_port()))
    done = doctor("doctor", "--env-file", str(env_file), "--host-role", "llm", "--json")
    assert [said.split(" : ")[0] for _, said in of(done, "Ports")] == ["Port 8000 (llm-m)"]
    ((level, said),) = of(done, "Moteurs")
    assert (level, "m.gguf" in said) == ("error", True)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    done = doctor("doctor", "--env-file", str(tmp_path / "aucun.env"))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "il n'existe pas" in done.stderr
