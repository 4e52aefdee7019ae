"""The gitlab user that ``init_vm.sh`` makes: its key, its password, what it may do."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from debian_roots import DebianRoot
from new_machine import GIVEN, KEY, LOCAL, bash, init_vm, state

pytest_plugins = ("debian_fixtures",)

SAID_OF = "sshd -T -C user={},host=h,addr=192.0.2.1"


def test_the_key_is_there_once_and_read_by_nobody_else(spare: DebianRoot) -> None:
    for name in ("another", "name"):
        given = {**GIVEN, "GITLAB_SSH_PUBLIC_KEY": f"{KEY.rsplit(' ', 1)[0]} {name}"}
        assert init_vm(spare, *LOCAL, given=given).returncode == 0
    assert bash(spare, "cat ~gitlab/.ssh/authorized_keys") == f"{KEY}\n"
    seen = bash(spare, "stat -c '%a %U %n' ~gitlab/.ssh ~gitlab/.ssh/authorized_keys")
    home = "/home/gitlab/.ssh"
    assert seen == f"700 gitlab {home}\n600 gitlab {home}/authorized_keys\n"


def test_keys_that_were_there_stay(spare: DebianRoot) -> None:
    mine = f"{KEY[:-30]}{'A' * 19}= mine"
    bash(spare, f"printf '# mine\\n%s' '{mine}' > ~gitlab/.ssh/authorized_keys")
    assert init_vm(spare, *LOCAL).returncode == 0
    assert bash(spare, "cat ~gitlab/.ssh/authorized_keys") == f"# mine\n{mine}\n{KEY}\n"


def test_a_link_left_by_the_user_is_not_followed_by_root(spare: DebianRoot) -> None:
    bash(spare, "ln -sf /etc/shadow ~gitlab/.ssh/authorized_keys")
    before = (spare.path / "etc/shadow").read_text()
    init_vm(spare, *LOCAL)
    assert (spare.path / "etc/shadow").read_text() == before


def test_the_password_is_the_given_one_and_is_written_nowhere(machine: DebianRoot) -> None:
    judged = "perl -e 'chomp($h = <STDIN>); chomp($p = <STDIN>); exit(crypt($p, $h) ne $h)'"
    hashed = bash(machine, "getent shadow gitlab | cut -d: -f2")
    bash(machine, judged, hashed + GIVEN["GITLAB_PASSWORD"])
    found = machine.run(["grep", "-rlF", GIVEN["GITLAB_PASSWORD"], "/etc", "/home", "/var"])
    assert found.stdout == ""


def test_another_password_replaces_the_first(spare: DebianRoot) -> None:
    given = {**GIVEN, "GITLAB_PASSWORD": "un tout autre mot"}
    said = init_vm(spare, *LOCAL, given=given).stdout
    assert said.startswith("- donner son mot de passe à gitlab\nLa machine est prête.\n")


def test_gitlab_enters_by_key_only_and_others_as_before(machine: DebianRoot) -> None:
    said = bash(machine, SAID_OF.format("gitlab")).splitlines()
    assert {
        "passwordauthentication no",
        "kbdinteractiveauthentication no",
        "authenticationmethods publickey",
        "disableforwarding yes",
    } <= set(said)
    others = bash(machine, SAID_OF.format("someone")).splitlines()
    assert {"passwordauthentication yes", "disableforwarding no"} <= set(others)


def test_ssh_by_password_opens_when_asked_and_closes_again(spare: DebianRoot) -> None:
    assert init_vm(spare, *LOCAL, "--with-password-ssh").returncode == 0
    assert "passwordauthentication yes" in bash(spare, SAID_OF.format("gitlab"))
    assert init_vm(spare, *LOCAL).returncode == 0
    assert "passwordauthentication no" in bash(spare, SAID_OF.format("gitlab"))


def test_rules_that_sshd_does_not_read_are_an_error_each_time(spare: DebianRoot) -> None:
    bash(spare, "sed -i /Include/d /etc/ssh/sshd_config")
    for _ in range(2):
        done = init_vm(spare, *LOCAL)
        assert done.returncode == 1
        assert "sshd n’applique pas « passwordauthentication no »" in done.stderr
        assert "« Include /etc/ssh/sshd_config.d/*.conf »" in done.stderr


def test_a_file_read_earlier_that_opens_ssh_again_is_an_error(spare: DebianRoot) -> None:
    rules = "KbdInteractiveAuthentication yes\nAuthenticationMethods any"
    earlier = f"Match User gitlab\n{rules}\nMatch all\n"
    (spare.path / "etc/ssh/sshd_config.d/05-mine.conf").write_text(earlier)
    done = init_vm(spare, *LOCAL)
    assert done.returncode == 1
    assert "sshd n’applique pas « kbdinteractiveauthentication no »" in done.stderr


def test_a_server_that_runs_under_older_rules_is_told_to_read_them(spare: DebianRoot) -> None:
    """A run cut between the file and the server's reload left just this."""
    cut = (
        "mkdir -p /run/sshd; /usr/sbin/sshd -p 2; until [ -s /run/sshd.pid ]; do :; done;"
        "touch -d '1 minute' /etc/ssh/sshd_config.d/10-albert-gitlab.conf;"
    )
    again = f"bash ./init_vm.sh {' '.join(LOCAL)};"
    done = spare.run(["bash", "-euc", cut + again + again], given=GIVEN)
    assert done.returncode == 0, done.stderr
    first, ready, *_, second = done.stdout.splitlines()
    assert first.startswith("- limiter les sessions SSH de gitlab")
    assert (ready, second) == ("La machine est prête.", "Rien à faire : cette machine est prête.")


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ("usermod -d /nonexistent gitlab", "usermod -d /home/gitlab gitlab"),
        ("usermod -d /root gitlab", "sans dossier à lui (« /root »)"),
        ("usermod -s /usr/sbin/nologin gitlab", "usermod --shell /bin/bash gitlab"),
        ("rm -r ~gitlab/.ssh; touch ~gitlab/.ssh", "/home/gitlab/.ssh n’est pas un dossier"),
    ],
)
def test_an_account_that_could_not_deploy_is_refused_before_any_change(
    made: str, reason: str, spare: DebianRoot
) -> None:
    bash(spare, f"{made}; rm /etc/apt/apt.conf.d/52albert-upgrades")
    before = state(spare)
    done = init_vm(spare, *LOCAL)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert reason in done.stderr
    assert state(spare) == before


