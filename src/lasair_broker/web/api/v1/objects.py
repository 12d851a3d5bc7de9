"""Objects, light curves, images, and what is known at a place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pyarrow as pa
from django.http import HttpResponse, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lasair_broker.archive import LightCurve
from lasair_broker.packets import CUTOUTS
from lasair_broker.query import parse
from lasair_broker.schema import SchemaError, table
from lasair_broker.web.api.cutouts import image
from lasair_broker.web.api.description import described, described_table, parameter
from lasair_broker.web.api.formats import answer_table, asked_format, rows
from lasair_broker.web.api.models import Scope
from lasair_broker.web.api.v1.base import Body, checked, number, real
from lasair_broker.web.archive import archive, ask, object_number, rows_for
from lasair_broker.web.catalogue import catalogue_for
from lasair_broker.web.context import context_at
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.objects import finding_file

MOST_OBJECTS = 1000
_LARGEST_ID = 2**63 - 1
_CURVES = ("diaSources", "diaForcedSources", "diaNondetectionLimits")
_OF_OBJECTS = (
    "sherlock_classifications",
    "sherlock_crossmatches",
    "classifications",
    "annotations",
    "watchlist_hits",
    "watchlist_events",
    "area_hits",
    "mma_hits",
    "event_hits",
    "partners",
)
USUAL_COLUMNS: Mapping[str, Sequence[str]] = {
    "diaSources": (
        "diaSourceId", "diaObjectId", "midpointMjdTai", "band", "ra", "decl",
        "psfFlux", "psfFluxErr", "scienceFlux", "scienceFluxErr", "reliability",
    ),
    "diaForcedSources": (
        "diaForcedSourceId", "diaObjectId", "midpointMjdTai", "band",
        "psfFlux", "psfFluxErr", "scienceFlux", "scienceFluxErr",
    ),
    "diaNondetectionLimits": ("diaObjectId", "midpointMjdTai", "band", "limitingFlux"),
}  # fmt: skip
"""What a light curve has unless more is asked for: each of the hundred columns takes time to be read."""

_COLUMNS = parameter("columns", str, "Names of columns, separated by commas. Default: all.")
_CURVE_COLUMNS = parameter(
    "columns",
    str,
    "Names of columns, separated by commas; all: every column. Default: times, places, fluxes.",
)
_CURVE = parameter("table", str, f"Of {', '.join(_CURVES)}; for formats other than JSON. Default: the first.")


class ObjectIds(Body):
    """Which objects."""

    diaObjectIds = serializers.ListField(
        child=serializers.RegexField(r"^[1-9][0-9]{0,18}$"),
        min_length=1,
        max_length=MOST_OBJECTS,
        help_text="Numbers, as text.",
    )
    columns = serializers.ListField(child=serializers.CharField(), required=False)


class Curve(Body):
    """A light curve, or several, in order of object and time."""

    diaSources = serializers.ListField(child=serializers.DictField())
    diaForcedSources = serializers.ListField(child=serializers.DictField())
    diaNondetectionLimits = serializers.ListField(child=serializers.DictField())


class Context(Body):
    """What is known at a place."""

    classification = serializers.DictField()
    crossmatches = serializers.ListField(child=serializers.DictField())


class ObjectView(APIView):
    """The newest state of an object."""

    @described_table(
        summary="An object, by number or name", parameters=[_COLUMNS], response=OpenApiTypes.OBJECT
    )
    def get(self, request: Request, key: str) -> HttpResponseBase:
        found = archive().object(_known_key(key), _columns(request, "objects"))
        if not found.num_rows:
            raise NotFound(f"there is no object {key}")
        if asked_format(request) == "json":
            return Response(rows(found)[0])
        return answer_table(request, found, key)


class ObjectsView(APIView):
    """Many objects at once."""

    scopes: ClassVar[dict[str, Scope]] = {"POST": Scope.READ}

    @described_table(ObjectIds, summary="Many objects, by number")
    def post(self, request: Request) -> HttpResponseBase:
        given = checked(ObjectIds, request)
        ids = _ids(given)
        columns = _known_columns("objects", given.get("columns"))
        return answer_table(request, archive().rows_of_objects("objects", ids, columns), "objects")


class ObjectTableView(APIView):
    """The rows that a table has for an object; only those that the user may see."""

    @described_table(summary=f"Rows of an object in a table: {', '.join(_OF_OBJECTS)}")
    def get(self, request: Request, key: str, name: str) -> HttpResponseBase:
        if name not in _OF_OBJECTS:
            raise NotFound(f"there is no table {name} of objects; choose from {', '.join(_OF_OBJECTS)}")
        return answer_table(request, rows_for(request.user, name, [number_of(key)]), f"{key}_{name}")


class LightCurveView(APIView):
    """The light curve of an object."""

    @described_table(
        response=Curve, summary="The light curve of an object", parameters=[_CURVE_COLUMNS, _CURVE]
    )
    def get(self, request: Request, key: str) -> HttpResponseBase:
        wanted, known = _curve_columns(request), _known_key(key)
        number = known if isinstance(known, int) else object_number(known)
        curve = archive().light_curve(number, wanted)
        if not any(getattr(curve, name).num_rows for name in _CURVES):
            object_number(number)  # an unknown object has no light curve, but not the other way round
        return _answer_curve(request, curve, key)


class LightCurvesView(APIView):
    """The light curves of many objects."""

    scopes: ClassVar[dict[str, Scope]] = {"POST": Scope.READ}

    @described_table(
        ObjectIds,
        response=Curve,
        summary="The light curves of many objects",
        parameters=[_CURVE_COLUMNS, _CURVE],
    )
    def post(self, request: Request) -> HttpResponseBase:
        ids = _ids(checked(ObjectIds, request))
        return _answer_curve(request, archive().light_curves(ids, _curve_columns(request)), "lightcurves")


class ConeView(APIView):
    """Objects near a position."""

    @described_table(
        summary="Objects near a position, nearest first",
        parameters=[
            parameter("ra", float, "Degrees, ICRS.", required=True),
            parameter("decl", float, "Degrees, ICRS.", required=True),
            parameter("radius", float, "Arcseconds, to 3600. Default: 5."),
            _COLUMNS,
        ],
    )
    def get(self, request: Request) -> HttpResponseBase:
        ra, decl = real(request, "ra", 0.0, 360.0), real(request, "decl", -90.0, 90.0)
        radius = real(request, "radius", 0.0, 3600.0, 5.0)
        found = archive().cone(ra, decl, radius, _columns(request, "objects"))
        return answer_table(request, found, "cone")


class CutoutView(APIView):
    """An image of a detection."""

    @described(
        response=bytes,
        summary=f"An image: {', '.join(CUTOUTS)}, as fits or png",
        media=("application/fits", "image/png"),
        parameters=[parameter("size", int, "Pixels of a PNG along the longer side, 16 to 2048.")],
    )
    def get(self, request: Request, diaSourceId: int, which: str, ending: str) -> HttpResponse:
        return image(diaSourceId, which, ending, number(request, "size", 256, 16, 2048))


class FindingChartView(APIView):
    """A chart to find an object by."""

    @described(
        response=bytes,
        summary="The finding chart of an object, as png or pdf",
        media=tuple(finding_file.MEDIA.values()),
        parameters=[
            parameter("field", int, f"Arcseconds along a side: {', '.join(finding_file.FIELDS)}."),
            parameter(
                "survey",
                str,
                "Whose image lies behind: own (our template, the default), or the name of a survey that "
                "this site may ask for images.",
            ),
        ],
    )
    def get(self, request: Request, key: str, ending: str) -> HttpResponse:
        asked = request.query_params
        survey = asked.get("survey", finding_file.OWN)
        return finding_file.answer(key, ending, asked.get("field", "60"), survey)


class ContextView(APIView):
    """What catalogues know at a place."""

    @described(
        response=Context,
        summary="Contextual class and matches at a position",
        parameters=[
            parameter("ra", float, "Degrees, ICRS.", required=True),
            parameter("decl", float, "Degrees, ICRS.", required=True),
        ],
    )
    def get(self, request: Request) -> Response:
        verdict, matches = context_at(real(request, "ra", 0.0, 360.0), real(request, "decl", -90.0, 90.0))
        said = rows(verdict.drop_columns(["diaObjectId"]))
        found = rows(matches.drop_columns(["diaObjectId"]))
        return Response({"classification": said[0] if said else {}, "crossmatches": found})


class TransientView(APIView):
    """What TNS says of a transient."""

    @described(response=OpenApiTypes.OBJECT, summary="A transient of TNS, by its name without prefix")
    def get(self, request: Request, name: str) -> Response:
        quoted = name.replace("'", "''")
        text = f"SELECT * FROM crossmatch_tns WHERE tns_name = '{quoted}'"  # noqa: S608 - our own language, which is parsed
        found, _ = ask(request.user, parse(text, catalogue_for(request.user)), limit=1)
        if not found.num_rows:
            raise NotFound(f"there is no transient {name} in our copy of TNS")
        return Response(rows(found)[0])


def _answer_curve(request: Request, curve: LightCurve, name: str) -> HttpResponseBase:
    tables: Mapping[str, pa.Table] = {each: getattr(curve, each) for each in _CURVES}
    if asked_format(request) == "json":
        return Response({each: rows(found) for each, found in tables.items()})
    which = request.query_params.get("table", _CURVES[0])
    if which not in tables:
        raise Invalid({"table": f"choose from {', '.join(_CURVES)}"})
    return answer_table(request, tables[which], f"{name}_{which}")


def _ids(given: Mapping[str, Any]) -> list[int]:
    """Numbers of objects; those that are too large are no object's."""
    return sorted({int(text) for text in given["diaObjectIds"] if int(text) <= _LARGEST_ID})


