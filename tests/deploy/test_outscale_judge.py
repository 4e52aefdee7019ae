"""Our requests to Outscale, judged by the publisher's own client: ``osc-sdk-python``.

It computes the signature of each anew, and checks each body against the API's description,
which it carries. The cloud itself is a double: the real one is out of a test's reach.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import aiohttp
import pytest

from albert.deploy.gpu.linking import Pace, reach
from albert.deploy.gpu.outscale import Outscale, place

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))
from outscale_double import Cloud, serving  # noqa: E402 — it is in another folder of tests

PROGRAM = ROOT / ".venv" / "deploy" / "bin" / "python"
JUDGE = """
import json, sys
from osc_sdk_python import Gateway
from osc_sdk_python.authentication import Authentication
from osc_sdk_python.credentials import Profile

gateway = Gateway(access_key="AK", secret_key="SK", region="eu-west-2")
for one in json.load(sys.stdin):
    action = one["path"].rpartition("/")[2]
    gateway._check(action, **json.loads(one["body"]))
    profile = Profile(access_key="AK", secret_key="SK", region="eu-west-2")
    theirs = Authentication(profile, one["host"])
    theirs.build_dates = lambda: (one["date"], one["date"][:8])
    expected = theirs.forge_headers_signed(one["path"], one["body"])
    assert expected["Authorization"] == one["authorization"], action
    print(action)
"""


def judged(asked: list[dict[str, str]]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, "-c", JUDGE],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def asked() -> list[dict[str, str]]:
    """Every request of a card attached, then detached."""

    async def there_and_back(cloud: Cloud) -> None:
        told = {"OSC_ACCESS_KEY": "AK", "OSC_SECRET_KEY": "SK", "OSC_GPU_ID": "fgpu-1"}
        where = place({**told, "OSC_VM_ID": "i-1", "OSC_ENDPOINT_API": cloud.address}, "eu-west-2")
        async with aiohttp.ClientSession() as session:
            api = Outscale(session, where)
            await reach("link", api, lambda _: None, lambda _: None, Pace(0.01, 30))
            await reach("unlink", api, lambda _: None, lambda _: None, Pace(0.01, 30))

    with serving(Cloud()) as cloud:
        asyncio.run(there_and_back(cloud))
    return [asdict(one) for one in cloud.asked]


def test_every_request_is_signed_and_formed_as_by_the_publisher_s_client(
    asked: list[dict[str, str]],
) -> None:
    done = judged(asked)
    assert done.returncode == 0, done.stderr
    assert {"LinkFlexibleGpu", "StopVms", "StartVms", "UnlinkFlexibleGpu"} <= set(
        done.stdout.split()
    )


@pytest.mark.parametrize(
    ("part", "wrong"),
    [("authorization", "OSC4-HMAC-SHA256 Credential=AK"), ("body", '{"VmId": ["i-1"]}')],
)
def test_the_judge_refuses_what_is_wrong(
    asked: list[dict[str, str]], part: str, wrong: str
) -> None:
    assert judged([{**asked[0], part: wrong}]).returncode != 0
