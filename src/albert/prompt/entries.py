"""What may stand in a prompt_config.yml, and what is said of what may not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from albert.domain.conversation import Sampling
from albert.domain.errors import PromptConfigInvalid

_TEXT_LIMIT = 64 << 10
Text = Annotated[str, Field(max_length=_TEXT_LIMIT)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
Factor = Annotated[float, Field(gt=0, le=10)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Token = Annotated[int, Field(ge=0, le=10_000_000)]


class _Entry(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False
    )


class _Drawn(_Entry):
    """What each level may say; ``None``: it says nothing."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Count | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1, le=1_000_000)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    repetition_penalty: Factor | None = None
    length_penalty: Annotated[float, Field(ge=-10, le=10)] | None = None
    stop_token_ids: Annotated[tuple[Token, ...], Field(max_length=100)] | None = None
    system_prompt: Text | None = None

    def sampling(self) -> Sampling:
        said = {name: getattr(self, name) for name in DRAWN}
        return Sampling(**{name: value for name, value in said.items() if value is not None})


DRAWN = tuple(name for name in _Drawn.model_fields if name != "system_prompt")


class Defaults(_Entry):
    """What a request says of itself, where it does not."""

    limit: Annotated[int, Field(ge=1, le=50)] | None = None
    context: Text = ""
    links: Text = ""
    institution: Text = ""
    operators: Annotated[tuple[Text, ...], Field(max_length=100)] = ()
    themes: Annotated[tuple[Text, ...], Field(max_length=100)] = ()


class ModeEntry(_Drawn):
    mode: Name
    template: Text | None = None
    """A file's name; the text itself once inlined."""
    default: Defaults | None = None


class KindEntry(_Drawn):
    """For the models whose name begins with ``model_kind``."""

    model_kind: Name
    prompt_format: Literal["openai", "llama-chat", "llama3-chat", "chatml"] | None = None


class ConfigEntry(_Drawn):
    prompt_format: Literal["openai", "llama-chat", "llama3-chat", "chatml"] | None = None
    models: Annotated[tuple[KindEntry, ...], Field(max_length=100)] = ()
    prompts: Annotated[tuple[ModeEntry, ...], Field(max_length=100)] = ()


def checked(value: object, label: str) -> ConfigEntry:
    """Return the configuration that a value of YAML or JSON is.

    Raises:
        PromptConfigInvalid: one line a mistake, each with the file and the key.
    """
    if not isinstance(value, dict):
        raise PromptConfigInvalid(f"{label} : il faut des clés, comme « prompts : ».")
    text = json.dumps(value, default=str)  # a date, where a text is wanted, is that text
    try:
        config = ConfigEntry.model_validate_json(text, strict=True)
    except ValidationError as error:
        lines = [f"{label}, {_place(one['loc'])} : {_reason(one)}" for one in error.errors()]
        raise PromptConfigInvalid("\n".join(lines)) from None
    if lines := [f"{label}, {place} est là deux fois." for place in _twice(config)]:
        raise PromptConfigInvalid("\n".join(lines))
    return config


def _twice(config: ConfigEntry) -> Iterator[str]:
    modes = [one.mode for one in config.prompts]
    kinds = [one.model_kind for one in config.models]
    for key, names in (("mode", modes), ("model_kind", kinds)):
        yield from (f"{key} « {name} »" for name in sorted(set(names)) if names.count(name) > 1)


def _place(path: Sequence[str | int]) -> str:
    return ".".join(str(step + 1) if isinstance(step, int) else step for step in path) or "racine"


_KEYS: dict[str, type[_Entry]] = {"prompts": ModeEntry, "models": KindEntry, "default": Defaults}
_FAMILIES = {
    "int": "un nombre entier",
    "float": "un nombre",
    "string": "un texte",
    "tuple": "une liste",
    "model": "des clés",
    "missing": "cette clé",
}
_BOUNDS = {
    "ge": "au moins",
    "gt": "plus de",
    "le": "au plus",
    "lt": "moins de",
    "max_length": "au plus",
    "min_length": "au moins",
}


def _reason(error: ErrorDetails) -> str:
    """Say in French what pydantic found wrong."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        named = [step for step in error["loc"] if isinstance(step, str)]
        entry = next((_KEYS[step] for step in named[-2::-1] if step in _KEYS), ConfigEntry)
        near = get_close_matches(named[-1] if named else "", entry.model_fields, n=1)
        return "cette clé n'existe pas" + (f" : vouliez-vous dire {near[0]} ?" if near else ".")
    if kind == "literal_error":
        return f"il faut {context['expected'].replace(' or ', ' ou ')}, ou null."
    for bound, word in _BOUNDS.items():
        if bound in context:
            unit = " (longueur)" if bound.endswith("_length") else ""
            return f"il faut {word} {context[bound]}{unit}."
    family = kind.partition("_")[0]
    return f"il faut {_FAMILIES.get(family, 'une autre valeur')}."
