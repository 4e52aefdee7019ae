"""What a service may do on its machine: what it needs, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from albert.deploy.systemd.unit import Option, path


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """The needs of a service beyond computing, reading the system and speaking IP."""

    hides: Sequence[str] = ()
    """Folders that others' secrets are in; those which do not exist are none."""
    shows: Sequence[str] = ()
    """Folders to read, inside of those that are hidden."""
    homes: bool = False
    """It reads files that lie in people's own folders: ``/home``, ``/root``."""
    compiles: bool = False
    """It writes machine code and runs it: torch, Triton, node. Nothing else may."""
    graphics: bool = False
    """It computes on NVIDIA's cards."""
    loopback: bool = False
    """It speaks to this machine only."""


_EVERY: Sequence[Option] = (
    ("UMask", "0077"),
    ("NoNewPrivileges", "yes"),
    ("CapabilityBoundingSet", ""),
    ("AmbientCapabilities", ""),
    ("ProtectSystem", "strict"),
    ("PrivateTmp", "yes"),
    ("ProtectProc", "invisible"),
    ("ProtectClock", "yes"),
    ("ProtectHostname", "yes"),
    ("ProtectKernelLogs", "yes"),
    ("ProtectKernelModules", "yes"),
    ("ProtectKernelTunables", "yes"),
    ("ProtectControlGroups", "yes"),
    ("LockPersonality", "yes"),
    ("RestrictNamespaces", "yes"),
    ("RestrictRealtime", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("KeyringMode", "private"),
    ("PrivateIPC", "yes"),
    ("SystemCallArchitectures", "native"),
    ("SystemCallFilter", "@system-service"),
    ("SystemCallFilter", "~@privileged"),
    ("SystemCallErrorNumber", "EPERM"),
)


def options(sandbox: Sandbox) -> list[Option]:
    """Return the options of a ``[Service]`` that keep it to that."""
    return [
        *_EVERY,
        # read-only is what "strict" makes of them, where they are not hidden
        ("ProtectHome", "read-only" if sandbox.homes else "yes"),
        *_devices(sandbox),
        *_network(sandbox),
        *([] if sandbox.compiles else [("MemoryDenyWriteExecute", "yes")]),
        *_hidden(sandbox),
    ]


def _devices(sandbox: Sandbox) -> list[Option]:
    if not sandbox.graphics:
        return [
            ("PrivateDevices", "yes"),
            ("PrivateUsers", "yes"),
            ("ProcSubset", "pid"),
            ("SystemCallFilter", "~@resources"),
        ]
    # the driver's library looks into /proc/driver/nvidia, torch into /proc/meminfo, and NCCL
    # binds its threads to the cores that are near its card
    return [("DevicePolicy", "closed"), ("DeviceAllow", "char-nvidia* rw")]


def _network(sandbox: Sandbox) -> list[Option]:
    families = "AF_UNIX AF_INET AF_INET6"
    if sandbox.graphics:
        families += " AF_NETLINK"  # NCCL and Gloo list the interfaces
    found = [("RestrictAddressFamilies", families)]
    if sandbox.loopback:
        found += [("IPAddressAllow", "localhost"), ("IPAddressDeny", "any")]
    return found


def _hidden(sandbox: Sandbox) -> list[Option]:
    """An empty folder takes the place of what is hidden, and what is shown is mounted in it."""
    return [
        *(("TemporaryFileSystem", f"{path(one)}:ro") for one in sandbox.hides),
        *(("BindReadOnlyPaths", f"-{path(one)}") for one in sandbox.shows),
    ]
