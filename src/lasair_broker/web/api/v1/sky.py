"""What is known beside alerts: the catalogues in use, and events of others."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lasair_broker.context.catalogues import Catalogue, CatalogueState
from lasair_broker.query import parse
from lasair_broker.web.api.description import described
from lasair_broker.web.api.formats import rows
from lasair_broker.web.api.v1.base import MOST_IN_PAGE, PAGING, Body, RowsPage, next_page, number
from lasair_broker.web.archive import ask
from lasair_broker.web.catalogue import catalogue_for
from lasair_broker.web.context import catalogues_in_use
from lasair_broker.web.errors import NotFound

COVERAGE_ORDER = 4
_LARGEST_ID = 2**63 - 1


class CatalogueOut(Body):
    """A catalogue."""

    name = serializers.CharField()
    state = serializers.CharField(help_text="ok, missing or damaged.")
    rows = serializers.IntegerField()
    title = serializers.CharField(allow_null=True)
    kind = serializers.CharField(allow_null=True, help_text="What its sources are.")
    quality = serializers.FloatField(allow_null=True, help_text="The higher counts where catalogues differ.")
    source = serializers.CharField(allow_null=True)  # type: ignore[assignment]  # also a word of Django's
    licence = serializers.CharField(allow_null=True)
    citation = serializers.CharField(allow_null=True)
    version = serializers.CharField(allow_null=True)
    coverage = serializers.FloatField(allow_null=True, help_text="Part of the sky that it covers, 0 to 1.")


class CataloguesOut(Body):
    """All catalogues."""

    results = CatalogueOut(many=True)


class CataloguesView(APIView):
    """The catalogues in use."""

    @described(response=CataloguesOut, summary="The catalogues that say what stands at a place")
    def get(self, request: Request) -> Response:
        loaded = catalogues_in_use()
        found = [_catalogue(state, loaded.get(name)) for name, state in sorted(loaded.states.items())]
        return Response({"results": found})


class CatalogueView(APIView):
    """A catalogue."""

    @described(response=CatalogueOut, summary="A catalogue: what it is, what it covers, whom to cite")
    def get(self, request: Request, name: str) -> Response:
        loaded = catalogues_in_use()
        state = loaded.states.get(name)
        if state is None:
            raise NotFound(f"there is no catalogue {name}")
        return Response(_catalogue(state, loaded.get(name)))


class EventsView(APIView):
    """Events of others."""

    @described(response=RowsPage, summary="Events that others announced", parameters=PAGING)
    def get(self, request: Request) -> Response:
        limit = number(request, "limit", 100, 1, MOST_IN_PAGE)
        after = number(request, "after", 0, 0, _LARGEST_ID)
        text = f"SELECT TOP {limit} * FROM external_events WHERE mw_id > {after} ORDER BY mw_id"  # noqa: S608 - our own language, which is parsed, with numbers
        return _page(request, text, "mw_id", limit)


class EventHitsView(APIView):
    """The objects that match an event."""

    @described(
        response=RowsPage, summary="The objects that match an event, by its `mw_id`", parameters=PAGING
    )
    def get(self, request: Request, mw_id: int) -> Response:
        limit = number(request, "limit", 100, 1, MOST_IN_PAGE)
        after = number(request, "after", 0, 0, _LARGEST_ID)
        text = (
            f"SELECT TOP {limit} * FROM event_hits WHERE mw_id = {mw_id} AND diaObjectId > {after} "  # noqa: S608 - our own language, which is parsed, with numbers
            "ORDER BY diaObjectId"
        )
        return _page(request, text, "diaObjectId", limit)


def _page(request: Request, text: str, key: str, limit: int) -> Response:
    found, _ = ask(request.user, parse(text, catalogue_for(request.user)), limit=limit)
    last = found[key][-1].as_py() if found.num_rows == limit else None
    return Response({"results": rows(found), "next": next_page(request, last)})


def _catalogue(state: CatalogueState, held: Catalogue | None) -> dict[str, Any]:
    about = None if held is None else held.description
    return {
        "name": state.name,
        "state": state.state,
        "rows": state.rows,
        **{
            name: getattr(about, name) if about else None
            for name in ("title", "kind", "quality", "source", "licence", "citation")
        },
        "version": held.version if held is not None else None,
        "coverage": None if held is None else float((held.counts(COVERAGE_ORDER) > 0).mean()),
    }
