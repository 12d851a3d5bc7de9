"""Where a filter's hits go: its outputs, tests of them, and what was delivered."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from lasair_broker.settings import load
from lasair_broker.web import sharing
from lasair_broker.web.delivery import services as deliveries
from lasair_broker.web.delivery.models import DeadLetter, Delivery
from lasair_broker.web.delivery.senders import senders_for
from lasair_broker.web.delivery.topics import topic_of
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.filters import outputs as services
from lasair_broker.web.filters.models import Filter, FilterOutput, LightCurve, OutputKind
from lasair_broker.web.site.contents import StoredRows, shown
from lasair_broker.web.site.filters import send_again
from lasair_broker.web.site.notices import toast
from lasair_broker.web.site.people import person
from lasair_broker.web.site.tables import Column

_LOG = (
    Column("at", "When", template="site/query/_cell_time.html", sortable=True),
    Column("result", "Result", template="site/filters/_cell_result.html", sortable=True),
    Column("hits", "Hits", numeric=True, sortable=True),
    Column("seconds", "Took", unit="s", numeric=True, digits=2, sortable=True),
    Column("message", "Message", sortable=True),
)
_NEVER = "never"
_HOURS = [(_NEVER, _NEVER), *((str(hour), f"{hour:02d}:00") for hour in range(24))]


class OutputForm(forms.Form):
    """An output; which fields count depends on its kind."""

    kind = forms.ChoiceField(choices=OutputKind.choices, label="To")
    url = forms.CharField(
        required=False,
        max_length=2000,
        label="Address",
        help_text="Of the webhook (https://…) or service (slack://…, tgram://…, discord://…).",
    )
    frequency = forms.ChoiceField(choices=FilterOutput.Frequency.choices, label="E-mail is sent")
    light_curve = forms.ChoiceField(choices=LightCurve.choices, label="With the light curve")
    format = forms.ChoiceField(choices=FilterOutput.Format.choices, label="Kafka messages as")
    hourly_limit = forms.IntegerField(
        required=False,
        min_value=1,
        label="At most an hour",
        help_text="More hits are summed up in one message.",
    )
    quiet_from = forms.ChoiceField(choices=_HOURS, initial=_NEVER, label="Quiet from (UTC)")
    quiet_until = forms.ChoiceField(choices=_HOURS, initial=_NEVER, label="Quiet until (UTC)")

    def values(self) -> dict[str, Any]:
        """What counts for the kind."""
        given, kind = self.cleaned_data, self.cleaned_data["kind"]
        values: dict[str, Any] = {"light_curve": given["light_curve"]}
        if kind in (OutputKind.WEBHOOK, OutputKind.APPRISE):
            values["url"] = given["url"]
        if kind == OutputKind.EMAIL:
            values["frequency"] = given["frequency"]
        if kind == OutputKind.KAFKA:
            values["format"] = given["format"]
        if given["hourly_limit"] is not None:
            values["hourly_limit"] = given["hourly_limit"]
        for name in ("quiet_from", "quiet_until"):
            values[name] = None if given[name] == _NEVER else int(given[name])
        return values


@login_required
@require_safe
def outputs(request: HttpRequest, filter_id: int) -> HttpResponse:
    """The outputs of a filter."""
    return _page(request, _editable(request, filter_id))


@login_required
@require_POST
def add(request: HttpRequest, filter_id: int) -> HttpResponse:
    """Add an output."""
    found = _editable(request, filter_id)
    form = OutputForm(request.POST)
    if form.is_valid():
        try:
            services.add(person(request), filter_id, form.cleaned_data["kind"], **form.values())
        except Invalid as error:
            for field, text in error.faults.items():
                form.add_error(field if field in form.fields else None, text)
        else:
            return toast(_page(request, found), "The output is there. It gets what is found from now on.")
    return _page(request, found, form)


@login_required
@require_POST
def change(request: HttpRequest, filter_id: int, output_id: int, what: str) -> HttpResponse:
    """Switch an output on or off, try it, give it a new secret, remove or restore it, or send again what it
    lost."""
    found, user = _editable(request, filter_id), person(request)
    among = FilterOutput.everything if what == "restore" else FilterOutput.objects
    if not among.filter(filter=filter_id, pk=output_id).exists():
        raise NotFound(f"there is no output {output_id}")
    text, kind = "", "success"
    if what == "on":
        services.change(user, output_id, enabled=True)
        text = "It gets what is found from now on."
    elif what == "off":
        services.change(user, output_id, enabled=False)
        text = "Nothing is sent there any more."
    elif what == "remove":
        services.remove(user, output_id)
        text = "The output is removed; below you can have it back."
    elif what == "restore":
        try:
            services.restore(user, output_id)
        except Invalid as error:
            return toast(_page(request, found), f"It stays removed: {error}", "danger")
        text = "The output is there again. It gets what is found from now on."
    elif what == "secret":
        services.new_secret(user, output_id)
        text = "It has a new secret; tell it to the receiver."
    elif what == "again":
        text = f"{deliveries.resend_dead_letters(user, output_id)} hits are sent again."
    elif what == "test":
        tried = deliveries.send_test(user, output_id, senders_for(load().delivery))
        kind = "success" if tried.result == Delivery.Result.TEST else "danger"
        text = tried.message or "It arrived."
    else:
        raise NotFound(f"nothing is called {what} here")
    return toast(_page(request, found), text, "success" if kind == "success" else "danger")


@login_required
@require_safe
def log(request: HttpRequest, filter_id: int, output_id: int) -> HttpResponse:
    """What was delivered to an output, newest first."""
    found, output = send_again.output_of(person(request), filter_id, output_id)
    rows = Delivery.objects.visible_to(request.user).filter(output=output_id)
    table = shown(
        request,
        "log",
        _LOG,
        StoredRows(rows, _LOG, ("result", "message")),
        caption=f"Deliveries: {output.get_kind_display()}",
        search_label="Search in results and messages",
        empty="Nothing was delivered there yet.",
    )
    context = send_again.context(found, output) | {"table": table}
    return render(request, "site/filters/log.html", context)


def _page(request: HttpRequest, found: Filter, form: OutputForm | None = None) -> HttpResponse:
    lines = [
        {
            "output": output,
            "state": getattr(output, "state", None),
            "last": Delivery.objects.filter(output=output).first(),
            "dead": DeadLetter.objects.filter(output=output, sent_again=None).count(),
        }
        for output in found.outputs.select_related("recipient", "state").order_by("pk")
    ]
    context = {
        "filter": found,
        "lines": lines,
        "removed": services.removed(FilterOutput.everything.filter(filter=found)),
        "form": form or OutputForm(initial={"kind": OutputKind.EMAIL}),
        "open": form is not None,
        "topic": topic_of(found),
    }
    return render(request, "site/filters/_outputs.html", context)


def _editable(request: HttpRequest, filter_id: int) -> Filter:
    return sharing.editable(Filter.objects.all(), person(request), filter_id)