def test_a_step_that_fails_is_named(spare: DebianRoot) -> None:
    bash(spare, "rm -r ~gitlab/.ssh; chmod a-w ~gitlab")
    done = init_vm(spare, *LOCAL)
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert "« autoriser la clef publique (ssh-ed25519) de gitlab » n’a pas abouti" in said


def test_a_session_opens_by_the_key_and_not_by_the_password(
    spare: DebianRoot, tmp_path: Path
) -> None:
    """Between a real server and a real client, both on the prepared machine."""
    made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")]
    subprocess.run(made, check=True)
    given = {**GIVEN, "GITLAB_SSH_PUBLIC_KEY": (tmp_path / "key.pub").read_text()}
    assert init_vm(spare, *LOCAL, given=given).returncode == 0
    shutil.copy(tmp_path / "key", spare.path / "key")
    session = (
        "ssh -i /key -o BatchMode=yes -o StrictHostKeyChecking=no -o LogLevel=error "
        "-o ProxyCommand='/usr/sbin/sshd -i -E /sshd.log'"
    )
    bash(spare, "mkdir -p /run/sshd; chmod 600 /key")
    assert bash(spare, f"{session} gitlab@machine id -un") == "gitlab\n"
    by_password = f"{session} -o PreferredAuthentications=password gitlab@machine id"
    refused = spare.run(["bash", "-c", by_password])
    assert refused.returncode == 255
    assert "Permission denied (publickey)" in refused.stderr


def test_sudo_is_absent_given_when_asked_and_taken_back(spare: DebianRoot) -> None:
    assert not (spare.path / "usr/bin/sudo").exists()
    assert init_vm(spare, *LOCAL, "--with-sudo").returncode == 0
    assert "(ALL : ALL) ALL" in bash(spare, "sudo -l -U gitlab")
    bash(spare, "usermod -aG sudo gitlab")
    assert init_vm(spare, *LOCAL).returncode == 0
    assert "not allowed" in bash(spare, "sudo -l -U gitlab")
