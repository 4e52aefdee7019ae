"""The services of a plan as units: the API's workers, the models, the vectors."""

from __future__ import annotations

from collections.abc import Sequence

from albert.deploy.plan import LOCAL, Service, machine
from albert.deploy.systemd.card import CARD
from albert.deploy.systemd.installation import Installation, state
from albert.deploy.systemd.sandbox import Sandbox, options
from albert.deploy.systemd.unit import Option, command, path, plain, text
from albert.routing.table import RoutedModel

TARGET = "albert.target"
LEARN = "albert-learn.service"
MODELS = "albert-models.service"
API = "albert-api@.service"

_STOP_MORE = 30
"""Seconds beyond the drain: engines end, what was counted is written down."""
_FROZEN = "60"
"""Seconds without a turn of the event loop after which a worker is started anew."""


def api(installation: Installation, service: Service) -> str:
    """Return the template of the API's workers: ``albert-api@8090.service`` has port 8090."""
    settings = installation.settings
    log = service.variables.get("ALBERT_AUTH_LOG", "").rpartition("/")[0]
    started = f"{command([installation.program, 'serve', 'api', '--port'])} %i"
    return text(
        {
            "Unit": [
                ("Description", "Albert : API, port %i"),
                ("Wants", f"network-online.target {LEARN}"),
                ("After", f"network-online.target postgresql.service {LEARN}"),
                *_LASTING,
            ],
            "Service": [
                *_started(installation, "api", started),
                ("ExecReload", "/bin/kill -HUP $MAINPID"),
                ("WatchdogSec", _FROZEN),
                ("WatchdogSignal", "SIGKILL"),  # no memory dump, which people's questions are in
                *folders(installation, *([log] if log else [])),
                *options(
                    Sandbox(
                        homes=installation.in_homes(
                            installation.home, settings.routing_table, settings.whitelist
                        ),
                    )
                ),
            ],
        }
    )


def engine(installation: Installation, service: Service) -> str:
    """Return the unit of one model, or of the vectors."""
    assert service.model is not None  # noqa: S101 — that of the API has a function of its own
    model = service.model
    words = ["serve", "llm", model.name] if service.kind == "llm" else ["serve", "embeddings"]
    words += ["--host", listening(service), "--port", str(service.port)]
    own = own_home(service.name)
    first = f"network-online.target {CARD}" if on_card(service) else "network-online.target"
    return text(
        {
            "Unit": [
                ("Description", plain(f"Albert : {model.name}")),
                ("Wants", first),
                ("After", f"{first} {MODELS}"),
                *_LASTING,
            ],
            "Service": [
                *_started(installation, service.name, command([installation.program, *words])),
                # torch and Triton keep in it what they compiled
                ("Environment", path(f"HOME={own}")),
                ("StateDirectory", state(own)),
                ("StateDirectoryMode", "0700"),
                *options(_sandbox(installation, service, model)),
            ],
        }
    )


def _sandbox(installation: Installation, service: Service, model: RoutedModel) -> Sandbox:
    """An engine sees its weights and the table, and nothing of what the API keeps."""
    needs = [one for one in (installation.settings.routing_table, model.engine.python) if one]
    needs += [model.file if model.file.startswith("/") else installation.storage]
    vllm = on_card(service)
    return Sandbox(
        hides=[installation.home],
        shows=installation.in_home(*needs),
        homes=installation.in_homes(*needs),
        compiles=vllm,
        graphics=vllm,
        loopback=not vllm and machine(listening(service)) == LOCAL,
    )


def on_card(service: Service) -> bool:
    """Whether it may compute on a graphics card."""
    return service.model is not None and service.model.driver == "vllm"


def variables(installation: Installation, service: Service) -> dict[str, str]:
    """Return what the file of a service says: what it reads, and where its data is."""
    if service.kind == "api":
        return {**service.variables, "ALBERT_HOME": installation.home}
    found = {**service.variables, "ALBERT_HOME": own_home(service.name)}
    if service.kind == "llm":
        found["STORAGE_PATH"] = installation.storage
        found.pop("HF_TOKEN", None)  # read where models are downloaded
    return found


def listening(service: Service) -> str:
    """Return the address where a model is served."""
    host = service.replica.host if service.replica is not None else ""
    return host or "127.0.0.1"


def own_home(name: str) -> str:
    """Return the data folder of an engine: nothing of the API's is in it."""
    return f"/var/lib/albert-{name}"


def folders(installation: Installation, *more: str) -> list[Option]:
    """Return what lets a service write the data, and the folders ``more``.

    Those of a place for that are made by systemd, for the service's user alone.
    """
    found: list[Option] = []
    for folder in (installation.home, *more):
        if name := state(folder):
            found += [("StateDirectory", name), ("StateDirectoryMode", "0700")]
        elif name := state(folder, "/var/log/"):
            found += [("LogsDirectory", name), ("LogsDirectoryMode", "0750")]
        else:
            found.append(("ReadWritePaths", f"-{path(folder)}"))
    return found


def identity(installation: Installation, name: str) -> list[Option]:
    """Return whose a process is, and the variables that it is given."""
    return [
        ("User", installation.user),
        ("EnvironmentFile", plain(f"{installation.config}/{name}.env")),
    ]


def _started(installation: Installation, name: str, line: str) -> list[Option]:
    return [
        ("Type", "notify"),
        ("NotifyAccess", "main"),
        *identity(installation, name),
        ("ExecStart", line),
        ("Restart", "always"),
        ("RestartSec", "5"),
        ("TimeoutStartSec", "300"),
        ("TimeoutStopSec", str(installation.drain + _STOP_MORE)),
        ("KillMode", "mixed"),  # the program alone is asked: it stops its engine in order
        ("LimitNOFILE", "65536"),
    ]


_LASTING: Sequence[Option] = (("PartOf", TARGET), ("StartLimitIntervalSec", "0"))
