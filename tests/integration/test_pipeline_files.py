"""What the pipeline's jobs read from files: their secrets, and the routing table."""

from __future__ import annotations

import re
import subprocess
from base64 import b64encode, encodebytes
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
TEXT = "ENV=main\nSECRET_KEY=un-secret-tire-au-sort\n"
ONE_LINE = b64encode(TEXT.encode())


def secret(tmp_path: Path, content: bytes) -> subprocess.CompletedProcess[str]:
    """Source the script as a job does, ENV_FILE being ``content``, and print what it became."""
    given = tmp_path / "given"
    given.write_bytes(content)
    told = tmp_path / "told"
    told.write_text("pour cet essai\n")
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", '. .gitlab/secrets.sh; cat "$ENV_FILE"'],
        cwd=ROOT,
        env={
            "PATH": "/usr/bin:/bin",
            "TMPDIR": str(tmp_path),
            "ENV_FILE": str(given),
            "SSH_PRIVATE_KEY": str(told),
            "SSH_KNOWN_HOSTS": str(told),
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "content",
    [
        ONE_LINE,
        ONE_LINE + b"\r\n",
        b" " + ONE_LINE + b" \n\n",
        encodebytes(TEXT.encode() * 3).replace(b"\n", b"\r\n"),  # lines of 76 characters
        b"\xef\xbb\xbf" + ONE_LINE,  # the mark that Windows puts first
        b64encode(TEXT.replace("\n", "\r\n").encode()),
    ],
)
def test_a_file_in_base64_is_decoded_however_it_was_pasted(tmp_path: Path, content: bytes) -> None:
    done = secret(tmp_path, content)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout in (TEXT, TEXT * 3)


@pytest.mark.parametrize(
    ("content", "read"),
    [
        (TEXT, TEXT),
        (TEXT.replace("\n", "\r\n"), TEXT),
        (TEXT.rstrip("\n"), TEXT),
        # 16 letters and digits without its spaces: this would be base64 if they were nothing
        ("Host gpu1\nPort 2222\n", "Host gpu1\nPort 2222\n"),
    ],
)
def test_a_file_given_as_it_is_is_taken_as_it_is(tmp_path: Path, content: str, read: str) -> None:
    assert secret(tmp_path, content.encode()).stdout == read


def test_base64_cut_short_is_refused_and_not_shown(tmp_path: Path) -> None:
    done = secret(tmp_path, ONE_LINE[:-3])
    assert (done.returncode, done.stdout) == (1, "")
    assert "ENV_FILE est du base64 incomplet" in done.stderr
    assert done.stderr.count("\n") == 1
    assert ONE_LINE[:8].decode() not in done.stderr


def ignored(path: str) -> bool:
    done = subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT, check=False)
    assert done.returncode in (0, 1)
    return done.returncode == 0


def test_the_routing_table_is_kept_in_the_repository_where_the_page_puts_it() -> None:
    """A job's folder is cleaned of what git ignores, and starts with what git has."""
    page = (ROOT / "docs/deploiement/cicd.md").read_text("utf-8")
    (table,) = set(re.findall(r"environments/[a-z-]+\.json", page))
    assert not ignored(table)


@pytest.mark.parametrize("name", ["main.env", "main.env~", "main.env.bak"])
def test_an_environment_s_secrets_are_not(name: str) -> None:
    assert ignored(f"environments/{name}")
