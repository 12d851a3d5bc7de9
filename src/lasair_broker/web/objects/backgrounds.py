"""Images that lie behind a finding chart: our own templates, or another survey's, from an allowed server."""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from lasair_broker.archive import Cutout
from lasair_broker.http import HttpError, Patience, ask, at_the_server_of
from lasair_broker.packets import BANDS
from lasair_broker.web.archive import archive
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.objects.other_surveys import other_surveys
from lasair_broker.web.objects.pictures import LIMITS, Plane, read_plane, to_north
from lasair_broker.web.objects.provenance import with_images

_PIXELS = 600
_PATIENCE = Patience(most_bytes=4_000_000, seconds=8.0)
_PREFERRED = "rgizyu"
"""Bands of a template, the best to recognize stars by first."""


@dataclass(frozen=True, slots=True)
class Background:
    """An image, north up and east left, centred on the object.

    Attributes
    ----------
    pixels
        (rows, columns) from 0 black to 1 white, or (rows, columns, 3); first row at the top. NaN: nothing.
    side
        Arcseconds along a side.
    credit
        Whose it is.
    """

    pixels: npt.NDArray[np.float64]
    side: float
    credit: str


def bands_with_images(diaObjectId: int) -> dict[str, int]:
    """The newest detection with images in each band, by band in order of wavelength."""
    sources = (
        archive()
        .light_curve(diaObjectId, {"diaSources": ["diaSourceId", "band", "midpointMjdTai"]})
        .diaSources
    )
    held = with_images(sources["diaSourceId"].to_pylist())
    newest = {
        band: key
        for key, band in zip(sources["diaSourceId"].to_pylist(), sources["band"].to_pylist(), strict=True)
        if key in held
    }
    return {band: newest[band] for band in BANDS if band in newest}


def newest_planes(diaObjectId: int, which: Cutout) -> dict[str, Plane]:
    """The newest image of this kind in each band, of those that say where on the sky they are."""
    planes = {}
    for band, key in bands_with_images(diaObjectId).items():
        image = archive().cutout(key, which)
        if image is not None and (plane := read_plane(image)).wcs is not None:
            planes[band] = plane
    return planes


def own_template(diaObjectId: int, ra: float, decl: float) -> Background | None:
    """Our template in the band by which stars are best recognized; None if none says where it is.

    Parameters
    ----------
    ra, decl
        The centre, degrees, ICRS.
    """
    planes = newest_planes(diaObjectId, "Template")
    band = next((each for each in _PREFERRED if each in planes), None)
    if band is None:
        return None
    plane = planes[band]
    size = max(plane.pixels.shape)
    pixels = to_north([plane], ra, decl, plane.scale, size)[0]
    good = np.isfinite(pixels)
    if not good.any():
        return None
    low, high = LIMITS["zscale"].get_limits(pixels[good])
    level = np.clip((pixels - low) / (high - low if high > low else 1.0), 0.0, 1.0)
    return Background(1.0 - level[::-1], size * plane.scale, f"our template in {band}")


def survey_picture(name: str, ra: float, decl: float, field: float, service: str) -> Background:
    """The picture of another survey, `field` arcseconds wide.

    Parameters
    ----------
    service
        The server that the operator allows (`other_surveys`); "" for none.

    Raises
    ------
    Invalid
        If there is no such survey here, or no server is allowed.
    NotFound
        If the server does not give it.
    """
    place = {"ra": ra, "decl": decl}
    found = {each.name: each for each in other_surveys(place, service, field / 3600.0, _PIXELS)}
    if not service:
        raise Invalid({"survey": "this site loads no images of other surveys"})
    if name not in found:
        raise Invalid({"survey": f"choose from {', '.join(found)}"})
    return Background(_pixels(_fetched(found[name].image)), field, name)


def _pixels(content: bytes) -> npt.NDArray[np.float64]:
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG", "PNG"]) as image:
            if max(image.size) > 2 * _PIXELS:
                raise NotFound("the server of images sends a larger image than it was asked for")
            return np.asarray(image.convert("RGB"), np.float64) / 255.0
    except (UnidentifiedImageError, OSError) as error:
        raise NotFound(f"what the server of images sends is no image: {error}") from error


@functools.lru_cache(maxsize=32)
def _fetched(address: str) -> bytes:
    """An answer of the operator's server; a fault is not kept."""
    try:
        answer = ask(address, at_the_server_of(address), _PATIENCE)
    except HttpError as error:
        raise NotFound(f"the server of images does not give this one: {error}") from error
    if not answer.ok:
        raise NotFound(f"the server of images does not give this one: it answers {answer.status}")
    return answer.content
