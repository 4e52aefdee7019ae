"""Who answers from the sheets: the language models of the table at this moment, and extraction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from albert.assistant.contract import EXTRACTIVE, Answerer
from albert.assistant.substitution import SubstitutedAnswerer
from albert.routing.fleet import Fleet
from albert.routing.route import Route


class TableAnswerers(Mapping[str, Answerer]):
    """By name or alias; an answerer is made at its first use, and follows the table after."""

    def __init__(self, fleet: Fleet, make: Callable[[str], Answerer], extractive: Answerer) -> None:
        self._fleet = fleet
        self._make = make
        self._made: dict[str, Answerer] = {EXTRACTIVE: extractive}

    def __getitem__(self, name: str) -> Answerer:
        if name == EXTRACTIVE:
            return self._made[name]
        route = self._fleet.find(name)
        if route is None or route.model.type != "text-generation":
            raise KeyError(name)
        return self._of(route)

    def __iter__(self) -> Iterator[str]:
        for route in self._fleet:
            if route.model.type == "text-generation":
                yield route.model.name
        yield EXTRACTIVE

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _of(self, route: Route) -> Answerer:
        name = route.model.name
        if name not in self._made:
            self._made[name] = SubstitutedAnswerer(self._make(name), lambda: self._substitute(name))
        return self._made[name]

    def _substitute(self, name: str) -> Answerer | None:
        route = self._fleet.find(name)
        return self.get(route.model.fallback) if route else None