def _known_key(key: str) -> int | str:
    if key.isascii() and key.isdecimal():
        if len(key) > 19 or int(key) > _LARGEST_ID:
            raise NotFound(f"there is no object {key[:40]}")
        return int(key)
    return key


def number_of(key: str) -> int:
    """The number of an object that an address names, by number or name.

    Raises
    ------
    NotFound
        If there is none.
    """
    return object_number(_known_key(key))


def _columns(request: Request, name: str) -> list[str] | None:
    text = request.query_params.get("columns")
    return None if text is None else _known_columns(name, text.split(","))


def _known_columns(name: str, wanted: list[str] | None) -> list[str] | None:
    if wanted is None:
        return None
    try:
        return list(dict.fromkeys(table(name).column(each.strip()).name for each in wanted))
    except SchemaError as error:
        raise Invalid({"columns": str(error)}) from None


def _curve_columns(request: Request) -> dict[str, list[str]] | None:
    """Of each table the columns that are asked for and that it has."""
    text = request.query_params.get("columns")
    if text == "all":
        return None
    if text is None:
        return {name: list(columns) for name, columns in USUAL_COLUMNS.items()}
    wanted = [each.strip() for each in text.split(",")]
    known = {name: [c for c in wanted if c in table(name).by_name] for name in _CURVES}
    unknown = set(wanted).difference(*known.values())
    if unknown:
        raise Invalid({"columns": f"no light curve has {', '.join(sorted(unknown))[:200]}"})
    return {name: columns or ["diaObjectId"] for name, columns in known.items()}
