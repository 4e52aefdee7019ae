"""What the privacy routes say."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class Erased(BaseModel):
    msg: Literal["Compte effacé."] = "Compte effacé."
