"""The deployment guide's blocks of commands, and how a test types them.

``sudo`` is there for an administrator: here one is root already. Three programs have nothing to
work on in a test: ``apt`` (no way out of the private machine) only sees that Debian has the
package, ``systemctl`` does to nginx and fail2ban what systemd would, and ``docker`` has no engine.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "deploiement" / "README.md").read_text("utf-8")
BLOCK = re.compile(r"^```bash(?: (\w+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)
DOMAIN = "albert.exemple.gouv.fr"

PROGRAMS = {
    "sudo": 'exec "$@"',
    "apt": '[ "$1" = install ] && shift && apt-cache show "$@" >/dev/null',
    "systemctl": """
case "$*" in
"restart nginx") nginx </dev/null >/dev/null 2>&1 ;;
"reload nginx") nginx -s reload ;;
"enable fail2ban") ;;
"restart fail2ban")
    exec </dev/null >/dev/null 2>&1
    fail2ban-client stop
    fail2ban-client -x start ;;
*) echo "systemctl: $*" >&2; exit 1 ;;
esac""",
}


def blocks(kind: str) -> list[str]:
    """The blocks of a kind, in the order of the page."""
    return [text for said, text in BLOCK.findall(PAGE) if said == kind]


def kinds() -> set[str]:
    return {said for said, _ in BLOCK.findall(PAGE)}


def commands(block: str) -> list[str]:
    """The lines of a block that are commands."""
    lines = (line.partition("    #")[0].strip() for line in block.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def put_programs(folder: Path) -> Path:
    """Write what stands here for the programs that have nothing to work on."""
    folder.mkdir()
    for name, text in PROGRAMS.items():
        program = folder / name
        program.write_text(f"#!/bin/bash\n{text}\n")
        program.chmod(0o755)
    return folder
