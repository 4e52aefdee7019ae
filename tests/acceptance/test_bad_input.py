"""What a user gets wrong, or the machine does: one French sentence, and nothing damaged."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.acceptance

FIXTURES = Path(__file__).parents[1] / "fixtures"
SHEETS = FIXTURES / "service-public" / "xml"
QUESTION = "bac à sable"


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "albert", *words]


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ALBERT_")}
    return {**kept, "ALBERT_HOME": str(home), "ALBERT_PORT": "1", **more}


def albert(home: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words),
        env=environment(home, **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def refused(home: Path, *words: str, **more: str) -> str:
    """Run a command that must fail, and return the one sentence it says."""
    done = albert(home, *words, **more)
    assert "Traceback" not in done.stderr
    assert done.returncode == 1, done.stderr
    [sentence] = [line for line in done.stderr.splitlines() if line.startswith("Erreur : ")]
    return sentence


def answers(home: Path) -> bool:
    return "Abonnement au bac à sable" in albert(home, "search", QUESTION, "--limit", "1").stdout


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("prepared") / "home"
    for words in (
        ("corpus", "fetch", "service-public", "--from", str(SHEETS)),
        ("corpus", "build"),
        ("index", "build"),
    ):
        assert albert(home, *words).returncode == 0
    return home


@pytest.fixture
def home(prepared: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared, tmp_path / "home"))


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("  ", "La question est vide"),
        ("a" * 100_000, "raccourcissez-la"),
        ("a\x01b", "caractères de contrôle"),
    ],
)
def test_a_question_that_is_none_is_refused(home: Path, question: str, told: str) -> None:
    assert told in refused(home, "ask", "--json", question)


@pytest.mark.parametrize(
    "words", [("ask", "x"), ("search", "x"), ("index", "build"), ("index", "status")]
)
def test_without_anything_learnt_one_is_told_what_to_run(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    assert "lancez « albert" in (said := refused(tmp_path / "new", *words)) or "« albert" in said


def test_nothing_cached_and_no_network_is_told(tmp_path: Path) -> None:
    said = refused(
        tmp_path, "corpus", "fetch", "service-public", "--from", "registry", PATH="/none"
    )
    assert "Le client npm est absent : installez-le" in said


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("ALBERT_PROT", "1", "vouliez-vous dire ALBERT_PORT"),
        ("ALBERT_PORT", "abc", "il faut un nombre entier, au moins 1, au plus 65535"),
        ("ALBERT_EMBEDDER", "x", "il faut e5"),
    ],
)
def test_a_wrong_setting_is_named(home: Path, name: str, value: str, told: str) -> None:
    assert told in refused(home, "ask", "x", **{name: value})


def test_an_archive_cut_short_leaves_what_was_installed(home: Path, tmp_path: Path) -> None:
    whole = Path(shutil.make_archive(str(tmp_path / "sheets"), "zip", SHEETS))
    whole.write_bytes(whole.read_bytes()[:1500])
    said = refused(home, "corpus", "fetch", "service-public", "--from", str(whole))
    assert "abîmée ou incomplète" in said
    assert answers(home)


def test_an_unknown_source_is_told_with_those_there_are(home: Path) -> None:
    assert "travail-emploi" in refused(home, "corpus", "fetch", "nimporte")
    assert "travail-emploi" in refused(home, "search", "x", "--source", "nimporte")


def test_a_malformed_file_is_passed_over_and_named_at_each_build(
    home: Path, tmp_path: Path
) -> None:
    bad = Path(shutil.copytree(SHEETS, tmp_path / "bad"))
    (bad / "particuliers" / "F1002.xml").write_text("<Publication ID='F1002'><Tex", "utf-8")
    assert albert(home, "corpus", "fetch", "service-public", "--from", str(bad)).returncode == 0
    for _ in range(2):
        built = albert(home, "corpus", "build")
        assert built.returncode == 3
        assert "fichier passé : particuliers/F1002.xml" in built.stderr
    assert albert(home, "index", "build").returncode == 0
    assert answers(home)


def test_a_home_of_a_newer_version_is_left_alone(home: Path) -> None:
    (home / "format").write_text("99\n")
    assert "mettez Albert à jour" in refused(home, "corpus", "build", "--force")


def test_a_home_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "un fichier porte ce nom" in refused(tmp_path / "file", "ask", "x")


def test_a_home_begun_on_a_full_disk_is_begun_again(home: Path) -> None:
    (home / "format").write_text("")
    assert answers(home)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("x.gguf", "n'est pas un modèle GGUF"),
        ("none.gguf", "n'existe pas"),
        ("x", "ALBERT_MODEL_URL"),
    ],
)
def test_a_model_that_is_none_is_told_before_anything_is_learnt(
    tmp_path: Path, model: str, told: str
) -> None:
    (tmp_path / "x.gguf").write_bytes(b"nothing of the kind")
    wanted = str(tmp_path / model) if "." in model else model
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    assert told in refused(tmp_path / "new", "up", "--model", wanted, ALBERT_PORT=port)
    assert not (tmp_path / "new" / "sources").exists()


def test_a_database_that_is_not_there_is_told_before_anything_is_learnt(tmp_path: Path) -> None:
    with socket.socket() as free, socket.socket() as silent:
        for one in (free, silent):
            one.bind(("127.0.0.1", 0))
        port, closed = (str(one.getsockname()[1]) for one in (free, silent))
        free.close()
        more = {"POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": closed, "ALBERT_PORT": port}
        assert "rien n'y écoute" in refused(tmp_path / "new", "up", **more)
    assert not (tmp_path / "new" / "sources").exists()


def test_a_port_in_use_is_told(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert "changez ALBERT_PORT" in refused(home, "up", ALBERT_PORT=port)


@pytest.mark.parametrize(
    ("old", "new"), [('"format": 1', '"format": 99'), ("multilingual", "other"), ("{", "")]
)
def test_an_index_that_is_not_ours_is_refused_then_mended(home: Path, old: str, new: str) -> None:
    [metadata] = home.glob("index/builds/*/metadata.json")
    metadata.write_text(metadata.read_text().replace(old, new, 1))
    assert "lancez « albert index build »" in refused(home, "search", QUESTION)
    assert albert(home, "index", "build").returncode == 0
    assert answers(home)


def test_a_damaged_corpus_is_told_then_mended(home: Path) -> None:
    with (home / "corpus.sqlite").open("r+b") as file:
        file.truncate(6000)
    assert "lancez « albert corpus build »" in refused(home, "ask", QUESTION)
    assert albert(home, "corpus", "build").returncode == 0
    assert answers(home)


@pytest.mark.parametrize(
    ("words", "begun"),
    [
        (("corpus", "build", "--force"), "Lecture des fiches"),
        (("index", "build", "--force"), "Index des mots"),
    ],
)
@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_stopped_in_the_middle_what_was_there_answers(
    home: Path, words: tuple[str, ...], begun: str, number: signal.Signals, status: int
) -> None:
    process = subprocess.Popen(
        command(*words), env=environment(home), stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert begun in process.stderr.readline()
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode in (status, 0)
    assert "Traceback" not in said
    assert answers(home)
    assert albert(home, *words).returncode == 0


WHILE_IT_IMPORTS = """
import os, signal, sys
def heard(event, said):
    if event == "import" and said[0] == "typer":
        os.kill(os.getpid(), signal.SIGINT)
