"""Pages of deliveries: unsubscribing from e-mails, and hits as they come."""

from __future__ import annotations

from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from lasair_broker.stream.delivery import cursor_of, events
from lasair_broker.web import sharing
from lasair_broker.web.delivery.live import live
from lasair_broker.web.delivery.mail import UNSUBSCRIBE_SALT
from lasair_broker.web.delivery.running import mjd_tai
from lasair_broker.web.delivery.services import unsubscribe as switch_off
from lasair_broker.web.errors import Busy, NotFound
from lasair_broker.web.event_streams import LONGEST_SECONDS, stream
from lasair_broker.web.filters.models import Filter, FilterOutput, OutputKind


@csrf_exempt  # the signed token is the proof, and mail programs POST without a cookie (RFC 8058)
@require_http_methods(["GET", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Switch an e-mail output off: GET asks, POST does it."""
    try:
        output_id = int(signing.loads(token, salt=UNSUBSCRIBE_SALT))
    except (signing.BadSignature, ValueError, TypeError):
        return render(request, "delivery/unsubscribe.html", {"invalid": True}, status=404)
    output = FilterOutput.objects.filter(pk=output_id).select_related("filter").first()
    if output is None:
        return render(request, "delivery/unsubscribe.html", {"done": True, "name": "this filter"})
    if request.method == "POST":
        switch_off(output_id)
    context = {"done": request.method == "POST", "name": output.filter.name}
    return render(request, "delivery/unsubscribe.html", context)


@require_GET
def hits(request: HttpRequest, filter_id: int) -> HttpResponseBase:
    """The hits of a filter as server-sent events, for those who may see the filter.

    Resumes after `Last-Event-ID` (a header, or the parameter `after`); begins with the next hit otherwise.
    """
    try:
        found = sharing.visible(Filter.objects.all(), request.user, filter_id)
    except NotFound as error:
        return JsonResponse({"error": str(error)}, status=404)
    if not found.outputs.filter(kind=OutputKind.BROWSER, enabled=True).exists():
        return JsonResponse({"error": "this filter has no output to browsers; add one"}, status=404)
    place = request.headers.get("Last-Event-ID") or request.GET.get("after", "")
    after = cursor_of(place) if place else (mjd_tai(timezone.now()), "")
    if after is None:
        return JsonResponse({"error": "Last-Event-ID is not the id of an event of this stream"}, status=400)
    archive, watch = live()
    try:
        return stream(events(archive, watch, filter_id, after, seconds=LONGEST_SECONDS))
    except Busy as error:
        return JsonResponse({"error": str(error)}, status=503, headers={"Retry-After": "10"})
