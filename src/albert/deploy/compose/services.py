"""Services of a plan in the words of the Compose specification."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from albert.deploy.compose.limits import limits
from albert.deploy.plan import Kind, Service

HOME = "/var/lib/albert"
TABLE = "/etc/albert/llm_routing_table.json"
TABLE_FILE = "llm_routing_table.json"
DATABASES = "databases"

_DATABASE = {"POSTGRES_HOST": "postgresql", "POSTGRES_PORT": "5432"}
"""That of ``contrib/compose/databases.yml``, from inside its network."""

_PROBE = (
    "to=__import__('http.client').client.HTTPConnection('127.0.0.1',{port},timeout=4);"
    "to.request('GET','{path}');exit(to.getresponse().status!=200)"
)
"""No space is in it: podman 4, asked as if it were Docker, would make words of what they divide."""
_READY: Mapping[Kind, str] = {
    "api": "/health/ready",
    "llm": "/health",
    "embeddings": "/health",
}
_PATIENCE: Mapping[Kind, str] = {"api": "2m", "llm": "30m", "embeddings": "2m"}
"""To begin: large weights are read from the disk, then compiled for the card."""

Definition = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ground:
    """What the services of one machine stand on."""

    images: str
    """Beginning of the images' names: ``registre.exemple.fr/albert``."""
    tag: str
    values: Mapping[str, str]
    own_database: bool
    """The database is the one that ``databases.yml`` runs on this machine."""
    files: tuple[str, ...] = ()
    """Files of the machine that the API reads, by their paths."""
    folders: tuple[str, ...] = ()
    """Folders of the machine that the API writes in: backups, what fail2ban reads."""
    storage: str = ""
    """Folder of the machine where models lie, under the same path in a container."""
    table: Mapping[str, Any] = field(default_factory=dict)
    """The routing table as seen from here."""
    drain: float = 30.0

    def image(self, name: str) -> str:
        return f"{self.images}/{name}:{self.tag}"


def definition(
    service: Service, name: str, ground: Ground, cards: Sequence[int], published: str
) -> Definition:
    """Return a service as Compose defines it.

    ``published`` is the address of the machine where others call it; empty: its network only.
    """
    made = _common(ground, image_of(service), name)
    made["command"] = _command(service)
    made["environment"] = {"ALBERT_HOME": HOME}
    made["volumes"] = [_volume("api" if service.kind == "api" else name, HOME)]
    if published:
        place = f"[{published}]" if ":" in published else published
        made["ports"] = [f"{place}:{service.port}:{service.port}"]
    made["healthcheck"] = {
        "test": [
            "CMD",
            "python3",
            "-Ic",
            _PROBE.format(port=service.port, path=_READY[service.kind]),
        ],
        "interval": "5s",
        "timeout": "5s",
        "retries": 6,
        "start_period": _PATIENCE[service.kind],
    }
    made["restart"] = "unless-stopped"
    made["stop_grace_period"] = f"{ground.drain + 15:g}s"  # it drains, then closes what it opened
    made["deploy"] = {"resources": {"limits": limits(service.kind, ground.values)}}
    if service.kind == "api":
        _reads_table(made, ground.table)
        _reads_data(made, ground)
    elif service.kind == "llm":
        _serves_model(made, service, ground, cards)
    return made


_SETUP = """\
albert db migrate
albert corpus fetch
albert corpus build || [ $? -eq 3 ] # a file was passed over, and named: the others are served
albert whitelist build
albert index build
"""


def setup(ground: Ground) -> Definition:
    """Return the one-shot service that prepares the database, the sheets and the index."""
    made = _common(ground, "api", "setup")
    made["profiles"] = ["setup"]
    made["entrypoint"] = ["sh", "-euc", _SETUP]
    made["environment"] = {"ALBERT_HOME": HOME}
    made["volumes"] = [_volume("api", HOME)]
    _reads_table(made, ground.table)
    _reads_data(made, ground)
    return made


