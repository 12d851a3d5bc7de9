"""The answer with a finding chart, for the site and for the API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

from django.http import HttpResponse

from lasair_broker.settings import load
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.objects.backgrounds import own_template, survey_picture
from lasair_broker.web.objects.finding_chart import finding_chart
from lasair_broker.web.objects.finding_figure import MEDIA, Kind, draw
from lasair_broker.web.objects.head import state_of
from lasair_broker.web.objects.other_surveys import other_surveys

__all__ = ["FIELDS", "MEDIA", "OWN", "answer", "surveys_at"]

FIELDS = ("20", "60", "180", "600")
"""Arcseconds along a side: few, so that images of others are asked for once."""

OWN = "own"


def surveys_at(ra: float, decl: float) -> list[str]:
    """Whose image may lie behind the chart of a place (degrees, ICRS): ours, and those that a server has."""
    service = load().site.image_service
    return [OWN, *(each.name for each in other_surveys({"ra": ra, "decl": decl}, service) if service)]


def answer(key: str, ending: str, field: str, survey: str) -> HttpResponse:
    """A finding chart as a file.

    Raises
    ------
    NotFound
        If there is no such object or kind of file, or if a server does not give its image.
    Invalid
        If there is no such field or survey.
    """
    if ending not in MEDIA:
        raise NotFound(f"there is no finding chart as {ending[:20]}; choose from {', '.join(MEDIA)}")
    if field not in FIELDS:
        raise Invalid({"field": f"choose from {', '.join(FIELDS)}"})
    number = state_of(key, ("diaObjectId",))["diaObjectId"]
    chart = finding_chart(key, float(field))
    if survey == OWN:
        background = own_template(number, chart.ra, chart.decl)
    else:
        background = survey_picture(survey, chart.ra, chart.decl, float(field), load().site.image_service)
    drawn_at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    content = draw(chart, background, drawn_at, cast(Kind, ending))
    response = HttpResponse(content, content_type=MEDIA[ending])
    response["Content-Disposition"] = f'inline; filename="{number}_finding_chart.{ending}"'
    response["Cache-Control"] = "public, max-age=600"
    return response
