"""Hits of the past at an output again: how many they are is told before they are sent."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST

from lasair_broker.web import sharing
from lasair_broker.web.accounts.models import User
from lasair_broker.web.archive import archive
from lasair_broker.web.delivery import again
from lasair_broker.web.delivery.models import Redelivery
from lasair_broker.web.delivery.running import mjd_tai
from lasair_broker.web.errors import Busy, Invalid, NotFound
from lasair_broker.web.filters.models import Filter, FilterOutput
from lasair_broker.web.site.notices import toast
from lasair_broker.web.site.people import person

_SHOWN = 5


class SpanForm(forms.Form):
    """Which hits."""

    since = forms.DateTimeField(
        required=False,
        label="Found since (UTC)",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}),
    )
    until = forms.DateTimeField(
        required=False,
        label="Until (UTC)",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}),
        help_text="Empty: now.",
    )
    after = forms.CharField(
        required=False,
        max_length=100,
        label="or after the hit",
        help_text="committedMjdTai/hitId of the last message that you have.",
    )

    def span(self) -> again.Span:
        """What is asked for."""
        given = self.cleaned_data
        since, until = given["since"], given["until"] or timezone.now()
        begin = None if since is None else mjd_tai(since.astimezone(UTC))
        return again.span_of(begin, mjd_tai(until.astimezone(UTC)), given["after"].strip())


def context(found: Filter, output: FilterOutput) -> dict[str, Any]:
    """What the part of the page with the form needs."""
    wishes = Redelivery.objects.filter(output=output, only__isnull=True).select_related("by").order_by("-pk")
    return {"filter": found, "output": output, "form": SpanForm(), "wishes": wishes[:_SHOWN]}


@login_required
@require_POST
def ask(request: HttpRequest, filter_id: int, output_id: int) -> HttpResponse:
    """Tell how many hits they are; with `confirm`, send them."""
    user = person(request)
    found, output = output_of(user, filter_id, output_id)
    form = SpanForm(request.POST)
    shown = context(found, output) | {"form": form}
    if not form.is_valid():
        return render(request, "site/filters/_send_again.html", shown)
    try:
        span = form.span()
        if request.POST.get("confirm"):
            wishes, hits = again.ask_for_some(user, filter_id, span, archive(), output_id)
            response = render(request, "site/filters/_send_again.html", context(found, output))
            text = f"{hits:,} hits are sent again." if wishes else "There are no hits in that time."
            return toast(response, text, "success" if wishes else "info")
        shown["hits"] = again.count(user, filter_id, span, archive())
        shown["most"] = again.MOST_HITS
    except Invalid as error:
        for text in error.faults.values():
            form.add_error(None, text)
    except Busy as error:
        form.add_error(None, str(error))
    return render(request, "site/filters/_send_again.html", shown)


@login_required
@require_POST
def stop(request: HttpRequest, filter_id: int, output_id: int, wish_id: int) -> HttpResponse:
    """Send no more of what was asked for."""
    user = person(request)
    found, output = output_of(user, filter_id, output_id)
    again.stop(user, filter_id, wish_id)
    response = render(request, "site/filters/_send_again.html", context(found, output))
    return toast(response, "Nothing more of it is sent.")


def output_of(user: User, filter_id: int, output_id: int) -> tuple[Filter, FilterOutput]:
    """An output and its filter, which the user may change."""
    found = sharing.editable(Filter.objects.all(), user, filter_id)
    output = FilterOutput.objects.filter(filter=filter_id, pk=output_id).first()
    if output is None:
        raise NotFound(f"there is no output {output_id}")
    return found, output
