"""YAML within bounds: plain values, each key once, no alias, no deep nesting."""

from __future__ import annotations

import yaml

LIMIT = 64 << 10
"""Characters; a configuration of prompts has a hundred lines."""
_DEPTH = 16
_BEGINS = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_ENDS = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


class YamlInvalid(ValueError):
    """A French phrase says why, and at which line."""


def parse(text: str) -> object:
    """Return the value of a text, ``None`` where it is empty.

    Raises:
        YamlInvalid
    """
    if len(text) > LIMIT:
        raise YamlInvalid(f"plus de {LIMIT} caractères")
    try:
        _check_events(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None:
            _check_keys(root)
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"ligne {mark.line + 1}, " if mark else ""
        raise YamlInvalid(f"{where}ce n'est pas du YAML simple ({error.problem})") from None
    except (yaml.YAMLError, ValueError) as error:  # a character, or a number of 5,000 digits
        if isinstance(error, YamlInvalid):
            raise
        raise YamlInvalid("ce n'est pas du YAML simple") from None


def _check_events(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise YamlInvalid(f"ligne {line}, les renvois (« *nom ») n'y sont pas permis")
        depth += isinstance(event, _BEGINS)
        depth -= isinstance(event, _ENDS)
        if depth > _DEPTH:
            raise YamlInvalid(f"ligne {line}, les valeurs s'emboîtent trop")


def _check_keys(root: yaml.Node) -> None:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    if key.value in seen:
                        line = key.start_mark.line + 1
                        raise YamlInvalid(f"ligne {line}, la clé « {key.value} » y est deux fois")
                    seen.add(key.value)
                waiting.append(value)
