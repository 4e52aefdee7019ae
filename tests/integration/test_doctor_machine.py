"""What ``albert doctor`` sees of the machine itself: ports, disks, time, permissions, the file."""

import asyncio
import socket
from pathlib import Path

import pytest
from aiohttp import web
from examined import found, free_port, levels, machine
from http_double import Answer, serving
from hub_double import gguf
from hub_double import serving as serving_hub

from albert.deploy.checks.clock import check_clock
from albert.deploy.checks.disk import check_disk
from albert.deploy.checks.env_file import check_env_file
from albert.deploy.checks.finding import Finding
from albert.deploy.checks.permissions import check_permissions
from albert.deploy.checks.ports import check_ports
from albert.routing.table import Replica, RoutedModel


def values(home: Path, **more: str) -> dict[str, str]:
    return {"ALBERT_HOME": str(home), "API_PORTS": str(free_port()), **more}


def health(status: int, body: object) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status if request.path == "/health" else 404)

    return answer


def test_a_free_port_is_well(tmp_path: Path) -> None:
    (finding,) = found(check_ports, values(tmp_path))
    assert (finding.level, "libre" in finding.said) == ("ok", True)


def test_a_port_that_another_program_holds_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        (finding,) = found(check_ports, values(tmp_path, API_PORTS=port), seconds=0.5)
    assert finding.level == "error"
    assert "pris par un autre programme" in finding.said
    assert port in finding.remedy


@pytest.mark.parametrize(
    ("status", "body", "level", "said"),
    [
        (200, {"status": "ok", "version": "1.0.0"}, "ok", "tenu par ce service d'Albert"),
        (200, {"status": "ok", "version": "0.9.0"}, "warning", "tenu par Albert 0.9.0"),
        (503, {"error": {"message": "m"}}, "warning", "pas encore prêt"),
        (200, {"status": "ok", "model": "m"}, "error", "un autre service d'Albert (« m »)"),
        (200, ["bonjour"], "error", "pris par un autre programme"),
        (404, {}, "error", "pris par un autre programme"),
    ],
)
def test_who_holds_a_port_is_known_by_its_health(
    status: int, body: object, level: str, said: str, tmp_path: Path
) -> None:
    async def scenario() -> list[Finding]:
        async with serving(health(status, body)) as host:
            told = values(tmp_path, API_PORTS=host.address.rpartition(":")[2])
            async with machine(told) as examined:
                return await check_ports(examined)

    (finding,) = asyncio.run(scenario())
    assert finding.level == level
    assert said in finding.said


def of_the_hub(repository: str) -> RoutedModel:
    return RoutedModel(name="m", driver="llama.cpp", hf_repo_id=repository)


def test_a_model_that_is_to_come_is_told_with_its_size(tmp_path: Path) -> None:
    with serving_hub() as there:
        there.put("a/m", {"m.gguf": gguf()})
        told = found(check_disk, values(tmp_path, HF_ENDPOINT=there.address), of_the_hub("a/m"))
    assert levels(told) == ["ok", "ok", "warning"]
    assert "octets" in told[-1].said or "ko" in told[-1].said
    assert told[-1].remedy == "albert models download m"


def test_a_model_larger_than_what_is_left_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_hub() as there:
        there.put("a/m", {"m.gguf": gguf()})
        monkeypatch.setattr(
            "hub_double._sibling",
            lambda name, _: {
                "rfilename": name,
                "size": 10**18,
                "blobId": "a" * 40,
                "lfs": {"size": 10**18, "sha256": "b" * 64, "pointerSize": 130},
            },
        )
        told = found(check_disk, values(tmp_path, HF_ENDPOINT=there.address), of_the_hub("a/m"))
    assert levels(told) == ["ok", "ok", "error"]
    assert "1000000000,0 Go" in told[-1].said


