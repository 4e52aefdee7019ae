"""A model's ``prompt_config.yml`` and its templates: read, checked, and made into modes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any, cast

import orjson

from albert.domain.conversation import Circumstances, Sampling
from albert.domain.errors import PromptConfigInvalid
from albert.domain.mishaps import mishap
from albert.prompt.entries import ConfigEntry, Defaults, KindEntry, ModeEntry, checked
from albert.prompt.formats import RawFormat
from albert.prompt.modes import Mode, is_known, try_out
from albert.prompt.sandbox import bounded
from albert.prompt.yaml_text import YamlInvalid, parse

NAMES = ("prompt_config.yml", "prompt_config.yaml")
_SIZE_LIMIT = 256 << 10
"""Bytes of a file; characters are counted where it is read."""


@dataclass(frozen=True, slots=True)
class PromptConfig:
    """A configuration whose templates stand in it; ``label`` names it in errors."""

    label: str
    entry: ConfigEntry = field(repr=False)
    inlined: Mapping[str, Any] = field(repr=False)
    """As the file says it, each template's text in place of its file's name."""

    def encoded(self) -> bytes:
        """Return it in JSON, for ``/get_prompt_config``."""
        return orjson.dumps(self.inlined)

    def modes(self, model: str) -> dict[str, Mode]:
        """Return the modes of a model of that name, by name, the built-in ones beneath.

        What is said for its kind comes first, then its mode, then the top level; what
        nothing says is as in the built-in mode of that name, if there is one.

        Raises:
            PromptConfigInvalid: a mode has no template, or a template fails.
        """
        ours, beneath = _by_mode(self.entry), _by_mode(_built_in().entry)
        kind = self._kind(model)
        made = {
            name: self._mode(name, kind, ours.get(name), beneath.get(name))
            for name in (*beneath, *(name for name in ours if name not in beneath))
        }
        for mode in made.values():
            try_out(mode)
        return made

    def prompt_format(self, model: str) -> RawFormat | None:
        """Return how the whole conversation is written as one text, or ``None``: as messages."""
        kind = self._kind(model)
        said = (kind and kind.prompt_format) or self.entry.prompt_format
        return None if said == "openai" else said

    def sampling(self, model: str) -> Sampling:
        """Return how a model of that name draws where no mode is named."""
        kind = self._kind(model)
        return (kind.sampling() if kind else Sampling()).over(self.entry.sampling())

    def _kind(self, model: str) -> KindEntry | None:
        """Return what is said of the model's kind; the longest beginning is the nearest kin."""
        akin = [one for one in self.entry.models if model.startswith(one.model_kind)]
        return max(akin, key=lambda one: len(one.model_kind), default=None)

    def _mode(
        self, name: str, kind: KindEntry | None, ours: ModeEntry | None, beneath: ModeEntry | None
    ) -> Mode:
        levels = [one for one in (kind, ours, self.entry, beneath) if one is not None]
        sampling = Sampling()
        for level in levels:
            sampling = sampling.over(level.sampling())
        words = [one for one in (ours, beneath) if one is not None]
        source = next((one.template for one in words if one.template is not None), None)
        if source is None:
            raise PromptConfigInvalid(
                f"{self.label}, mode « {name} » : il faut un template, le nom d'un fichier jinja."
            )
        default = next((one.default for one in words if one.default is not None), Defaults())
        said = (one.system_prompt for one in levels if one.system_prompt is not None)
        return Mode(
            name=name,
            system=next(said, "").strip(),
            template=bounded(source, f"{self.label}, gabarit du mode « {name} »", is_known),
            sampling=sampling,
            limit=default.limit,
            circumstances=_circumstances(default),
        )


def read_config(folder: Path) -> PromptConfig | None:
    """Return the configuration of a model's folder, or ``None`` where it holds none.

    Raises:
        PromptConfigInvalid: one line a mistake, each with the file and the key.
        HomeError: a file cannot be read.
    """
    found = [name for name in NAMES if (folder / name).is_file()]
    if len(found) > 1:
        raise PromptConfigInvalid(
            f"« {folder} » contient {' et '.join(found)} : gardez l'un des deux."
        )
    if not found:
        return None
    label = f"« {folder / found[0]} »"
    text = _text_of(folder / found[0], label)
    return _checked(_made(text, label, lambda name: _beside(folder, name, label)))


def read_inlined(body: bytes, label: str) -> PromptConfig:
    """Return the configuration that a service's ``/get_prompt_config`` gave.

    Raises:
        PromptConfigInvalid: one line a mistake, each with the key.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise PromptConfigInvalid(f"{label} : ce n'est pas du JSON.") from None
    return _checked(PromptConfig(label, checked(value, label), value))


def built_in() -> PromptConfig:
    """Return the configuration that comes with Albert: modes simple and rag."""
    return _built_in()


@cache
def _built_in() -> PromptConfig:
    folder = files("albert.prompt") / "templates"
    label = "les modes d'Albert"

    def read(name: str) -> str:
        return (folder / name).read_text("utf-8")

    return _made(read(NAMES[0]), label, read)


def _made(text: str, label: str, read: Callable[[str], str]) -> PromptConfig:
    try:
        value = parse(text)
    except YamlInvalid as error:
        raise PromptConfigInvalid(f"{label} : {error}.") from None
    value = {} if value is None else value
    checked(value, label)
    inlined = cast("dict[str, Any]", value)
    for mode in inlined.get("prompts") or ():
        if mode.get("template") is not None:
            mode["template"] = read(mode["template"])
    return PromptConfig(label, checked(inlined, label), inlined)


def _checked(config: PromptConfig) -> PromptConfig:
    """Return it once its modes have been made, whatever the model."""
    for name in ("", *(kind.model_kind for kind in config.entry.models)):
        config.modes(name)
    return config


def _by_mode(entry: ConfigEntry) -> dict[str, ModeEntry]:
    return {one.mode: one for one in entry.prompts}


def _circumstances(default: Defaults) -> Circumstances:
    return Circumstances(
        context=default.context,
        links=default.links,
        institution=default.institution,
        operators=default.operators,
        themes=default.themes,
    )


def _beside(folder: Path, name: str, label: str) -> str:
    """Read a template of the folder; nothing outside of it, whatever its name says."""
    said = PurePosixPath(name)
    if said.is_absolute() or ".." in said.parts or "\\" in name or "\0" in name or not said.parts:
        raise PromptConfigInvalid(
            f"{label}, template « {name} » : donnez un fichier de ce dossier, par son nom."
        )
    path = folder / said
    if not path.is_file():
        raise PromptConfigInvalid(f"{label}, template « {name} » : ce fichier n'existe pas.")
    if not any(path.resolve().is_relative_to(root) for root in _roots(folder)):
        raise PromptConfigInvalid(f"{label}, template « {name} » : ce lien sort du dossier.")
    return _text_of(path, f"{label}, template « {name} »")


def _roots(folder: Path) -> tuple[Path, ...]:
    """Return where a file of the folder may really lie.

    In the hub's own cache, ``snapshots/<revision>/<name>`` is a link to ``blobs/<digest>``.
    """
    whole = folder.resolve()
    cached = whole.parent.name == "snapshots"
    return (whole, whole.parent.parent / "blobs") if cached else (whole,)


def _text_of(path: Path, label: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_SIZE_LIMIT + 1)
    except OSError as error:
        raise mishap(error) from error
    if len(content) > _SIZE_LIMIT:
        raise PromptConfigInvalid(f"{label} : plus de {_SIZE_LIMIT} octets.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PromptConfigInvalid(f"{label} : ce n'est pas de l'UTF-8.") from None
