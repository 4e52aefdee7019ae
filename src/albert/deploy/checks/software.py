"""Which Python, which Albert."""

from __future__ import annotations

import platform
import sys

from albert import __version__
from albert.deploy.checks.finding import Finding, error, ok

OLDEST = (3, 11)


def check_software() -> list[Finding]:
    said = f"Albert {__version__}, Python {platform.python_version()}, {platform.machine()}."
    if sys.version_info < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        return [error(said, f"Installez Python {wanted} ou plus récent (utils/init_vm.sh).")]
    return [ok(said)]
