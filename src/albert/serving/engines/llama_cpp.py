"""llama.cpp, for GGUF files: its own server, in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from albert.domain.errors import InferenceError, ModelFileInvalid
from albert.routing.table import Engine, RoutedModel
from albert.serving import gguf
from albert.serving.engines import llama_cpp_child
from albert.serving.engines.contract import Launch, Order

WINDOW = 4096
"""Tokens that each reader has, where the table says nothing: its memory is taken at once."""
_MOST_THREADS = 8
"""More would wait for the memory, not for each other."""

_OTHERS = ("gpu_memory_share", "tensor_parallel_size", "dtype", "python")
"""Options of the table that are vLLM's."""

_FLAGS: Mapping[str, type[bool | int | float | str]] = {
    **dict.fromkeys(("n_gpu_layers", "main_gpu", "n_batch", "n_ubatch", "n_predict"), int),
    **dict.fromkeys(("n_cache_reuse", "cache_ram_mib", "n_ctx_checkpoints", "yarn_orig_ctx"), int),
    **dict.fromkeys(("rope_freq_base", "rope_freq_scale", "slot_prompt_similarity"), float),
    **dict.fromkeys(("yarn_ext_factor", "yarn_attn_factor"), float),
    **dict.fromkeys(("yarn_beta_fast", "yarn_beta_slow"), float),
    **dict.fromkeys(("cache_prompt", "cont_batching", "ctx_shift", "kv_unified"), bool),
    **dict.fromkeys(("no_kv_offload", "no_op_offload", "swa_full", "warmup", "use_jinja"), bool),
    "chat_template": str,
}
"""What ``engine.flags`` may say: fields of llama.cpp's ``CommonParams`` that bear on speed, memory
and form. None opens a file, an address or a log."""

_UNABLE: Mapping[str, str] = {
    "tool_choice.function": "llama.cpp n'impose pas un outil par son nom : ne donnez que "
    "celui-là, et tool_choice = required.",
    "echo": "llama.cpp ne répète pas la demande dans sa réponse (echo) : retirez ce champ.",
    "best_of": "llama.cpp ne choisit pas entre plusieurs réponses (best_of) : demandez n réponses.",
    "stop_token_ids": "llama.cpp ne s'arrête pas à un jeton (stop_token_ids) : employez stop.",
    "length_penalty": "llama.cpp ne pèse pas les longueurs (length_penalty) : retirez ce champ.",
    "suffix": "llama.cpp n'écrit pas entre deux textes (suffix) : retirez ce champ.",
}
_NO_TOOLS = "Le gabarit de ce modèle ne prévoit pas d'outils : retirez tools, ou changez de modèle."


class LlamaCppDriver:
    """Serves a GGUF file, on the processors, with ``xllamacpp``."""

    request_extra: Mapping[str, object] = {"return_progress": True}
    """While it reads a prompt, llama.cpp notices that the reader left only when it has
    something to say. Measured on 2,000 tokens: 14 s without, 0.2 to 0.4 s with."""

    def check_installed(self, model: RoutedModel) -> None:
        if importlib.util.find_spec("xllamacpp") is None:
            raise InferenceError("llama.cpp n'est pas installé : lancez « make install ».")
        if model.type == "rerank":
            raise InferenceError(
                "Le pilote llama.cpp n'offre pas le type rerank : prenez le pilote vllm."
            )
        _refuse_strangers(model.engine)
        _flags(model.engine.flags)

    def check(self, order: Order) -> None:
        self.check_installed(order.model)
        gguf.examine(_file(order), purpose=_purpose(order))

    def launch(self, order: Order) -> Launch:
        engine, file = order.model.engine, _file(order)
        vectors = order.model.type == "embeddings"
        about, flags = gguf.examine(file, purpose=_purpose(order)), _flags(engine.flags)
        window = min(engine.context or WINDOW, about.context or sys.maxsize)
        template = str(flags.get("chat_template", about.chat_template))
        wanted: llama_cpp_child.Wanted = {
            "path": str(file.absolute()),
            "name": order.model.upstream_name,
            "key": order.key,
            "port": order.port,
            "window": window,
            "slots": engine.slots,
            "threads": engine.threads or min(len(os.sched_getaffinity(0)), _MOST_THREADS),
            "vectors": vectors,
            "mean": vectors and not about.pooled,
            "flags": flags,
        }
        return Launch(
            argv=(sys.executable, "-P", "-m", llama_cpp_child.__name__),
            input=json.dumps(wanted).encode() + b"\n",
            ends_with_input=True,
            window=window,
            unable=_UNABLE if "tools" in template else {"tools": _NO_TOOLS, **_UNABLE},
        )


def _file(order: Order) -> Path:
    """Return the GGUF file that the weights are, or the only one among them.

    Raises:
        ModelFileInvalid: there is none, or several.
    """
    if not order.weights.is_dir():
        return order.weights
    found = sorted(order.weights.glob("*.gguf"))
    if len(found) == 1:
        return found[0]
    names = ", ".join(file.name for file in found)
    raise ModelFileInvalid(
        f"« {order.weights} » a plusieurs fichiers GGUF ({names}) : dites lequel dans file."
        if found
        else f"« {order.weights} » n'a aucun fichier GGUF, et llama.cpp ne sert que ceux-là : "
        "prenez la version GGUF du modèle, ou le pilote vllm."
    )


def _refuse_strangers(engine: Engine) -> None:
    default = Engine()
    for name in _OTHERS:
        if getattr(engine, name) != getattr(default, name):
            raise InferenceError(
                f"L'option engine.{name} est propre à vLLM : retirez-la, ou prenez le pilote vllm."
            )


def _flags(flags: Iterable[str]) -> dict[str, bool | float | str]:
    """Read ``--n-gpu-layers=32``, ``n_gpu_layers=32`` or, for a yes, ``--swa-full``.

    Raises:
        InferenceError: an option is unknown, or its value is not of its kind.
    """
    read: dict[str, bool | float | str] = {}
    for flag in flags:
        said, _, value = flag.partition("=")
        name = said.lstrip("-").replace("-", "_")
        if name not in _FLAGS:
            raise InferenceError(
                f"engine.flags : « {said} » n'est pas une option de llama.cpp qu'Albert "
                f"transmette ; il y a {', '.join(sorted(_FLAGS))}."
            )
        read[name] = _valued(said, value, _FLAGS[name])
    return read


_YES_OR_NO = {
    "": True,
    "true": True,
    "1": True,
    "on": True,
    "false": False,
    "0": False,
    "off": False,
}


def _valued(said: str, value: str, kind: type[bool | int | float | str]) -> bool | float | str:
    try:
        return _YES_OR_NO[value.lower()] if kind is bool else kind(value)
    except (KeyError, ValueError):
        words = {bool: "true ou false", int: "un nombre entier", float: "un nombre"}
        raise InferenceError(
            f"engine.flags : « {said} » veut {words.get(kind, 'un texte')}, et non « {value} »."
        ) from None


def _purpose(order: Order) -> gguf.Purpose:
    return "chat" if order.model.type == "text-generation" else "vectors"
