"""Writing a filter: what it asks, when it tells, and what it would find meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from lasair_broker.archive import QueryError as ArchiveQueryError
from lasair_broker.query import QueryError
from lasair_broker.settings import load
from lasair_broker.web import sharing
from lasair_broker.web.api.gone import cancelled_when_gone
from lasair_broker.web.archive import archive
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.filters import services, trying
from lasair_broker.web.filters.models import Filter, FilterVersion, Renotify, Trigger
from lasair_broker.web.filters.queries import query_of
from lasair_broker.web.filters.wording import Wording, wording_of
from lasair_broker.web.limits import limits_of
from lasair_broker.web.site.filters.samples import sample_table
from lasair_broker.web.site.people import person
from lasair_broker.web.site.query.editor import EXAMPLES, choices
from lasair_broker.web.site.query.parameters import TYPES, Row, parameters_of_rows, rows_for, rows_in, rows_of

_NIGHTS_TO_CHOOSE = 15


class FilterForm(forms.Form):
    """A filter, or a new version of one."""

    name = forms.CharField(max_length=200, label="Name")
    description = forms.CharField(
        max_length=4096,
        required=False,
        label="What it is for",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    adql = forms.CharField(max_length=65_536)
    trigger = forms.ChoiceField(choices=Trigger.choices, label="Runs on", initial=Trigger.ALERT)
    renotify = forms.ChoiceField(
        choices=Renotify.choices, label="Tells of an object again", initial=Renotify.EVERY
    )
    renotify_days = forms.FloatField(
        required=False,
        min_value=0.0,
        label="After so many days",
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    renotify_columns = forms.CharField(
        required=False,
        label="Or when one of these columns changed",
        help_text="Names of selected columns, with commas between them.",
    )
    comment = forms.CharField(
        max_length=500, required=False, label="Note on this version", help_text="What you changed, and why."
    )

    def wording(self) -> Wording:
        """What the fields say.

        Raises
        ------
        Invalid
            If the value of a parameter is not of its type.
        """
        try:
            parameters = parameters_of_rows(self.rows())
        except QueryError as error:
            raise Invalid({"parameters": str(error)}) from None
        given = self.cleaned_data
        columns = [name.strip() for name in given["renotify_columns"].split(",") if name.strip()]
        again = given["renotify"] == Renotify.AGAIN
        return Wording(
            adql=given["adql"],
            trigger=given["trigger"],
            renotify=given["renotify"],
            renotify_days=given["renotify_days"] if again else None,
            renotify_columns=columns if again else [],
            parameters=parameters,
        )

    def rows(self) -> list[Row]:
        """The table of parameters, as it was sent."""
        return rows_in(self.data) if isinstance(self.data, QueryDict) else []

    def refused(self, error: Invalid) -> None:
        """Show what a service says is wrong beside the fields."""
        for field, text in error.faults.items():
            where = "adql" if field == "parameters" else field  # both are told below the editor
            self.add_error(where if where in self.fields else None, text)


@login_required
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """A new filter; it may begin with the query of the query page."""
    user = person(request)
    begins = request.method == "GET" or "begin" in request.POST
    form = FilterForm(None if begins else request.POST)
    if begins:
        form.initial = {"adql": request.POST.get("adql") or request.GET.get("adql") or EXAMPLES[0][1]}
        return _page(request, form, None, rows_in(request.POST) or rows_in(request.GET))
    if form.is_valid():
        given = form.cleaned_data
        try:
            made = services.create(
                user,
                given["name"],
                form.wording(),
                description=given["description"],
                comment=given["comment"],
            )
        except Invalid as error:
            form.refused(error)
        else:
            return _after(request, made, 1)
    return _page(request, form, None)


@login_required
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, filter_id: int) -> HttpResponse:
    """A new version of a filter."""
    user = person(request)
    found = sharing.editable(Filter.objects.all(), user, filter_id)
    newest = _version(request, found)
    form = FilterForm(request.POST if request.method == "POST" else None)
    rows = rows_of(wording_of(newest).parameters)
    if request.method == "GET":
        form.initial = _initial(found, newest)
    elif form.is_valid():
        given = form.cleaned_data
        try:
            services.describe(user, filter_id, name=given["name"].strip(), description=given["description"])
            version = services.save_version(user, filter_id, form.wording(), comment=given["comment"])
        except Invalid as error:
            form.refused(error)
        else:
            return _after(request, found, version.number)
    return _page(request, form, found, rows)


@login_required
@require_POST
def trial(request: HttpRequest) -> HttpResponse:
    """What the query in the editor would find: a part of the page, asked while somebody writes."""
    user = person(request)
    number, night = request.POST.get("filter_id", ""), request.POST.get("night", "")
    try:
        adql = request.POST.get("adql", "")[:65_536]
        rows = rows_for(adql, user, rows_in(request.POST))
        wording = Wording(adql=adql, parameters=parameters_of_rows(rows))
        with cancelled_when_gone(request) as cancelled:
            found = trying.try_wording(
                user,
                int(number) if number.isdecimal() and len(number) < 10 else None,
                wording,
                archive(),
                night=int(night) if night.isdecimal() and len(night) < 7 else None,
                timeout=limits_of(user).seconds,
                cancelled=cancelled,
            )
    except (Invalid, ArchiveQueryError, QueryError) as error:
        return render(request, "site/filters/_trial.html", {"fault": str(error)})
    context = {
        "found": found,
        "night": night,
        "percent": f"{100.0 * found.fraction:.3g}",
        "limit": load().stream.filter_fraction,
        "too_many": found.fraction > load().stream.filter_fraction,
        "sample": sample_table(request, found.rows),
    }
    return render(request, "site/filters/_trial.html", context)


def _after(request: HttpRequest, found: Filter, number: int) -> HttpResponse:
    """To the filter's page; on the way there the version is activated, if that was asked."""
    if "activate" in request.POST:
        from lasair_broker.web.site.filters.actions import activate

        activate(request, found.pk, number)
    else:
        messages.success(request, f"Version {number} is saved, as a draft.")
    return redirect("filters:filter", filter_id=found.pk)


