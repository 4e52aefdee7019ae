"""What runs from time to time: learning the sheets, saving the database, downloading models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from albert.corpus.catalog import DATASETS, NEEDED
from albert.deploy.plan import Service
from albert.deploy.systemd.installation import Installation
from albert.deploy.systemd.sandbox import Sandbox, options
from albert.deploy.systemd.services import TARGET, folders, identity
from albert.deploy.systemd.unit import Option, command, plain, text

CORPUS, CORPUS_TIMER = "albert-corpus.service", "albert-corpus.timer"
VECTORS = "albert-vectors.service"
BACKUP, BACKUP_TIMER = "albert-backup.service", "albert-backup.timer"

_KEPT = 14
"""Backups: two weeks of nights."""
_READ_IN_PART = "3"
"""Exit status of ``albert corpus build`` when a file was passed over: the others are served."""

_EVERY_JOB = ("ALBERT_HOME", "ENV", "ALBERT_LOG_FORMAT", "ALBERT_LOG_LEVEL")
_WAY_OUT = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE")
_LEARNING = (
    *_EVERY_JOB,
    *("ALBERT_CORPUS_FROM", "ALBERT_OFFICIAL_TIMEOUT", "NPM_CONFIG_REGISTRY"),
    *("ALBERT_CHUNK_TOKENS", "ALBERT_EMBEDDER", "ALBERT_EMBED_THREADS"),
    *_WAY_OUT,
)
_SAVING = (
    *(*_EVERY_JOB, "ALBERT_BACKUPS", "POSTGRES_URI", "POSTGRES_HOST", "POSTGRES_PORT"),
    *("POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"),
)
_DOWNLOADING = (
    *(*_EVERY_JOB, "ALBERT_ROUTING_TABLE", "STORAGE_PATH"),
    *("HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE"),
    *_WAY_OUT,
)


def learn(installation: Installation) -> str:
    """Return what learns the sheets where nothing is learnt, before the API starts."""
    return text(
        {
            "Unit": [
                ("Description", "Albert : apprendre les fiches, la première fois"),
                ("PartOf", TARGET),
                ("ConditionPathExists", plain(f"!{installation.home}/index/current")),
                *_AFTER_NETWORK,
                ("OnSuccess", VECTORS),
            ],
            "Service": [*_learning(installation, NEEDED), ("TimeoutStartSec", "1h")],
        }
    )


def corpus(installation: Installation) -> str:
    """Return what brings the sheets up to date; running workers find them by themselves."""
    return text(
        {
            "Unit": [
                ("Description", "Albert : mettre les fiches à jour"),
                ("PartOf", TARGET),
                *_AFTER_NETWORK,
                # one at a time writes the index: what was computed is kept, and goes on after
                ("Conflicts", VECTORS),
                ("After", VECTORS),
                ("OnSuccess", VECTORS),
            ],
            "Service": [
                *_learning(installation, DATASETS),
                ("TimeoutStartSec", "2h"),
                *_STANDING_BACK,
            ],
        }
    )


def vectors(installation: Installation) -> str:
    """Return what computes the vectors that are missing: over an hour on two cores, once."""
    words = ["index", "build", "--wait", "all"]
    return text(
        {
            "Unit": [
                ("Description", "Albert : calculer les vecteurs des fiches"),
                ("PartOf", TARGET),
            ],
            "Service": [
                *_job(installation, "corpus", [words], compiles=False),
                ("TimeoutStartSec", "infinity"),
                *_STANDING_BACK,
            ],
        }
    )


def backup(installation: Installation) -> str:
    """Return what saves the database."""
    folder = installation.values.get("ALBERT_BACKUPS", "")
    words = ["db", "backup", "--keep", str(_KEPT)]
    return text(
        {
            "Unit": [
                ("Description", "Albert : sauvegarder la base"),
                ("Wants", "network-online.target"),
                ("After", "network-online.target postgresql.service"),
            ],
            "Service": [
                *_job(installation, "backup", [words], folder, compiles=False),
                ("TimeoutStartSec", "6h"),
                *_STANDING_BACK,
            ],
        }
    )


def models(installation: Installation, services: Iterable[Service]) -> str:
    """Return what downloads the models of this machine, when it is asked to."""
    names = dict.fromkeys(one.model.name for one in services if one.model is not None)
    words = [["models", "download", name] for name in names]
    return text(
        {
            "Unit": [("Description", "Albert : télécharger les modèles"), *_AFTER_NETWORK],
            "Service": [
                *_job(installation, "models", words, compiles=False),
                ("TimeoutStartSec", "infinity"),
            ],
        }
    )


def timer(description: str, calendar: str, spread: str) -> str:
    """Return a timer; ``spread`` is over how long machines are told apart."""
    return text(
        {
            "Unit": [("Description", description), ("PartOf", TARGET)],
            "Timer": [
                ("OnCalendar", calendar),
                ("RandomizedDelaySec", spread),
                ("Persistent", "yes"),  # a machine that was off catches up
            ],
        }
    )


def variables(installation: Installation) -> dict[str, dict[str, str]]:
    """Return what each job's file says, by its name."""
    named = {"corpus": _LEARNING, "backup": _SAVING, "models": _DOWNLOADING}
    values = {**installation.values, "STORAGE_PATH": installation.storage}
    return {
        name: {one: value for one, value in values.items() if one in wanted}
        for name, wanted in named.items()
    }


def _learning(installation: Installation, sources: Iterable[str]) -> list[Option]:
    optional = [name for name in sources if name not in NEEDED]
    words = [
        ["corpus", "fetch", *NEEDED],
        *(["-", "corpus", "fetch", name] for name in optional),
        *(["corpus", "build"], ["index", "build"]),
    ]
    origins = [one.strip() for one in installation.settings.corpus_from.split(",")]
    files = [one for one in origins if one.startswith("/")]
    # the registry is asked by npm, and node compiles
    return [
        *_job(installation, "corpus", words, needs=files, compiles=True),
        ("SuccessExitStatus", _READ_IN_PART),
    ]


def _job(
    installation: Installation,
    name: str,
    commands: Sequence[Sequence[str]],
    *places: str,
    needs: Sequence[str] = (),
    compiles: bool,
) -> list[Option]:
    """A command that begins with ``-`` may fail; ``places`` are written beside the data."""
    storage = installation.storage if name == "models" else ""
    own = [
        one for one in (*places, storage) if one and not Path(one).is_relative_to(installation.home)
    ]
    return [
        ("Type", "oneshot"),
        *identity(installation, name),
        *(("ExecStart", _line(installation, words)) for words in commands),
        ("Environment", "HOME=%C/albert"),  # npm keeps there what it brought
        ("CacheDirectory", "albert"),
        ("CacheDirectoryMode", "0700"),
        *folders(installation, *own),
        *options(
            Sandbox(
                homes=installation.in_homes(installation.home, *own, *needs),
                compiles=compiles,
            )
        ),
    ]


def _line(installation: Installation, words: Sequence[str]) -> str:
    if words[0] == "-":
        return f"-{command([installation.program, *words[1:]])}"
    return command([installation.program, *words])


_AFTER_NETWORK: Sequence[Option] = (
    ("Wants", "network-online.target"),
    ("After", "network-online.target"),
)
_STANDING_BACK: Sequence[Option] = (
    ("Nice", "19"),
    ("CPUSchedulingPolicy", "idle"),
    ("IOSchedulingClass", "idle"),
)