def test_a_size_that_no_hub_tells_is_unknown(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    told = found(check_disk, values(tmp_path, HF_ENDPOINT=address), of_the_hub("a/m"))
    assert levels(told) == ["ok", "ok", "warning"]
    assert "taille inconnue" in told[-1].said


def test_a_model_that_may_not_be_downloaded_is_an_error(tmp_path: Path) -> None:
    told = found(check_disk, values(tmp_path, HF_HUB_OFFLINE="1"), of_the_hub("a/m"))
    assert levels(told) == ["ok", "ok", "error"]


def test_a_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    assert levels(found(check_disk, values(tmp_path / "home" / "albert"))) == ["error"]


def test_the_folder_of_backups_is_looked_at_where_the_api_is(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("")
    told = found(check_disk, values(tmp_path, ALBERT_BACKUPS=str(tmp_path / "kept")))
    assert levels(told) == ["ok", "error"]
    assert told[-1].said.startswith("ALBERT_BACKUPS")
    elsewhere = values(tmp_path, ALBERT_BACKUPS=str(tmp_path / "kept"), API_HOSTS="api.invalid")
    assert levels(found(check_disk, elsewhere)) == ["ok"]


async def elsewhere(_host: str) -> bool:
    """Take this machine for another: none other can be had."""
    return False


@pytest.mark.parametrize(
    ("date", "level"),
    [
        ("Thu, 01 Jan 2026 00:00:00 GMT", "error"),
        (None, "ok"),  # aiohttp's own, of now
    ],
)
def test_the_time_is_that_of_another_machine(date: str | None, level: str, tmp_path: Path) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(headers={"date": date} if date else {})

    async def scenario() -> list[Finding]:
        async with (
            serving(answer) as host,
            machine(values(tmp_path, FRONT_URL=host.address)) as examined,
        ):
            return await check_clock(examined, elsewhere)

    assert levels(asyncio.run(scenario())) == [level]


def test_the_time_is_not_asked_of_this_machine_by_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no timedatectl

    async def scenario() -> tuple[list[Finding], int]:
        asked = 0

        async def answer(_request: web.Request) -> web.StreamResponse:
            nonlocal asked
            asked += 1
            return web.Response()

        async with serving(answer) as host:
            port = host.address.rpartition(":")[2]
            front = f"http://{socket.gethostname()}:{port}"
            async with machine(values(tmp_path, FRONT_URL=front)) as examined:
                return await check_clock(examined), asked

    (finding,), asked = asyncio.run(scenario())
    assert (finding.level, asked) == ("warning", 0)
    assert "rien à quoi la comparer" in finding.said


@pytest.mark.parametrize(
    ("prints", "level", "said"),
    [
        ("NTPSynchronized=yes", "ok", "réglée par le réseau"),
        ("NTPSynchronized=no", "warning", "n'est pas réglée"),
        ("System has not been booted", "warning", "inconnu"),
    ],
)
def test_without_another_machine_timedatectl_is_asked(
    prints: str, level: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program of that name, which says what systemd's says."""
    program = tmp_path / "bin" / "timedatectl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "{prints}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    (finding,) = found(check_clock, values(tmp_path))
    assert finding.level == level
    assert said in finding.said


def test_secrets_that_others_can_read_are_errors(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir(mode=0o700)
    (secrets / "api-key").write_text("albert-x")
    (secrets / "api-key").chmod(0o600)
    assert levels(found(check_permissions, values(tmp_path))) == ["ok"]
    (secrets / "api-key").chmod(0o640)
    secrets.chmod(0o755)
    told = found(check_permissions, values(tmp_path))
    assert [one.remedy for one in told] == [
        f"chmod 700 {secrets}",
        f"chmod 600 {secrets / 'api-key'}",
    ]


def test_a_secret_of_another_account_is_an_error(tmp_path: Path) -> None:
    """What others may put there, they know: a key of theirs would sign our sessions."""
    secrets = tmp_path / "home" / "secrets"
    secrets.mkdir(parents=True, mode=0o700)
    secrets.parent.chmod(0o777)
    (finding,) = found(check_permissions, values(secrets.parent))
    assert finding.level == "error"
    assert finding.remedy == f"chmod go-w {secrets.parent}"


@pytest.mark.parametrize("folder", ["mail", "backups"])
def test_what_others_can_read_of_mails_and_backups_is_an_error(folder: str, tmp_path: Path) -> None:
    kept = tmp_path / folder
    kept.mkdir(mode=0o755)
    (kept / "un").write_text("")
    (kept / "un").chmod(0o600)
    assert levels(found(check_permissions, values(tmp_path))) == ["ok"]
    (kept / "un").chmod(0o644)
    (finding,) = found(check_permissions, values(tmp_path))
    assert (finding.level, finding.remedy) == ("error", f"chmod 700 {kept}")


def test_the_variables_of_installed_services_are_looked_at(tmp_path: Path) -> None:
    installed = tmp_path / "etc"
    installed.mkdir()
    (installed / "api.env").write_text("SECRET_KEY=x\n")
    (installed / "api.env").chmod(0o644)

    async def scenario() -> list[Finding]:
        async with machine(values(tmp_path)) as examined:
            return await check_permissions(examined, installed)

    (finding,) = asyncio.run(scenario())
    assert (finding.level, finding.remedy) == ("error", f"chmod 600 {installed / 'api.env'}")


def test_a_table_that_others_can_change_is_an_error(tmp_path: Path) -> None:
    table = tmp_path / "table.json"
    table.write_text("{}")
    table.chmod(0o666)
    told = found(check_permissions, values(tmp_path, ALBERT_ROUTING_TABLE=str(table)))
    assert [(one.level, one.remedy) for one in told] == [("error", f"chmod go-w {table}")]


def test_a_folder_where_others_can_replace_the_file_of_variables_is_an_error(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ouvert" / "main.env"
    path.parent.mkdir()
    path.touch(mode=0o600)
    assert levels(check_env_file(path)) == ["ok"]
    path.parent.chmod(0o777)
    (finding,) = check_env_file(path)
    assert finding.level == "error"
    assert str(path.parent) in finding.said


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("SECRET_KEY=x\n", 0o666, "que d'autres comptes"),
        ("ENV=main\nSECRET_KEY=x\n", 0o644, "que d'autres comptes"),
        ("ENV=main\nCLE_GPU=x\n", 0o604, "que d'autres comptes"),
        ("SECRET_KEY=x\n", 0o660, "que d'autres comptes"),
        ("SECRET_KEY=x\n", 0o600, "1 variables, toutes connues"),
        ("SECRET_KEY=x\n", 0o640, "1 variables, toutes connues"),
        ("ENV=main\n", 0o644, "1 variables, toutes connues"),
        ("ENV=main\n", 0o666, "changé par d'autres comptes"),
        ("ENVV=main\n", 0o600, "vouliez-vous dire ENV ?"),
    ],
)
def test_the_file_of_variables_is_looked_at(
    text: str, mode: int, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "main.env"
    path.write_text(text)
    path.chmod(mode)
    (finding,) = check_env_file(path, ["CLE_GPU"])
    assert said in finding.said
    levels = {"1 variables, toutes connues": "ok", "vouliez-vous dire ENV ?": "warning"}
    assert finding.level == levels.get(said, "error")


def test_a_machine_is_known_by_any_of_its_names(tmp_path: Path) -> None:
    async def names(host: str, *, said: str = "") -> list[str]:
        replicas = (Replica(host=host, port=8000), Replica(host="gpu9.invalid", port=8001))
        async with machine(
            values(tmp_path), RoutedModel(name="m", replicas=replicas), host=said
        ) as examined:
            return [f"{service.kind}:{service.port}" for service in examined.kinds("llm")]

    for host in ("", "127.0.0.1", "localhost", socket.gethostname()):
        assert asyncio.run(names(host)) == ["llm:8000"]
    assert asyncio.run(names("gpu8.invalid")) == []
    assert asyncio.run(names("gpu8.invalid", said="gpu9.invalid")) == ["llm:8001"]