sys.addaudithook(heard)
"""
WHILE_IT_ENDS = "import atexit, os, signal; atexit.register(os.kill, os.getpid(), signal.SIGINT)"


@pytest.mark.parametrize(
    ("when", "told"), [(WHILE_IT_IMPORTS, "Interrompu.\n"), (WHILE_IT_ENDS, "")]
)
@pytest.mark.parametrize("program", ["main", "earlier"])
def test_stopped_before_it_begins_or_as_it_ends_it_says_no_more_than_that(
    home: Path, when: str, told: str, program: str
) -> None:
    heard = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heard}\nimport albert.__main__\n{when}\nalbert.__main__.{program}()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (130, told)


def test_an_output_that_cannot_be_written_is_told(home: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command("search", QUESTION),
            env=environment(home),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (done.returncode, "Le disque est plein" in done.stderr) == (1, True)
    assert "Traceback" not in done.stderr


def test_a_full_disk_is_told_and_holds_nothing_that_was_begun(home: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)])
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        small = Path(shutil.copytree(home, disk / "home"))
        with (disk / "fill").open("wb") as fill:
            free = shutil.disk_usage(disk).free
            os.posix_fallocate(fill.fileno(), 0, free)
        fetch = ("corpus", "fetch", "service-public", "--from", str(SHEETS), "--force")
        for words in (fetch, ("corpus", "build", "--force"), ("index", "build", "--force")):
            assert "Le disque est plein" in refused(small, *words)
        assert answers(small)
        assert not list(small.glob("**/*.new"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("verb", [("up",), ("serve", "api")], ids=" ".join)
def test_a_log_a_proxy_or_a_list_that_cannot_be_is_told_before_anything(
    tmp_path: Path, verb: tuple[str, ...]
) -> None:
    nowhere = str(tmp_path / "nowhere" / "auth.log")
    assert "ALBERT_AUTH_LOG" in refused(tmp_path / "a", *verb, ALBERT_AUTH_LOG=nowhere)
    assert "« nginx »" in refused(tmp_path / "b", *verb, ALBERT_TRUSTED_PROXIES="nginx")
    assert "liste blanche" in refused(tmp_path / "c", *verb, ALBERT_WHITELIST=nowhere)
    assert not (tmp_path / "a" / "corpus").exists()