def setup_models(services: Sequence[Service], ground: Ground) -> Definition | None:
    """Return the one-shot service that downloads the models of ``services``, if some are."""
    wanted = [s for s in services if s.kind == "llm" and s.model and s.model.hf_repo_id]
    if not wanted:
        return None
    made = _common(ground, image_of(wanted[0]), "setup-models")
    made["profiles"] = ["setup"]
    names = dict.fromkeys(one.model.name for one in wanted if one.model)
    words = [f"albert models download {_quoted(name)}" for name in names]
    made["entrypoint"] = ["sh", "-euc", " && ".join(words)]
    made["environment"] = {"ALBERT_HOME": HOME, "STORAGE_PATH": ground.storage}
    made["volumes"] = [_volume("setup", HOME)]
    _reads_table(made, ground.table)
    made["volumes"].append(_bound(ground.storage, ground.storage, read_only=False))
    if authorities := ground.values.get("SSL_CERT_FILE"):
        made["volumes"].append(_bound(authorities, authorities))
    return made


def image_of(service: Service) -> str:
    """Return which of Albert's images runs ``service``."""
    if service.model is not None and service.model.driver == "vllm":
        return "llm-cuda"
    return service.kind


def on_one_address(host: str) -> str:
    """Return the address of the machine ``host`` to publish on; a name may have several."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return "0.0.0.0"  # noqa: S104 — whoever calls needs the key


def escaped(value: Any) -> Any:  # noqa: ANN401 — any value of a YAML document
    """Return ``value`` as Compose reads it back: what follows a ``$`` is no variable."""
    match value:
        case str():
            return value.replace("$", "$$")
        case Mapping():
            return {key: escaped(one) for key, one in value.items()}
        case list() | tuple():
            return [escaped(one) for one in value]
    return value


def _common(ground: Ground, image: str, name: str) -> Definition:
    first = ground.images.partition("/")[0]
    has_registry = "." in first or (":" in first)
    return {
        "image": ground.image(image),
        # A name without a registry is an image of this machine: never a stranger's of Docker Hub.
        "pull_policy": "missing" if has_registry else "never",
        "env_file": [f"env/{name}.env"],
        "read_only": True,
        "tmpfs": ["/tmp"],  # noqa: S108 — the container's own
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "5"}},
    }


def _command(service: Service) -> list[str]:
    words = ["serve", service.kind]
    if service.kind == "llm" and service.model is not None:
        words.append(service.model.name)
    return [*words, "--host", "0.0.0.0", "--port", str(service.port)]  # noqa: S104 — its network


def _reads_data(made: Definition, ground: Ground) -> None:
    """Give what reads sheets and accounts its database and its files."""
    if ground.own_database:
        made["environment"] |= _DATABASE
        made["networks"] = ["default", DATABASES]
    made["volumes"] += [_bound(path, path) for path in ground.files]
    made["volumes"] += [_bound(path, path, read_only=False) for path in ground.folders]


def _reads_table(made: Definition, known: Mapping[str, Any]) -> None:
    """Give the routing table; whoever was begun with another one of ``known`` is made again."""
    made["environment"]["ALBERT_ROUTING_TABLE"] = TABLE
    made["volumes"].append(_bound(f"./{TABLE_FILE}", TABLE))
    text = orjson.dumps(known, option=orjson.OPT_SORT_KEYS)
    made["labels"] = {"albert.routing-table": hashlib.sha256(text).hexdigest()[:16]}


def _serves_model(made: Definition, service: Service, ground: Ground, cards: Sequence[int]) -> None:
    name = service.model.name if service.model is not None else ""
    _reads_table(made, {name: ground.table.get(name)})  # not made again for what another becomes
    made["volumes"].append(_bound(ground.storage, ground.storage))
    if image_of(service) != "llm-cuda":
        return
    # what is compiled for the card is loaded from there
    made["tmpfs"] = ["/tmp:exec"]  # noqa: S108
    made["shm_size"] = "8gb"  # what the cards of one model tell each other
    made["deploy"]["resources"]["reservations"] = {
        "devices": [
            {
                "driver": "nvidia",
                "device_ids": [str(card) for card in cards],
                "capabilities": ["gpu"],
            }
        ]
    }


def _volume(name: str, target: str) -> Definition:
    return {"type": "volume", "source": name, "target": target}


def _bound(source: str, target: str, *, read_only: bool = True) -> Definition:
    made: Definition = {"type": "bind", "source": source, "target": target}
    made |= {"read_only": True} if read_only else {}
    return made | {"bind": {"create_host_path": False}}  # a wrong path is told, not made


_PLAIN = re.compile(r"[A-Za-z0-9_./@:=+-]+")


def _quoted(word: str) -> str:
    """Return a word for ``sh``, which may not take the name of a model for an option's."""
    if _PLAIN.fullmatch(word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"