def _version(request: HttpRequest, found: Filter) -> FilterVersion:
    """The version that is edited: the one of the address, else the newest."""
    number = request.GET.get("version", "")
    versions = found.versions.all()
    if number.isdecimal() and len(number) < 10:
        versions = versions.filter(number=int(number))
    version = versions.last()
    if version is None:
        raise NotFound(f"filter {found.pk} has no version {number}")
    return version


def _initial(found: Filter, version: FilterVersion) -> dict[str, Any]:
    wording = wording_of(version)
    adql = wording.adql or query_of(wording, found.owner).text
    return {
        "name": found.name,
        "description": found.description,
        "adql": adql,
        "trigger": wording.trigger,
        "renotify": wording.renotify,
        "renotify_days": wording.renotify_days,
        "renotify_columns": ", ".join(wording.renotify_columns),
    }


def _page(
    request: HttpRequest, form: FilterForm, found: Filter | None, rows: Sequence[Row] = ()
) -> HttpResponse:
    user = person(request)
    adql = form["adql"].value() or ""
    context = {
        "form": form,
        "filter": found,
        "filter_id": None if found is None else found.pk,
        "adql": adql,
        "parameters": rows_for(adql, user, form.rows() if form.is_bound else rows),
        "fault": " ".join(map(str, form["adql"].errors)) if form.is_bound else "",
        "parameter_types": TYPES,
        "choices": choices(user),
        "examples": EXAMPLES,
        "nights": _nights(),
        "limit": load().stream.filter_fraction,
        "address": reverse("filters:new") if found is None else reverse("filters:edit", args=[found.pk]),
    }
    status = 400 if form.is_bound and not form.is_valid() else 200
    return render(request, "site/filters/edit.html", context, status=status)


def _nights() -> list[tuple[int, int]]:
    """The newest nights with alerts, and how many: the MJD at whose noon UTC each begins."""
    rows = archive().query(
        'SELECT floor("midpointMjdTai" - 0.5)::INT AS night, count(*) AS alerts FROM alerts '
        'WHERE "midpointMjdTai" > (SELECT max("midpointMjdTai") FROM alerts) - 60 '
        "GROUP BY night ORDER BY night DESC",
        max_rows=_NIGHTS_TO_CHOOSE,
    )
    return list(zip(rows.column(0).to_pylist(), rows.column(1).to_pylist(), strict=True))
