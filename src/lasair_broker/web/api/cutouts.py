"""The images of detections, which are everybody's."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.views.decorators.http import require_safe

from lasair_broker.packets import CUTOUTS
from lasair_broker.web.archive import archive
from lasair_broker.web.errors import NotFound

_LARGEST_ID = 2**63 - 1


@require_safe
def fits_as_today(request: HttpRequest, diaSourceId: int, which: str) -> HttpResponse:
    """An image as FITS, at today's address."""
    try:
        return image(diaSourceId, which, "fits")
    except NotFound as error:
        return HttpResponseNotFound(str(error), content_type="text/plain; charset=utf-8")


def image(diaSourceId: int, which: str, ending: str, size: int = 256) -> HttpResponse:
    """An image as FITS, or for the eye as PNG with `size` pixels along the longer side.

    Raises
    ------
    NotFound
        If there is none.
    """
    known = next((name for name in CUTOUTS if name.lower() == which.lower()), None)
    if known is None or not 0 < diaSourceId <= _LARGEST_ID:
        raise NotFound(f"there is no image {which} of detection {diaSourceId}")
    if ending == "png":
        content, media = archive().cutout_png(diaSourceId, known, size), "image/png"
    else:
        content, media = archive().cutout(diaSourceId, known), "application/fits"
    if content is None:
        raise NotFound(f"there is no image {known} of detection {diaSourceId}")
    response = HttpResponse(content, content_type=media)
    response["Content-Disposition"] = f'inline; filename="{diaSourceId}_cutout{known}.{ending}"'
    response["Cache-Control"] = "public, max-age=86400"  # a detection's images never change
    return response
