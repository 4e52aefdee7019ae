"""What makes NVIDIA's devices ready before an engine that may not: it runs without any right.

``/dev/nvidia-uvm`` is usually made by the first program that computes, through
``nvidia-modprobe``, which is setuid; ``NoNewPrivileges`` takes that from our engines, and
``DeviceAllow`` lets in what is known to the kernel when they start.
"""

from __future__ import annotations

from albert.deploy.systemd.unit import text

CARD = "albert-card.service"
_PROGRAM = "/usr/bin/nvidia-modprobe"


def card() -> str:
    """Return the unit, which does nothing where the driver is not installed.

    What fails is not told here but by the engine, which says what it misses.
    """
    return text(
        {
            "Unit": [
                ("Description", "Albert : préparer les cartes graphiques"),
                ("ConditionPathExists", _PROGRAM),
            ],
            "Service": [
                ("Type", "oneshot"),
                ("ExecStart", "-/usr/bin/nvidia-smi -L"),  # /dev/nvidiactl, and every card's
                ("ExecStart", f"-{_PROGRAM} -c0 -u"),  # nvidia-uvm, and its devices
                ("TimeoutStartSec", "120"),
                ("NoNewPrivileges", "yes"),
                ("ProtectSystem", "strict"),
                ("ProtectHome", "yes"),
                ("PrivateTmp", "yes"),
                ("PrivateNetwork", "yes"),
            ],
        }
    )
