"""Probability maps that notices carry with them, and the folder that keeps them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import os
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lasair_broker.context.events.errors import EventError
from lasair_broker.sky import SkyMap, SkyMapError, distance_moments, read_skymap

__all__ = ["FoundMap", "embedded_map", "keep_maps", "map_address", "read_map"]

_FOLDER = "skymaps"
_FITS = re.compile(r"\.(fits?|fits?\.gz)([,;][^/]*)?$", re.IGNORECASE)
"""How names of maps end; GraceDB adds the number of the version."""

_LONGEST_ADDRESS = 2000


@dataclass(frozen=True)
class FoundMap:
    """A map as a notice had it, ready to be kept under a name that follows from its contents."""

    skymap: SkyMap

    @cached_property
    def content(self) -> bytes:
        """The file, in the one form that we keep."""
        return self.skymap.to_fits()

    @cached_property
    def name(self) -> str:
        """Name of its file."""
        return hashlib.sha256(self.content).hexdigest()[:32] + ".fits"

    @property
    def distance(self) -> float | None:
        """Mean luminosity distance over the sky, Mpc."""
        return self._moments[0]

    @property
    def distanceErr(self) -> float | None:
        """Standard deviation of the distance over the sky, Mpc."""
        return self._moments[1]

    @cached_property
    def _moments(self) -> tuple[float | None, float | None]:
        skymap = self.skymap
        if skymap.distmu is None or skymap.distsigma is None or skymap.distnorm is None:
            return None, None
        known = np.isfinite(skymap.distmu)
        weight = skymap.probability[known]
        mu, sigma, norm = (a[known] for a in (skymap.distmu, skymap.distsigma, skymap.distnorm))
        _, first, second = distance_moments(mu, sigma, norm)
        mean = float(np.sum(weight * first) / weight.sum())
        square = float(np.sum(weight * second) / weight.sum())
        return mean, math.sqrt(max(square - mean**2, 0.0))


def embedded_map(field: str, value: Any) -> FoundMap:
    """The map in a field of a notice: a FITS file, base64.

    Raises
    ------
    EventError
        If it is none; the message names the field.
    """
    if not isinstance(value, str):
        raise EventError(f"{field} is no text")
    try:
        return FoundMap(read_skymap(base64.b64decode(value, validate=True)))
    except (binascii.Error, ValueError) as error:
        if isinstance(error, SkyMapError):
            raise EventError(f"{field}: {error}") from None
        raise EventError(f"{field} is not base64: {error}") from None


def map_address(*candidates: Any) -> str | None:
    """The first of these that is the web address of a FITS file; a page about the event is none."""
    for text in candidates:
        if isinstance(text, str) and len(text) <= _LONGEST_ADDRESS and text.isprintable():
            parts = urllib.parse.urlsplit(text)
            if parts.scheme in ("http", "https") and parts.netloc and _FITS.search(parts.path):
                return text
    return None


def keep_maps(folder: Path, maps: Mapping[str, bytes]) -> None:
    """Write maps where `read_map` finds them; one that is there stays."""
    place = folder / _FOLDER
    place.mkdir(parents=True, exist_ok=True)
    for name, content in maps.items():
        if not (place / name).exists():
            beside = place / f".{name}.{os.getpid()}"
            beside.write_bytes(content)
            beside.replace(place / name)


def read_map(folder: Path, name: str) -> SkyMap:
    """A map that was kept.

    Raises
    ------
    EventError
        If it is not there, or damaged.
    """
    path = folder / _FOLDER / Path(name).name
    try:
        return read_skymap(path.read_bytes())
    except OSError as error:
        raise EventError(f"cannot read {path}: {error.strerror}") from None
    except SkyMapError as error:
        raise EventError(f"{path}: {error}") from None
