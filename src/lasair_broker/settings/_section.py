"""What the sections of settings are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

__all__ = ["Paths", "Section", "Texts"]


def _split(value: object) -> object:
    """The parts of a text with commas."""
    return tuple(t.strip() for t in value.split(",") if t.strip()) if isinstance(value, str) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_split)]
Paths = Annotated[tuple[Path, ...], BeforeValidator(_split)]


class Section(BaseModel):
    """A section of the settings: nothing in it that is not known, and nothing changes it."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
