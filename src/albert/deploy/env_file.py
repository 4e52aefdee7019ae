"""The file of an environment's variables, in the form that Docker Compose reads."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from albert.deploy.files import put_whole
from albert.domain.errors import EnvironmentInvalid
from albert.domain.mishaps import reason

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_NAME = 64
"""What is longer is a secret that lost its name, such as a whole file in base64."""
_GIVEN = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*)", re.DOTALL)
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")


def read(path: Path) -> dict[str, str]:
    """Return the variables of a file, in its order; nothing is interpolated.

    Raises:
        EnvironmentInvalid: with the line that cannot be read, or that says a name again.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = reason(error) if isinstance(error, OSError) else "ce n'est pas du texte UTF-8"
        raise EnvironmentInvalid(
            f"Le fichier de variables « {path} » ne peut pas être lu ({why}) : "
            "vérifiez son chemin et ses droits."
        ) from None
    return parse(text, str(path))


def parse(text: str, place: str) -> dict[str, str]:
    """Return the variables of a text; ``place`` names it in what is said of a mistake.

    Raises:
        EnvironmentInvalid
    """
    found: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        said = binding.original.string
        line = binding.original.line + said[: len(said) - len(said.lstrip())].count("\n")
        wrong = _mistake(binding)
        if not wrong and binding.key in found:
            wrong = f"{binding.key} est déjà donnée plus haut."
        if wrong:
            raise EnvironmentInvalid(f"{place}, ligne {line} : {wrong}")
        if binding.key is not None:  # else a blank line, or a comment
            found[binding.key] = binding.value or ""
    return found


def _mistake(binding: Binding) -> str:
    """Return what is wrong with a line, or nothing; what may be a secret is not shown."""
    given = _GIVEN.match(binding.original.string)
    name, value = given.groups() if given else ("", "")
    if len(binding.key or name) > _LONGEST_NAME or (binding.value is not None and not name):
        return "ce qui précède « = » n'est pas un nom de variable."
    if value[:1] in ("'", '"') and (binding.error or "\n" in value.rstrip()):
        return (
            f"ce qui ouvre la valeur de {name} ({value[0]}) ne la ferme pas à la fin de la ligne : "
            f"écrivez {name}='…'."
        )
    if binding.error or (binding.key is not None and binding.value is None):
        return "il faut NOM=valeur."
    return _read_differently(name, value, binding.value or "")


def _read_differently(name: str, written: str, value: str) -> str:
    """Say what Docker Compose, systemd and a shell would not make the same value of."""
    mark = written[:1] if written[:1] in ("'", '"') else ""
    if mark:
        value = written[1:].partition(mark)[0]
    if "\\" in value or (not mark and "'" in value):
        return (
            f"la valeur de {name} a une apostrophe ou une barre oblique inverse, que Docker, "
            "systemd et le shell ne lisent pas de la même façon : changez-la."
        )
    if mark != "'" and ("$" in value or (not mark and '"' in value)):
        return (
            f"la valeur de {name} a un $ ou un guillemet, que Docker et le shell remplaceraient : "
            f"mettez-la entre apostrophes, {name}='…'."
        )
    return ""


def quoted(value: str) -> str:
    """Return a value as Docker Compose, systemd, a shell and ``read`` all read it back.

    Raises:
        EnvironmentInvalid: no form of it is read alike by all of them.
    """
    if _PLAIN.fullmatch(value):
        return value
    if not value.isprintable() or "'" in value or "\\" in value:
        raise EnvironmentInvalid(
            "Une valeur ne peut avoir ni apostrophe, ni barre oblique inverse, ni retour à la "
            "ligne : Docker, systemd et le shell ne les lisent pas de la même façon."
        )
    return f"'{value}'"


def text(values: Mapping[str, str]) -> str:
    """Return the text of a file that is read back as ``values``.

    Raises:
        EnvironmentInvalid
    """
    lines = []
    for name, value in values.items():
        try:
            lines.append(f"{name}={quoted(value)}\n")
        except EnvironmentInvalid as error:
            raise EnvironmentInvalid(f"{name} : {error}") from None
    return "".join(lines)


def write(path: Path, values: Mapping[str, str]) -> None:
    """Write a file that its owner alone may read, whole or not at all.

    Raises:
        EnvironmentInvalid, HomeError, DiskFull
    """
    put_whole(path, text(values), "--output")
