"""``albert deploy render`` and the verbs that run what it wrote, as an administrator types them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from albert.deploy.compose.folder import put
from albert.deploy.compose.render import Files
from albert.domain.errors import EnvironmentInvalid

pytestmark = pytest.mark.acceptance

PAGES = Path(__file__).parents[2] / "docs" / "deploiement"
VARIABLES = {
    "POSTGRES_HOST": "localhost",
    "POSTGRES_PASSWORD": "Zq8Kx-v2Lm9Rt4Wp",
    "SECRET_KEY": "5e1f9ac07b3d4826a8c0f1b2d3e4a596",
    "FIRST_ADMIN_PASSWORD": "Wm4tVz9KqXr2Hd8s",
}


def deploy(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "albert", "deploy", *words],
        cwd=folder,
        env={**kept, **more},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def say(folder: Path, **more: str) -> None:
    (folder / "environments").mkdir(exist_ok=True)
    lines = [f"{name}={value}" for name, value in (VARIABLES | more).items() if value]
    (folder / "environments" / "essai.env").write_text("\n".join(lines))


def content(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mode & 0o777, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    say(folder)
    done = deploy(folder, "render", "essai")
    assert (done.returncode, done.stdout) == (0, "build/essai/localhost\n"), done.stderr
    return folder


@pytest.fixture
def rendered(made: Path, tmp_path: Path) -> Path:
    """A copy of what was rendered, to change as one likes."""
    return Path(shutil.copytree(made, tmp_path, dirs_exist_ok=True))


def test_secrets_are_for_their_owner_alone(rendered: Path) -> None:
    modes = {name: mode for name, (mode, _) in content(rendered / "build" / "essai").items()}
    assert modes == {
        "localhost/compose.yml": 0o644,
        "localhost/llm_routing_table.json": 0o644,
        "localhost/env/api-8090.env": 0o600,
        "localhost/env/api-8091.env": 0o600,
        "localhost/env/setup.env": 0o600,
    }


@pytest.mark.parametrize("page", ["databases.md", "exploitation.md", "cicd.md"])
def test_services_that_a_page_has_typed_are_rendered(rendered: Path, page: str) -> None:
    typed = re.findall(r"docker compose [^`\n]*", (PAGES / page).read_text("utf-8"))
    named = set(re.findall(r"\bapi-\d+\b|\bsetup$", "\n".join(typed), re.MULTILINE))
    compose = (rendered / "build/essai/localhost/compose.yml").read_text("utf-8")
    assert named
    assert named <= set(yaml.safe_load(compose)["services"])


def test_rendered_again_nothing_changes_and_it_says_so(rendered: Path) -> None:
    before = (rendered / "build" / "essai").stat().st_ino
    done = deploy(rendered, "render", "essai")
    assert "Rien n'a changé." in done.stderr
    assert (rendered / "build" / "essai").stat().st_ino == before


def test_a_service_that_is_no_more_leaves_nothing_behind(rendered: Path) -> None:
    say(rendered, API_PORTS="9000")
    assert deploy(rendered, "render", "essai").returncode == 0
    names = [path.name for path in (rendered / "build/essai/localhost/env").iterdir()]
    assert sorted(names) == ["api-9000.env", "setup.env"]
    assert [p.name for p in (rendered / "build").iterdir() if not p.name.endswith(".lock")] == [
        "essai"
    ]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"POSTGRES_PASSWORD": ""}, "POSTGRES_PASSWORD manque"),
        ({"SECRET_KEY": "court"}, "SECRET_KEY est absent, trop court ou convenu"),
        ({"FIRST_ADMIN_PASSWORD": ""}, "FIRST_ADMIN_PASSWORD manque"),
        ({"POSTGRES_HOTS": "h"}, "POSTGRES_HOTS n'est lue par personne"),
        ({"ALBERT_PROT": "1"}, "ALBERT_PROT"),
        ({"API_HOSTS": "../../ailleurs"}, "API_HOSTS : « ../../ailleurs » n'est ni un nom"),
        ({"FRONT_URL": "albert"}, "Le réglage FRONT_URL ne peut pas valoir 'albert'"),
        ({"API_PORTS": "x"}, "API_PORTS : « x » n'est pas un port"),
        ({"ALBERT_ROUTING_TABLE": "absente.json"}, "« absente.json » ne peut pas être lue"),
        ({"MAIL_FROM": '"l\'État"'}, "MAIL_FROM : Une valeur ne peut avoir ni apostrophe"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence_and_what_was_there_stays(
    rendered: Path, wrong: dict[str, str], said: str
) -> None:
    before = content(rendered / "build")
    say(rendered, **wrong)
    done = deploy(rendered, "render", "essai")
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert content(rendered / "build") == before


@pytest.mark.parametrize("host", ["../../ailleurs", "/ailleurs", ".."])
def test_nothing_is_written_beside_the_folder(tmp_path: Path, host: str) -> None:
    files: dict[str, Files] = {host: {"compose.yml": b"x"}}
    with pytest.raises(EnvironmentInvalid, match="ne peut nommer une machine"):
        put(files, tmp_path / "build" / "essai")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_something_else_is_not_replaced(rendered: Path) -> None:
    (rendered / "mien").mkdir()
    (rendered / "mien" / "notes.txt").write_text("à garder")
    done = deploy(rendered, "render", "essai", "--output", "mien")
    assert done.returncode == 1
    assert "« notes.txt », qui ne vient pas de « albert deploy render »" in done.stderr
    assert (rendered / "mien" / "notes.txt").read_text() == "à garder"


@pytest.mark.parametrize("verb", ["up", "down", "status", "logs", "setup"])
def test_a_verb_without_what_render_writes_says_to_render_first(tmp_path: Path, verb: str) -> None:
    done = deploy(tmp_path, verb, "essai")
    assert done.returncode == 1
    assert "lancez d'abord « albert deploy render essai »" in done.stderr


def test_without_compose_up_names_the_program_that_is_missing(rendered: Path) -> None:
    done = deploy(rendered, "up", "essai", COMPOSE_PROGRAM="nulle-part compose")
    assert done.returncode == 1
    assert "Le programme « nulle-part » est introuvable" in done.stderr


def test_without_compose_logs_is_one_sentence(rendered: Path, tmp_path: Path) -> None:
    programs = tmp_path / "programmes"
    programs.mkdir()
    (programs / "docker").write_text(
        "#!/bin/sh\necho \"unknown shorthand flag: 'p'\" >&2; exit 125\n"
    )
    (programs / "docker").chmod(0o755)
    done = deploy(rendered, "logs", "essai", PATH=f"{programs}:{os.environ['PATH']}")
    assert done.returncode == 1
    assert "« docker compose » ne répond pas : installez docker-compose-plugin" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_engine_that_is_stopped_is_told_before_anything(rendered: Path, tmp_path: Path) -> None:
    programs = tmp_path / "programmes"
    programs.mkdir()
    stopped = programs / "docker"
    stopped.write_text('#!/bin/sh\n[ "$1 $2" = "compose version" ]\n')
    stopped.chmod(0o755)
    done = deploy(rendered, "up", "essai", PATH=f"{programs}:{os.environ['PATH']}")
    assert done.returncode == 1
    assert "Le moteur de « docker » ne répond pas" in done.stderr


def test_a_machine_that_was_not_rendered_is_refused_with_those_that_are(rendered: Path) -> None:
    done = deploy(rendered, "status", "essai", "--host", "gpu1")
    assert "Dites par --host laquelle des machines rendues est celle-ci : localhost." in done.stderr


def test_the_logs_of_a_service_that_is_none_name_those_that_are(rendered: Path) -> None:
    done = deploy(rendered, "logs", "essai", "api")
    assert "« api » n'est pas un service d'ici : il y a api-8090, api-8091." in done.stderr
