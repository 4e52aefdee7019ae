"""What an engine may know of our environment: an engine that is broken into must have no secret."""

from __future__ import annotations

import re
from collections.abc import Mapping

_KEPT = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|PYTHONPATH|VIRTUAL_ENV"
    r"|LD_LIBRARY_PATH|LD_PRELOAD|(?:XDG|CUDA|NVIDIA|NCCL|ROCR|HIP|HSA|OMP|KMP|MKL|GGML|TORCH|VLLM|RAY)_\w+"
    r"|HF_HOME|HF_HUB_OFFLINE|TRANSFORMERS_OFFLINE|DO_NOT_TRACK"
)
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)


def scrubbed(environment: Mapping[str, str]) -> dict[str, str]:
    """Keep what programs and graphics cards need, by name; the rest may be a secret."""
    return {
        name: value
        for name, value in environment.items()
        if _KEPT.fullmatch(name) and not _SECRET.search(name)
    }
