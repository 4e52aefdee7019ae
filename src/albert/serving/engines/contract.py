"""What an engine's driver is: from an entry of the routing table to a program to launch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from albert.routing.table import RoutedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One engine to launch on this machine."""

    model: RoutedModel
    weights: Path
    """A GGUF file, or the folder of a Hugging Face repository."""
    port: int
    """Free on 127.0.0.1, where the engine's own server will listen, and nowhere else."""
    key: str = field(repr=False)
    """Made for this launch; the engine lets in nobody without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A program. Keys never stand in ``argv``, which every user of the machine can read."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Added to a scrubbed one."""
    input: bytes = field(default=b"", repr=False)
    """Written to its standard input, which then stays open: its end says that we are gone."""
    ends_with_input: bool = False
    """It ends by itself, children included, when its input does; if not, a keeper sees to it
    (``serving.keeper``), and its input is empty."""
    window: int = 0
    """Tokens that each reader has; 0 where the engine alone knows."""
    unable: Mapping[str, str] = field(default_factory=dict)
    """What the engine would pass over in silence, with this model: by field of a request
    (``tools``, ``tool_choice.function``), a French sentence that says so and what to do."""


class Driver(Protocol):
    """Turns an order into the engine's own server; starts nothing itself."""

    request_extra: Mapping[str, object]
    """What each streamed request must say besides, for this engine."""

    def check_installed(self, model: RoutedModel) -> None:
        """See what can be seen without the weights, which may take an hour to come.

        Raises:
            InferenceError: the engine is not installed, or lacks an option of the entry.
        """
        ...

    def check(self, order: Order) -> None:
        """See what can be seen before anything starts.

        Raises:
            ModelFileInvalid: the weights are not of its kind.
            InferenceError: the engine is not installed, or lacks an option of the entry.
        """
        ...

    def launch(self, order: Order) -> Launch:
        """Return the program that serves ``/v1``, under the name ``order.model.upstream_name``."""
        ...


class EngineState(Protocol):
    """How an engine is at this moment: read it at each use, since it may be restarted."""

    @property
    def ready(self) -> bool:
        """It has generated a token, or a vector, and has answered since."""
        ...

    @property
    def base_url(self) -> str:
        """The address of its OpenAI-compatible API, ``/v1`` included; empty before a launch."""
        ...

    @property
    def key(self) -> str:
        """What it wants as a bearer token."""
        ...

    @property
    def detail(self) -> str:
        """Why it is not ready, in a French sentence without path or key; empty when it is."""
        ...

    @property
    def request_extra(self) -> Mapping[str, object]:
        """What each streamed request must say besides (``Driver.request_extra``)."""
        ...

    @property
    def unable(self) -> Mapping[str, str]:
        """What it cannot do (``Launch.unable``): requests that ask for it are refused in front
        (``serving.engines.unable.refusal``).
        """
        ...
