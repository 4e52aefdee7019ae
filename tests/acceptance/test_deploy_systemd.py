"""``albert deploy systemd``: what it writes, what it leaves alone, what it refuses."""

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from model_store import store_of

pytestmark = pytest.mark.acceptance
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may act for another account")

PROD = {
    "ENV": "prod",
    "SECRET_KEY": "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c",
    "FIRST_ADMIN_PASSWORD": "Zx9#kQ2vLm8wRt4y",
    "POSTGRES_HOST": "127.0.0.1",
    "POSTGRES_PASSWORD": "Kj8nWq3xVb6mPz1c",
}
SMALL = {"driver": "llama.cpp", "file": "/srv/m.gguf", "replicas": [{"port": 8001}]}


@dataclass
class Machine:
    folder: Path

    @property
    def units(self) -> Path:
        return self.folder / "units"

    @property
    def config(self) -> Path:
        return self.folder / "config"

    def deploy(
        self,
        values: Mapping[str, str],
        *more: str,
        table: Mapping[str, object] | None = None,
        user: str = "",
    ) -> subprocess.CompletedProcess[str]:
        values = dict(values)
        if table is not None:
            values["ALBERT_ROUTING_TABLE"] = str(self.folder / "table.json")
            (self.folder / "table.json").write_text(json.dumps(table), "utf-8")
        lines = [f"{name}='{value}'\n" for name, value in values.items()]
        env_file = self.folder / "prod.env"
        env_file.write_text("".join(lines), "utf-8")
        folders = ["--output", str(self.units), "--config", str(self.config)]
        user = user or pwd.getpwuid(os.geteuid()).pw_name
        return subprocess.run(
            [
                *(sys.executable, "-m", "albert", "deploy", "systemd"),
                *("--env-file", str(env_file), *folders, "--user", user, *more),
            ],
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def written(self, values: Mapping[str, str], table: Mapping[str, object] | None = None) -> str:
        done = self.deploy(values, table=table)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def files(self) -> dict[str, tuple[str, int]]:
        """Return what is there, by its name: its text, and when it was written."""
        found = [*self.units.glob("*"), *self.config.glob("*")]
        return {one.name: (one.read_text("utf-8"), one.stat().st_mtime_ns) for one in found}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_secrets_are_for_their_owner_and_units_for_all(machine: Machine) -> None:
    machine.written(PROD)
    modes = {one.name: one.stat().st_mode & 0o777 for one in machine.config.iterdir()}
    assert set(modes) == {"api.env", "corpus.env", "backup.env"}
    assert set(modes.values()) == {0o600}
    assert {one.stat().st_mode & 0o777 for one in machine.units.iterdir()} == {0o644}


def test_what_has_not_changed_is_not_written_again(machine: Machine) -> None:
    machine.written(PROD)
    before = machine.files()
    assert "Rien n'a changé." in machine.written(PROD)
    assert machine.files() == before


def test_a_change_is_told_with_what_makes_it_run(machine: Machine) -> None:
    machine.written(PROD, table={"petit": SMALL})
    said = machine.written({**PROD, "ALBERT_RESUME_SECONDS": "7"}, table={"petit": SMALL})
    assert f"modifié : {machine.config / 'api.env'}" in said
    assert "systemctl restart albert-api@8090.service" in said
    assert "restart albert-llm-petit" not in said


def test_a_model_that_left_the_table_leaves_the_machine(machine: Machine) -> None:
    machine.written(PROD, table={"petit": SMALL})
    said = machine.written(PROD, table={})
    assert f"retiré : {machine.units / 'albert-llm-petit.service'}" in said
    assert "systemctl stop albert-llm-petit.service" in said
    assert "petit" not in " ".join(machine.files())


def test_the_files_of_others_are_left_alone(machine: Machine) -> None:
    machine.written(PROD)
    mine = [machine.units / "albert-mien.service", machine.config / "mien.env"]
    for one in mine:
        one.write_text("[Unit]\n", "utf-8")
    machine.written(PROD)
    assert all(one.exists() for one in mine)


def test_a_dry_run_tells_and_writes_nothing(machine: Machine) -> None:
    done = machine.deploy(PROD, "--dry-run")
    assert f"créé : {machine.units / 'albert.target'}" in done.stdout
    assert done.returncode == 0, done.stderr
    assert not machine.units.exists()
    assert not machine.config.exists()


def test_a_dry_run_tells_what_would_keep_it_from_running(machine: Machine) -> None:
    done = machine.deploy({**PROD, "ALBERT_BACKUPS": "/nowhere/b"}, "--dry-run")
    assert f"créé : {machine.units / 'albert.target'}" in done.stdout
    assert done.returncode == 1
    assert "Erreur : ALBERT_BACKUPS" in done.stderr


def test_folders_of_the_account_may_be_anywhere(machine: Machine) -> None:
    places = {"ALBERT_BACKUPS": machine.folder / "b", "ALBERT_AUTH_LOG": machine.folder / "a.log"}
    places["ALBERT_BACKUPS"].mkdir()
    machine.written({**PROD, **{name: str(place) for name, place in places.items()}})


@only_root
@pytest.mark.parametrize(
    ("variable", "said", "advised"),
    [
        ("ALBERT_AUTH_LOG", "/var/log/albert-auth.log", "/var/log/albert/auth.log"),
        ("ALBERT_BACKUPS", "/srv", "/srv/albert"),
    ],
)
def test_a_folder_of_the_system_is_not_given_to_the_account(
    machine: Machine, variable: str, said: str, advised: str
) -> None:
    done = machine.deploy({**PROD, variable: said}, user="www-data")
    assert done.returncode == 1
    assert f"{variable}={advised}" in done.stderr
    assert "install -d" not in done.stderr


WITHOUT = {name: {key: value for key, value in PROD.items() if key != name} for name in PROD}
EXPOSED = {**SMALL, "replicas": [{"host": "0.0.0.0", "port": 8001}]}  # noqa: S104 — refused
OF_THE_HUB = {"driver": "llama.cpp", "hf_repo_id": "a/m"}
KEYED = {**SMALL, "replicas": [{"port": 8001, "key_variable": "CLE"}]}


@pytest.mark.parametrize(
    ("values", "table", "told"),
    [
        (WITHOUT["SECRET_KEY"], None, "SECRET_KEY"),
        (WITHOUT["FIRST_ADMIN_PASSWORD"], None, "FIRST_ADMIN_PASSWORD manque"),
        (WITHOUT["POSTGRES_PASSWORD"], None, "POSTGRES_PASSWORD manque"),
        (WITHOUT["POSTGRES_HOST"], None, "POSTGRES_HOST"),
        ({**PROD, "ALBERT_HOME": "data"}, None, "chemin absolu"),
        ({**PROD, "ALBERT_CORPUS_FROM": "official,data"}, None, "chemin absolu"),
        ({**PROD, "ALBERT_TRUSTED_PROXIES": "abc"}, None, "ALBERT_TRUSTED_PROXIES"),
        ({**PROD, "ALBERT_WHITELIST": "/nowhere/w.txt"}, None, "liste blanche"),
        ({**PROD, "ALBERT_PROT": "1"}, None, "ALBERT_PORT"),
        ({**PROD, "ALBERT_ROUTING_TABLE": "/nowhere/t.json"}, None, "table de routage"),
        ({**PROD, "API_HOSTS": "ailleurs.invalid"}, None, "Aucun service n'est pour cette machine"),
        ({**PROD, "LLM_API_KEY": "k" * 20}, {"petit": SMALL}, "key_variable"),
        (PROD, {"petit": KEYED}, "CLE manque"),
        ({**PROD, "ALBERT_HOME": "/nowhere/albert"}, None, "install -d -m 700"),
        ({**PROD, "ALBERT_BACKUPS": "/nowhere/b"}, None, "ALBERT_BACKUPS : « /nowhere/b »"),
        ({**PROD, "ALBERT_AUTH_LOG": "/nowhere/l/a.log"}, None, "ALBERT_AUTH_LOG : « /nowhere/l »"),
        ({**PROD, "STORAGE_PATH": "/nowhere/m"}, {"m": OF_THE_HUB}, "STORAGE_PATH : « /nowhere/m"),
    ],
)
def test_what_could_not_run_is_refused_before_anything_is_written(
    machine: Machine, values: dict[str, str], table: dict[str, object] | None, told: str
) -> None:
    done = machine.deploy(values, table=table)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Erreur : ")
    assert told in done.stderr
    assert not machine.units.exists()
    assert not machine.config.exists()


def test_a_model_that_others_reach_needs_a_key(machine: Machine) -> None:
    done = machine.deploy({**PROD}, "--host", "0.0.0.0", table={"petit": EXPOSED})  # noqa: S104
    assert done.returncode == 1
    assert "donnez-la dans LLM_API_KEY" in done.stderr


def test_a_user_that_is_not_there_is_named_with_what_creates_it(machine: Machine) -> None:
    done = machine.deploy(PROD, user="personne-ici")
    assert done.returncode == 1
    assert "sudo useradd --system" in done.stderr
    assert not machine.units.exists()


def test_a_unit_that_is_not_ours_is_not_replaced(machine: Machine) -> None:
    machine.units.mkdir()
    own = machine.units / "albert.target"
    own.write_text("[Unit]\n", "utf-8")
    done = machine.deploy(PROD)
    assert done.returncode == 1
    assert "n'a pas été écrit par" in done.stderr
    assert (own.read_text("utf-8"), machine.config.exists()) == ("[Unit]\n", False)


def test_the_file_of_the_environment_is_not_written_over(machine: Machine) -> None:
    machine.config.mkdir()
    (machine.config / "api.env").symlink_to(machine.folder / "prod.env")
    done = machine.deploy(PROD, "--env-file", str(machine.config / "api.env"))
    assert done.returncode == 1
    assert "porte le nom d'un fichier à écrire" in done.stderr


@pytest.fixture
def shared(machine: Machine) -> Path:
    """A model in a store of root's, that every account may read."""
    for folder in (machine.folder, *machine.folder.parents[:2]):
        folder.chmod(0o755)
    return store_of(machine.folder / "models", "a/m")


def told_of_storage(machine: Machine, storage: Path, repository: str) -> str:
    """Return what is refused; that the account cannot run a clone of root's comes after."""
    table = {"petit": {**SMALL, "file": "", "hf_repo_id": repository}}
    done = machine.deploy({**PROD, "STORAGE_PATH": str(storage)}, table=table, user="www-data")
    return done.stderr if "STORAGE_PATH" in done.stderr else ""


@only_root
def test_the_models_of_a_shared_store_need_only_be_readable(machine: Machine, shared: Path) -> None:
    assert told_of_storage(machine, shared, "a/m") == ""
    (shared / "a--m").chmod(0o700)
    assert "www-data ne peut pas lire" in told_of_storage(machine, shared, "a/m")


@only_root
def test_a_shared_store_that_lacks_a_model_is_refused(machine: Machine, shared: Path) -> None:
    told = told_of_storage(machine, shared, "a/other")
    assert "www-data, qui doit y télécharger « petit »" in told
    assert f"STORAGE_PATH={shared}/albert" in told
