"""Templates that others wrote, rendered within bounds: a model's folder comes from elsewhere.

jinja's sandbox keeps a template from our objects; what is here keeps it from taking all
the memory or all the time. A template has loops, conditions and the filters below; what
could grow by doubling (macros, ``*`` on texts, lists of lists) is not there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeVar

from jinja2 import (
    StrictUndefined,
    Template,
    TemplateError,
    TemplateSyntaxError,
    Undefined,
    UndefinedError,
    filters,
    meta,
    nodes,
    pass_context,
)
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from albert.domain.errors import PromptConfigInvalid

SOURCE_LIMIT = 64 << 10
"""Characters of a template."""
TEXT_LIMIT = 1 << 20
"""Characters of what it renders, and of any text on the way."""
STEPS = 10_000
"""Turns of all the loops of one rendering, together."""
_NUMBER_LIMIT = 10**9
_METER, _BUDGET, _SHORT = "_metered", "_budget", "_short"
_Value = TypeVar("_Value")

_NODES = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Tuple),
    *(nodes.List, nodes.For, nodes.If, nodes.Assign, nodes.Filter, nodes.Test, nodes.Call),
    *(nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Compare, nodes.Operand, nodes.Keyword),
    *(nodes.And, nodes.Or, nodes.Not, nodes.CondExpr, nodes.Concat, nodes.Neg, nodes.Pos),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod),
)
_METHODS = frozenset(
    (
        *("strip", "lstrip", "rstrip", "lower", "upper", "capitalize", "title", "split"),
        *("splitlines", "startswith", "endswith", "cycle", "changed"),
    )
)
_FILTERS = (
    *("abs", "capitalize", "count", "d", "default", "first", "float", "int", "last", "length"),
    *("list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "round", "select"),
    *("selectattr", "sort", "string", "title", "trim", "truncate", "unique", "upper"),
)


class _Refused(SecurityError):
    """A French phrase says what passes the bounds."""


@dataclass(slots=True)
class _Budget:
    left: int = STEPS

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise _Refused(f"plus de {STEPS} tours de boucle")


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset("+*%")

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        texts = isinstance(left, str) and isinstance(right, str) and operator == "+"
        if not texts and not (_small(left) and _small(right)):
            raise _Refused(f"« {operator} » ne va ici qu'entre deux nombres")
        return _short(super().call_binop(context, operator, left, right))


def _small(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) <= _NUMBER_LIMIT


def _short(value: _Value) -> _Value:
    if isinstance(value, str) and len(value) > TEXT_LIMIT:
        raise _Refused(f"plus de {TEXT_LIMIT} caractères")
    return value


def _range(*bounds: int) -> range:
    made = range(*bounds)
    if len(made) > STEPS:
        raise _Refused(f"plus de {STEPS} tours de boucle")
    return made


def _join(value: Iterable[object], between: str = "", attribute: str | None = None) -> str:
    parts, size = [], 0
    for item in value:
        parts.append(_shown(item if attribute is None else getattr(item, attribute)))
        size += len(parts[-1]) + len(between)
        if size > TEXT_LIMIT + len(between):
            raise _Refused(f"plus de {TEXT_LIMIT} caractères")
    return between.join(parts)


def _replace(text: str, old: str, new: str) -> str:
    if text.count(old) * len(new) > TEXT_LIMIT:
        raise _Refused(f"plus de {TEXT_LIMIT} caractères")
    return text.replace(old, new)


@pass_context
def _metered(context: Context, value: Iterable[object]) -> Iterable[object]:
    sized = value if isinstance(value, Sized) else list(value)
    budget = context.resolve(_BUDGET)
    if isinstance(budget, _Budget):
        budget.spend(len(sized))
    return sized


def _shown(value: object) -> str:
    """Return what a template shows of a value; of a list, its texts."""
    if isinstance(value, Undefined):
        return str(value)  # raises, with the name
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    if value is None:
        return ""
    if isinstance(value, str | int | float):
        return _short(str(value))
    raise _Refused("ce n'est ni un texte ni un nombre : nommez un de ses champs")


def _environment() -> _Environment:
    # plain text for a model, not HTML: ``quotation`` makes each variable harmless instead
    made = _Environment(
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
        optimized=False,  # nothing is computed while compiling, where no bound would hold
    )
    offered: dict[str, Callable[..., object]] = {name: filters.FILTERS[name] for name in _FILTERS}
    own = {_METER: _metered, _SHORT: _short, "join": _join, "replace": _replace}
    made.filters = offered | own
    made.globals = {"range": _range}
    return made


_ENVIRONMENT = _environment()


@dataclass(frozen=True, slots=True)
class BoundedTemplate:
    """A template, read and checked; ``label`` names it to who must correct it."""

    label: str
    source: str
    names: frozenset[str]
    """The variables it uses."""
    template: Template

    def render(self, variables: Mapping[str, object]) -> str:
        """Return its text, without blanks around it.

        Raises:
            PromptConfigInvalid: it names what is not there, or passes its bounds.
        """
        context = self.template.new_context({**variables, _BUDGET: _Budget()})
        try:
            return "".join(_within_limit(self.template.root_render_func(context))).strip()
        except UndefinedError as error:
            reason = f"une valeur n'existe pas ({error.message})."
        except _Refused as error:
            reason = f"{error.message}."
        except SecurityError:
            reason = "ce qui commence par « _ » n'est pas permis."
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            reason = f"une expression échoue ({type(error).__name__})."
        raise PromptConfigInvalid(f"{self.label} : {reason}") from None


def _within_limit(pieces: Iterable[str]) -> Iterator[str]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > TEXT_LIMIT:
            raise _Refused(f"plus de {TEXT_LIMIT} caractères")
        yield piece


def bounded(source: str, label: str, known: Callable[[str], bool]) -> BoundedTemplate:
    """Read a template whose variables are ``known``.

    Raises:
        PromptConfigInvalid: it is no template, or uses what no template may.
    """
    if len(source) > SOURCE_LIMIT:
        raise PromptConfigInvalid(f"{label} : plus de {SOURCE_LIMIT} caractères.")
    try:
        tree = _ENVIRONMENT.parse(source)
        _check(tree, label)
        names = frozenset(meta.find_undeclared_variables(tree)) - {"range"}
        if unknown := sorted(name for name in names if not known(name)):
            raise PromptConfigInvalid(f"{label} : la variable « {unknown[0]} » n'existe pas.")
        code = _ENVIRONMENT.compile(_metering(tree))
    except TemplateSyntaxError as error:
        raise PromptConfigInvalid(
            f"{label}, ligne {error.lineno} : ce n'est pas du jinja ({error.message})."
        ) from None
    except RecursionError:
        raise PromptConfigInvalid(f"{label} : ses blocs s'emboîtent sans fin.") from None
    template = Template.from_code(_ENVIRONMENT, code, dict(_ENVIRONMENT.globals))
    return BoundedTemplate(label, source, names, template)


def _check(tree: nodes.Node, label: str) -> None:
    for node in _every(tree):
        if reason := _refusal(node):
            raise PromptConfigInvalid(f"{label}, ligne {node.lineno} : {reason}")


def _refusal(node: nodes.Node) -> str:
    """Return why a template may not hold this, or nothing."""
    reason = ""
    match node:
        case nodes.Name(name=name) if name.startswith("_"):
            reason = f"le nom « {name} » n'est pas permis."
        case nodes.Filter(name=name) if name not in _ENVIRONMENT.filters or name[0] == "_":
            reason = f"le filtre « {name} » n'existe pas ici{_nearest(name)}."
        case nodes.For(recursive=True):
            reason = "une boucle « recursive » n'est pas permise."
        case nodes.Call(node=called) if not _may_call(called):
            reason = "cet appel de fonction n'est pas permis."
        case nodes.List() | nodes.Tuple(ctx="load") if not _constant(node):
            reason = "une liste ne peut contenir ici que des textes et des nombres."
        case _ if not isinstance(node, _NODES):
            reason = f"« {type(node).__name__} » n'est pas permis dans un gabarit de prompt."
    return reason


def _nearest(name: str) -> str:
    near = get_close_matches(name, [one for one in _ENVIRONMENT.filters if one[0] != "_"], n=1)
    return f" : vouliez-vous dire {near[0]} ?" if near else ""


def _may_call(called: nodes.Node) -> bool:
    if isinstance(called, nodes.Getattr):
        return called.attr in _METHODS
    return isinstance(called, nodes.Name) and called.name == "range"


def _constant(node: nodes.List | nodes.Tuple) -> bool:
    return all(isinstance(item, nodes.Const) for item in node.items)


def _every(tree: nodes.Node) -> Iterator[nodes.Node]:
    waiting = deque([tree])
    while waiting:
        node = waiting.popleft()
        yield node
        waiting.extend(node.iter_child_nodes())


def _metering(tree: nodes.Template) -> nodes.Template:
    """Have each loop spend its turns, and each ``~`` keep to the limit."""
    for node in list(_every(tree)):
        if isinstance(node, nodes.For):
            node.iter = _filtered(node.iter, _METER)
        elif isinstance(node, nodes.Concat):
            node.nodes = [_filtered(nodes.Concat(node.nodes, lineno=node.lineno), _SHORT)]
    tree.set_environment(_ENVIRONMENT)
    return tree


def _filtered(value: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(value, name, [], [], None, None, lineno=value.lineno)
