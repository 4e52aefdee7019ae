"""What units say: each service what it needs, and no secret."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from albert.deploy import env_file
from albert.deploy.plan import Service, plan
from albert.deploy.systemd.installation import Installation
from albert.deploy.systemd.rendering import rendered, running
from albert.deploy.systemd.unit import command
from albert.domain.errors import EnvironmentInvalid
from albert.routing.table import Engine, Replica, RoutedModel
from albert.settings import load

SECRETS = {
    "SECRET_KEY": "secret-of-sessions",
    "FIRST_ADMIN_PASSWORD": "secret-of-admin",
    "POSTGRES_PASSWORD": "secret-of-base",
    "LLM_API_KEY": "secret-of-models",
    "HF_TOKEN": "secret-of-hub",
    "EMBEDDINGS_API_KEY": "secret-of-vectors",
}
VALUES = {"ENV": "prod", "POSTGRES_HOST": "127.0.0.1", "API_PORTS": "8090,8091", **SECRETS}
LIGHT = RoutedModel(
    name="albert-light",
    hf_repo_id="AgentPublic/albert-light",
    replicas=(Replica(port=8000, key_variable="LLM_API_KEY"),),
)
SMALL = RoutedModel(
    name="petit", driver="llama.cpp", file="/srv/m.gguf", replicas=(Replica(port=8001),)
)
E5 = RoutedModel(
    name="e5",
    type="embeddings",
    driver="embedded",
    replicas=(Replica(host="127.0.0.1", port=8002),),
)
MODELS = (LIGHT, SMALL, E5)
PEOPLE = "/home"

HOMES = "/" + "home"
"""Of people, whose folders a unit does not see by itself."""


def services(values: Mapping[str, str], models: Sequence[RoutedModel]) -> tuple[Service, ...]:
    return plan("prod", values, models).services


def render(
    models: Sequence[RoutedModel] = MODELS,
    *,
    saving: bool = True,
    program: str = "/srv/albert/.venv/bin/albert",
    **more: str,
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    values = {"ALBERT_HOME": "/var/lib/albert", **VALUES, **more}
    installation = Installation(
        program=program,
        user="albert",
        config=Path("/etc/albert"),
        values=values,
        settings=load({k: v for k, v in values.items() if k != "ALBERT_BACKUPS"}),
    )
    return rendered(installation, services(values, models), saving=saving)


def said(unit: str, option: str) -> list[str]:
    """Return the values of an option of a unit."""
    return [line.partition("=")[2] for line in unit.splitlines() if line.startswith(f"{option}=")]


def given(files: Mapping[str, str], name: str) -> dict[str, str]:
    return env_file.parse(files[f"{name}.env"], name)


def test_no_unit_holds_a_secret() -> None:
    units, _ = render()
    assert not [(name, s) for name, text in units.items() for s in SECRETS.values() if s in text]


@pytest.mark.parametrize(
    ("name", "secrets"),
    [
        ("api", {"SECRET_KEY", "FIRST_ADMIN_PASSWORD", "POSTGRES_PASSWORD", "LLM_API_KEY"}),
        ("llm-albert-light", {"LLM_API_KEY"}),
        ("llm-petit", {"LLM_API_KEY"}),
        ("embeddings-e5", {"EMBEDDINGS_API_KEY"}),
        ("corpus", set()),
        ("backup", {"POSTGRES_PASSWORD"}),
        ("models", {"HF_TOKEN"}),
    ],
)
def test_the_file_of_a_service_holds_its_own_secrets_alone(name: str, secrets: set[str]) -> None:
    _, files = render()
    assert given(files, name).keys() & SECRETS.keys() == secrets


def test_every_unit_reads_a_file_that_is_written() -> None:
    units, files = render()
    read = {one for text in units.values() for one in said(text, "EnvironmentFile")}
    assert read == {f"/etc/albert/{name}" for name in files}


def test_the_target_wants_each_worker_each_engine_and_the_timers() -> None:
    units, _ = render()
    assert said(units["albert.target"], "Wants") == [
        "albert-llm-albert-light.service",
        "albert-llm-petit.service",
        "albert-embeddings-e5.service",
        "albert-api@8090.service",
        "albert-api@8091.service",
        "albert-corpus.timer",
        "albert-backup.timer",
    ]


def test_a_worker_takes_its_port_from_its_name() -> None:
    units, _ = render()
    [line] = said(units["albert-api@.service"], "ExecStart")
    assert line == "/srv/albert/.venv/bin/albert serve api --port %i"


def test_a_worker_that_is_frozen_is_killed_without_a_dump_of_its_memory() -> None:
    units, _ = render()
    unit = units["albert-api@.service"]
    assert (said(unit, "WatchdogSec"), said(unit, "WatchdogSignal")) == (["60"], ["SIGKILL"])


def test_an_engine_is_told_where_to_listen() -> None:
    units, _ = render()
    [line] = said(units["albert-llm-petit.service"], "ExecStart")
    assert line == "/srv/albert/.venv/bin/albert serve llm petit --host 127.0.0.1 --port 8001"


def test_a_machine_of_models_alone_has_neither_sheets_nor_backup() -> None:
    units, files = render((SMALL,), API_HOSTS=",", saving=False)
    assert set(units) == {"albert-llm-petit.service", "albert.target"}
    assert set(files) == {"llm-petit.env"}


def test_one_machine_of_the_api_alone_backs_up() -> None:
    units, files = render((), saving=False)
    assert "albert-backup.timer" not in units
    assert "backup.env" not in files


def test_what_compiles_alone_may_run_what_it_wrote() -> None:
    units, _ = render()
    free = {n for n, t in units.items() if "[Service]" in t and "MemoryDenyWriteExecute" not in t}
    assert free == {
        "albert-llm-albert-light.service",  # vLLM: torch and Triton
        "albert-card.service",  # NVIDIA's own programs
        "albert-learn.service",  # npm: node
        "albert-corpus.service",
    }


def test_a_graphics_card_is_the_only_device_of_an_engine_that_computes_on_it() -> None:
    units, _ = render()
    assert said(units["albert-llm-albert-light.service"], "DeviceAllow") == ["char-nvidia* rw"]
    assert said(units["albert-llm-petit.service"], "PrivateDevices") == ["yes"]


def test_devices_of_the_cards_are_made_before_an_engine_that_could_not() -> None:
    units, _ = render()
    engine = units["albert-llm-albert-light.service"]
    assert [line.split()[1] for line in said(engine, "Wants")] == ["albert-card.service"]
    assert "albert-card.service" in said(engine, "After")[0].split()
    assert "User" not in units["albert-card.service"]  # root: what loads a module has to be
    assert said(units["albert-card.service"], "ExecStart")[-1] == "-/usr/bin/nvidia-modprobe -c0 -u"
    assert said(units["albert-card.service"], "ConditionPathExists") == ["/usr/bin/nvidia-modprobe"]


def test_without_vllm_nothing_is_done_to_cards() -> None:
    units, _ = render((SMALL, E5))
    assert not [name for name, unit in units.items() if "albert-card" in name + unit]


def test_an_engine_sees_its_models_and_nothing_else_of_the_data() -> None:
    units, files = render()
    engine = units["albert-llm-albert-light.service"]
    assert said(engine, "TemporaryFileSystem") == ["/var/lib/albert:ro"]
    assert said(engine, "BindReadOnlyPaths") == ["-/var/lib/albert/models"]
    assert given(files, "llm-albert-light")["STORAGE_PATH"] == "/var/lib/albert/models"
    assert given(files, "llm-albert-light")["ALBERT_HOME"] == "/var/lib/albert-llm-albert-light"


def test_an_engine_of_this_machine_speaks_to_this_machine_only() -> None:
    exposed = SMALL.model_copy(update={"replicas": (Replica(host="10.0.0.4", port=8001),)})
    units, _ = render((SMALL,))
    assert said(units["albert-llm-petit.service"], "IPAddressDeny") == ["any"]
    units, _ = render((exposed,))
    assert said(units["albert-llm-petit.service"], "IPAddressDeny") == []


def test_the_time_to_stop_is_longer_than_the_drain() -> None:
    units, _ = render(ALBERT_DRAIN_SECONDS="100.5")
    assert said(units["albert-api@.service"], "TimeoutStopSec") == ["131"]


def test_folders_of_ones_own_are_written_where_they_are() -> None:
    units, _ = render(
        ALBERT_HOME="/data/albert", ALBERT_BACKUPS="/mnt2/backups", STORAGE_PATH="/data/models"
    )
    assert said(units["albert-api@.service"], "ReadWritePaths") == ["-/data/albert"]
    assert said(units["albert-api@.service"], "StateDirectory") == []
    assert said(units["albert-backup.service"], "ReadWritePaths") == [
        "-/data/albert",
        "-/mnt2/backups",
    ]
    assert said(units["albert-models.service"], "ReadWritePaths")[1:] == ["-/data/models"]


def test_an_installation_in_somebodys_folder_is_read_and_never_written() -> None:
    units, _ = render(program=f"{HOMES}/camille/albert/.venv/bin/albert")
    assert said(units["albert-api@.service"], "ProtectHome") == ["read-only"]
    units, _ = render()
    assert said(units["albert-api@.service"], "ProtectHome") == ["yes"]


def test_a_name_is_taken_as_it_is() -> None:
    odd = SMALL.model_copy(update={"name": 'a %i $HOME "b"'})
    words = command(["albert", odd.name])
    assert words == 'albert "a %%i $$HOME \\"b\\""'


def test_a_value_that_systemd_would_read_otherwise_is_refused() -> None:
    with pytest.raises(EnvironmentInvalid, match="ALBERT_WHITELIST"):
        render(ALBERT_WHITELIST="it's")


def test_each_running_unit_names_the_files_that_it_is_made_of() -> None:
    found = running(services(VALUES, (SMALL,)))
    assert found == {
        "albert-llm-petit.service": ("albert-llm-petit.service", "llm-petit.env"),
        "albert-api@8090.service": ("albert-api@.service", "api.env"),
        "albert-api@8091.service": ("albert-api@.service", "api.env"),
    }


def test_the_python_of_an_engine_is_read_where_it_is() -> None:
    apart = LIGHT.model_copy(
        update={"engine": Engine(python=f"{HOMES}/gpu/vllm/bin/python"), "file": ""}
    )
    units, _ = render((apart,))
    assert said(units["albert-llm-albert-light.service"], "ProtectHome") == ["read-only"]


def test_a_folder_beside_the_home_may_be_written_however_its_name_begins() -> None:
    units, _ = render(
        ALBERT_BACKUPS="/var/lib/albert-backups", STORAGE_PATH="/var/lib/albert-models"
    )
    backup = said(units["albert-backup.service"], "ReadWritePaths")
    models = said(units["albert-models.service"], "ReadWritePaths")
    states = [
        said(units[f"albert-{one}.service"], "StateDirectory") for one in ("backup", "models")
    ]
    assert "albert-backups" in " ".join([*backup, *states[0]])
    assert "albert-models" in " ".join([*models, *states[1]])


def test_what_goes_to_the_internet_is_told_the_way_out() -> None:
    way = {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": ".exemple.fr"}
    _, files = render(HTTPS_PROXY="http://proxy:3128", NO_PROXY=".exemple.fr")
    assert all(given(files, one).items() >= way.items() for one in ("corpus", "models"))
