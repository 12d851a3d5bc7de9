"""What of an event and its candidates can be taken away."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pyarrow.csv
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.text import slugify
from django.views.decorators.http import require_safe

from lasair_broker.sky import SkyMap
from lasair_broker.web.errors import NotFound
from lasair_broker.web.messengers import candidates, event_of, map_of, notice_of


@require_safe
def skymap(request: HttpRequest, origin: str, event: str) -> HttpResponse:
    """The newest map, multi-order FITS."""
    row = event_of(request.user, origin, event)
    return _file(_map(row).to_fits(), "application/fits", row, "map.fits")


@require_safe
def region(request: HttpRequest, origin: str, event: str, level: int) -> HttpResponse:
    """A credible region of so many per cent, as a MOC: it can be a watchmap."""
    if not 1 <= level <= 99:
        raise NotFound("a region holds 1 to 99 per cent")
    row = event_of(request.user, origin, event)
    return _file(
        _map(row).region(level / 100.0).to_fits(), "application/fits", row, f"region-{level}.moc.fits"
    )


@require_safe
def table(request: HttpRequest, origin: str, event: str) -> HttpResponse:
    """The candidates, the best first."""
    row = event_of(request.user, origin, event)
    out = io.BytesIO()
    pyarrow.csv.write_csv(candidates(request.user, row), out)
    return _file(out.getvalue(), "text/csv", row, "candidates.csv")


@require_safe
def notice(request: HttpRequest, origin: str, event: str) -> HttpResponse:
    """The candidates in the form of a GCN notice."""
    return JsonResponse(notice_of(request.user, event_of(request.user, origin, event)))


def _map(row: Mapping[str, Any]) -> SkyMap:
    found = map_of(row)
    if found is None:
        raise NotFound("this event has no map or region")
    return found


def _file(content: bytes, kind: str, row: Mapping[str, Any], ending: str) -> HttpResponse:
    name = f"{slugify(row['eventName']) or 'event'}-{ending}"
    return HttpResponse(
        content, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
