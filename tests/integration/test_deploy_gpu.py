"""``albert deploy gpu`` as it is typed, in front of a double: the real cloud is out of reach."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web
from outscale_double import Cloud, refusal, serving

pytestmark = pytest.mark.integration

SECRET = "a-secret-nobody-should-see"  # noqa: S105 — the test's own


def environment(tmp_path: Path, cloud: Cloud, name: str, **more: str) -> Path:
    values = {
        "ENV": name,
        "OSC_ACCESS_KEY": "AK",
        "OSC_SECRET_KEY": SECRET,
        "OSC_GPU_ID": "fgpu-1",
        "OSC_VM_ID": "i-1",
        "OSC_ENDPOINT_API": cloud.address,
        **more,
    }
    path = tmp_path / f"{name}.env"
    path.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
    return path


def gpu(
    tmp_path: Path, cloud: Cloud, *words: str, name: str = "staging-dinum", **more: str
) -> subprocess.CompletedProcess[str]:
    path = environment(tmp_path, cloud, name, **more)
    verb, *options = words
    pace = [] if verb == "status" else ["--interval", "0.01", "--timeout", "20"]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "albert", "deploy", "gpu", verb, name),
            *("--env-file", str(path), *pace, *options),
        ],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert SECRET not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_link_attaches_the_card_through_a_stop_and_a_start(tmp_path: Path) -> None:
    with serving(Cloud()) as cloud:
        done = gpu(tmp_path, cloud, "link")
    assert (done.returncode, done.stdout) == (0, "carte fgpu-1 : attached\n")
    assert cloud.changes == ["LinkFlexibleGpu", "StopVms", "StartVms"]
    assert (cloud.card, cloud.holder, cloud.machine) == ("attached", "i-1", "running")


def test_link_again_changes_nothing(tmp_path: Path) -> None:
    with serving(Cloud(card="attached", holder="i-1")) as cloud:
        done = gpu(tmp_path, cloud, "link")
    assert done.returncode == 0
    assert cloud.changes == []


@pytest.mark.parametrize(("option", "machine"), [((), "running"), (("--stop",), "stopped")])
def test_unlink_gives_the_card_back(tmp_path: Path, option: tuple[str, ...], machine: str) -> None:
    with serving(Cloud(card="attached", holder="i-1")) as cloud:
        done = gpu(tmp_path, cloud, "unlink", *option)
    assert done.returncode == 0
    assert (cloud.card, cloud.holder, cloud.machine) == ("allocated", "", machine)


def test_a_link_that_was_cut_short_is_finished(tmp_path: Path) -> None:
    """As if the run before had been killed between its stop and its start."""
    with serving(Cloud(card="attached", holder="i-1", machine="stopped")) as cloud:
        done = gpu(tmp_path, cloud, "link")
    assert done.returncode == 0
    assert cloud.changes == ["StartVms"]


@pytest.mark.parametrize(("verb", "looks"), [("link", 0), ("unlink", 0), ("unlink", 1)])
def test_a_moment_s_trouble_is_waited_out(tmp_path: Path, verb: str, looks: int) -> None:
    machine = {"VmId": "i-1", "State": "running", "Tags": [{"Key": "env", "Value": "staging"}]}
    answers = [web.json_response({"Vms": [machine]})] * looks
    trouble = [web.Response(status=status) for status in (503, 429, 408)]
    with serving(Cloud(card="attached", holder="i-1", failures=[*answers, *trouble])) as cloud:
        done = gpu(tmp_path, cloud, verb)
    assert done.returncode == 0
    assert "répond 503 ; nouvel essai" in done.stderr
    assert cloud.card == ("attached" if verb == "link" else "allocated")


@pytest.mark.parametrize("verb", ["link", "unlink"])
def test_a_machine_in_production_is_not_stopped_unless_told(tmp_path: Path, verb: str) -> None:
    with serving(Cloud(card="attached", holder="i-1", tags={"env": "production"})) as cloud:
        done = gpu(tmp_path, cloud, verb)
        assert done.returncode == 1
        assert "--yes-production" in done.stderr
        assert cloud.changes == []
        assert gpu(tmp_path, cloud, verb, "--yes-production").returncode == 0


def test_from_a_state_nobody_knows_nothing_is_changed(tmp_path: Path) -> None:
    with serving(Cloud(card="error")) as cloud:
        done = gpu(tmp_path, cloud, "link")
    assert done.returncode == 1
    assert "un état inconnu d'ici" in done.stderr
    assert cloud.changes == []


def test_status_tells_and_changes_nothing(tmp_path: Path) -> None:
    with serving(Cloud(card="attached", holder="i-1")) as cloud:
        done = gpu(tmp_path, cloud, "status")
    assert done.stdout.splitlines() == [
        "carte fgpu-1 (nvidia-a100) : attached, à i-1",
        "machine i-1 : running",
    ]
    assert cloud.changes == []


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (refusal(401, "AccessDenied", "1"), "refuse la clé d'accès"),
        (refusal(400, "InvalidParameterValue", "4078", "Bad id"), "InvalidParameterValue, 4078"),
        (web.Response(status=200, text="<html>"), "ce n'est pas du JSON"),
        (web.json_response({"Vms": []}), "n'a pas de machine i-1"),
        (web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), "302"),
    ],
)
def test_what_the_cloud_refuses_is_one_sentence(
    tmp_path: Path, failure: web.Response, said: str
) -> None:
    with serving(Cloud(failures=[failure])) as cloud:
        done = gpu(tmp_path, cloud, "link")
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert cloud.changes == []


def test_a_cloud_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    done = gpu(tmp_path, Cloud(address="http://127.0.0.1:9/api/v1"), "status")
    assert done.returncode == 1
    assert "L'API d'Outscale ne répond pas" in done.stderr


def test_a_missing_variable_is_told_before_anything(tmp_path: Path) -> None:
    with serving(Cloud()) as cloud:
        done = gpu(tmp_path, cloud, "link", OSC_VM_ID="")
    assert done.returncode == 1
    assert "il manque OSC_VM_ID" in done.stderr
    assert cloud.asked == []
