"""Whether a machine is surely one of trial, that may be stopped without a word of the operator."""

from __future__ import annotations

import re
from collections.abc import Mapping

TRIAL = frozenset({"staging", "dev", "development", "test"})
_PRODUCTION = re.compile(r"(?<!pre)prod(uction)?$")
_KEYS = frozenset({"env", "environment", "environnement"})


def doubt(environment: str, tags: Mapping[str, str]) -> str:
    """Return why citizens may be served from a machine with these tags; empty if they are not.

    It is of trial if its environment's name and a tag of its own both say so, and if nothing
    in them speaks of production: what was left unsaid may be a mistake in ``OSC_VM_ID``.
    """
    if _serves(environment) or not TRIAL & _words(environment):
        return f"le nom de l'environnement, « {environment} », n'est pas celui d'un essai"
    for key, value in tags.items():
        if _serves(key) or _serves(value):
            return f"son étiquette {key}={value} parle de production"
    told = {key: value for key, value in tags.items() if key.lower() in _KEYS}
    for key, value in told.items():
        if not TRIAL & _words(value):
            return f"son étiquette {key}={value} n'est pas celle d'un essai"
    return "" if told else "elle n'a pas l'étiquette env=staging"


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+", text.lower()))


def _serves(text: str) -> bool:
    """Whether a text names the production; neither « domaine », « produit » nor « preprod » do."""
    return any(word == "main" or _PRODUCTION.search(word) for word in _words(text))
