"""Pictures: cut-outs, colour, finding charts, and the map of where objects are."""

from __future__ import annotations

import time
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from lasair_broker.packets import CUTOUTS
from lasair_broker.web.archive import archive
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.objects import density, finding_file
from lasair_broker.web.objects.backgrounds import newest_planes
from lasair_broker.web.objects.finding_chart import finding_chart
from lasair_broker.web.objects.head import state_of
from lasair_broker.web.objects.pictures import (
    LIMITS,
    STRETCHES,
    colour_png,
    grey_png,
    read_plane,
    to_north,
)

_LARGEST_ID = 2**63 - 1
_DAY = "public, max-age=86400"
_MAP_SECONDS = 3600.0


@require_safe
def cutout(request: HttpRequest, diaSourceId: int, which: str) -> HttpResponse:
    """An image of a detection; `stretch`, `limits`, `north=1` and `size` say how it is shown."""
    known = next((name for name in CUTOUTS if name.lower() == which.lower()), None)
    image = archive().cutout(diaSourceId, known) if known and 0 < diaSourceId <= _LARGEST_ID else None
    if image is None:
        raise NotFound(f"there is no image {which[:20]} of detection {diaSourceId}")
    plane = read_plane(image)
    pixels = plane.pixels
    if request.GET.get("north") == "1" and plane.wcs is not None:
        side = max(pixels.shape)
        centre = plane.wcs.wcs_pix2world((pixels.shape[1] - 1) / 2, (pixels.shape[0] - 1) / 2, 0)
        pixels = to_north([plane], float(centre[0]), float(centre[1]), plane.scale, side)[0]
    content = grey_png(
        pixels,
        _choice(request, "stretch", STRETCHES, "asinh"),
        _choice(request, "limits", LIMITS, "zscale"),
        _size(request),
    )
    return _png(content, _DAY)


@require_safe
def colour(request: HttpRequest, key: str) -> HttpResponse:
    """Three bands of an object's newest cut-outs in one picture, north up; `bands` (the shortest wavelength
    first) and `which` choose them."""
    row = state_of(key, ("diaObjectId", "ra", "decl"))
    which = next(
        (name for name in CUTOUTS if name.lower() == request.GET.get("which", "template").lower()), None
    )
    if which is None:
        raise Invalid({"which": f"choose from {', '.join(CUTOUTS)}"})
    planes = newest_planes(row["diaObjectId"], which)
    if not planes:
        raise NotFound("the images of this object do not say where on the sky they are")
    bands = request.GET.get("bands") or three_bands(list(planes))
    if len(bands) != 3 or any(band not in planes for band in bands):
        raise NotFound(f"a colour picture needs images in three bands; there are {', '.join(planes)}")
    chosen = [planes[band] for band in bands]
    scale = min(plane.scale for plane in chosen)
    side = max(max(plane.pixels.shape) for plane in chosen)
    blue, green, red = to_north(chosen, row["ra"], row["decl"], scale, side)
    return _png(colour_png(blue, green, red, _size(request)), "public, max-age=600")


def three_bands(bands: list[str]) -> str:
    """Of bands in order of wavelength the three that make a picture: the first, the middle and the last.

    Of ugrizy these are g, r and i, if they are there: y and u have the least signal.
    """
    if {"g", "r", "i"} <= set(bands):
        return "gri"
    return bands[0] + bands[len(bands) // 2] + bands[-1] if len(bands) >= 3 else "".join(bands)


@require_safe
def chart(request: HttpRequest, key: str) -> HttpResponse:
    """The finding chart as an SVG file."""
    context: dict[str, Any] = {"chart": finding_chart(key, _field(request)), "alone": True}
    response = render(request, "site/objects/chart.svg", context, content_type="image/svg+xml")
    response["Content-Disposition"] = 'attachment; filename="finding_chart.svg"'
    return response


@require_safe
def finding(request: HttpRequest, key: str, ending: str) -> HttpResponse:
    """The finding chart to print: PNG or PDF; `field` in arcseconds, `survey` whose image lies behind."""
    asked = request.GET
    return finding_file.answer(key, ending, asked.get("field", "60"), asked.get("survey", finding_file.OWN))


@require_safe
def density_properties(request: HttpRequest) -> HttpResponse:
    """What a sky viewer asks first of a HiPS."""
    return HttpResponse(
        density.properties("Objects of this broker"), content_type="text/plain; charset=utf-8"
    )


@require_safe
def density_coverage(request: HttpRequest) -> HttpResponse:
    """Where the map has something, which viewers ask, too."""
    return HttpResponse(density.coverage(), content_type="application/fits")


@require_safe
def density_allsky(request: HttpRequest) -> HttpResponse:
    """The whole map."""
    return _png(density.allsky(_hour()), "public, max-age=3600")


@require_safe
def density_tile(request: HttpRequest, order: int, folder: int, cell: int) -> HttpResponse:
    """A tile of the map."""
    return _png(density.tile(order, cell, _hour()), "public, max-age=3600")


def _hour() -> int:
    return int(time.time() // _MAP_SECONDS)


def _png(content: bytes, kept: str) -> HttpResponse:
    response = HttpResponse(content, content_type="image/png")
    response["Cache-Control"] = kept
    return response


def _choice(request: HttpRequest, name: str, of: Any, default: str) -> str:
    value = request.GET.get(name, default)
    if value not in of:
        raise Invalid({name: f"choose from {', '.join(of)}"})
    return value


def _size(request: HttpRequest) -> int:
    text = request.GET.get("size", "240")
    if not text.isascii() or not text.isdecimal() or len(text) > 4 or not 16 <= int(text) <= 1024:
        raise Invalid({"size": "give a whole number, 16 to 1024"})
    return int(text)


def _field(request: HttpRequest) -> float:
    text = request.GET.get("field", "60")
    if not text.isascii() or not text.isdecimal() or len(text) > 4 or not 10 <= int(text) <= 1800:
        raise Invalid({"field": "give a whole number of arcseconds, 10 to 1800"})
    return float(text)
