"""What comes in, as it comes."""

from __future__ import annotations

import re

from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.views import APIView

from lasair_broker.web.api.description import described, parameter
from lasair_broker.web.errors import Invalid
from lasair_broker.web.event_streams import LONGEST_SECONDS, stream
from lasair_broker.web.new_objects import MOST_IN_EVENT, object_watch


class NewObjectsView(APIView):
    """Objects as their alerts come in, as server-sent events."""

    @described(
        response=str,
        summary="Objects as their alerts come in, as server-sent events",
        description="Each event has the type `objects`, an id for `Last-Event-ID`, and JSON as data: `until` "
        "(MJD TAI), `count`, and `objects` with number, name, place, times of the first and last detection "
        f"and class; of more than {MOST_IN_EVENT} that came at once those first seen latest.",
        media=("text/event-stream",),
        parameters=[parameter("after", str, "As Last-Event-ID; an hour back at most. Default: from now on.")],
    )
    def get(self, request: Request) -> HttpResponseBase:
        text = request.headers.get("Last-Event-ID") or request.query_params.get("after", "")
        if text and not re.fullmatch(r"\d{1,7}(\.\d{1,16})?", text, re.ASCII):
            raise Invalid({"Last-Event-ID": "is not the id of an event of this stream"})
        after = float(text) if text else None
        return stream(object_watch().events(after, seconds=LONGEST_SECONDS))
