"""Forms by which the contents of watchlists are changed: uploads, rows and triggers."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from lasair_broker.web import sharing
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.site.account.removed import told_with_undo
from lasair_broker.web.site.lists.common import add_faults
from lasair_broker.web.site.lists.faulty_rows import report
from lasair_broker.web.site.lists.watchlist_forms import (
    NewWatchlistForm,
    RowForm,
    TriggerForm,
    UploadForm,
)
from lasair_broker.web.site.lists.watchlists import list_address, to_list, trigger_of
from lasair_broker.web.site.people import person
from lasair_broker.web.watchlists import services
from lasair_broker.web.watchlists.models import Watchlist
from lasair_broker.web.watchlists.services import RowsRefused


@login_required
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Make a watchlist, with the rows of a file if there is one."""
    form = NewWatchlistForm(request.POST or None, request.FILES or None)
    context: dict[str, Any] = {
        "form": form,
        "title": "New watchlist",
        "back": "/watchlists/",
        "submit": "Make it",
    }
    if form.is_valid():
        try:
            return _moved(request, list_address(_made(request, form)))
        except RowsRefused as error:
            context["refused"] = report(request, error)
        except Invalid as error:
            add_faults(form, error)
    return _upload_form(request, context)


@login_required
@require_http_methods(["GET", "POST"])
def upload(request: HttpRequest, list_id: int) -> HttpResponse:
    """Replace the rows by those of a file."""
    user = person(request)
    found = sharing.editable(Watchlist.objects.all(), user, list_id)
    form = UploadForm(request.POST or None, request.FILES or None)
    context: dict[str, Any] = {
        "form": form,
        "title": f"New rows for {found.name}",
        "text": "They take the place of those that are there; a row of the same name keeps its number and "
        "triggers. Earlier rows can be had back.",
        "back": list_address(list_id),
        "submit": "Upload",
    }
    if form.is_valid():
        try:
            made = services.upload(
                user,
                list_id,
                _content(form.cleaned_data["file"]),
                source_name=form.cleaned_data["file"].name or "",
                columns=form.columns(),
                skip_bad_rows=form.cleaned_data["skip_bad_rows"],
            )
            messages.success(request, f"{made.row_count:,} rows are taken, as version {made.number}.")
            return _moved(request, list_address(list_id))
        except RowsRefused as error:
            context["refused"] = report(request, error)
        except Invalid as error:
            add_faults(form, error)
    return _upload_form(request, context)


@login_required
@require_http_methods(["GET", "POST"])
def row(request: HttpRequest, list_id: int, cone_id: int | None = None) -> HttpResponse:
    """Add a row, or change one."""
    user = person(request)
    found = sharing.editable(Watchlist.objects.all(), user, list_id)
    first: dict[str, Any] = {"radius": found.default_radius}
    if cone_id is not None:
        held = services.rows(user, list_id, after_cone_id=cone_id - 1, limit=1).to_pylist()
        if not held or held[0]["cone_id"] != cone_id:
            raise NotFound(f"watchlist {list_id} has no row {cone_id}")
        first = held[0]
    form = RowForm(request.POST or None, initial=first)
    if form.is_valid():
        values = {**form.cleaned_data, "notes": form.cleaned_data["notes"] or None}
        try:
            if cone_id is None:
                services.add_row(user, list_id, **values)
            else:
                values["radius"] = values["radius"] or found.default_radius
                services.edit_row(user, list_id, cone_id, **values)
            return to_list(list_id)
        except Invalid as error:
            add_faults(form, error)
    title = f"A new row of {found.name}" if cone_id is None else f"Row {cone_id} of {found.name}"
    context = {"form": form, "title": title, "back": list_address(list_id), "submit": "Save"}
    return render(request, "site/lists/form.html", context, status=400 if form.errors else 200)


@login_required
@require_POST
def delete_row(request: HttpRequest, list_id: int, cone_id: int) -> HttpResponse:
    """Remove a row; the page then offers to bring it back."""
    services.delete_row(person(request), list_id, cone_id)
    return HttpResponseRedirect(f"{list_address(list_id)}?removed={cone_id}")


@login_required
@require_POST
def restore_row(request: HttpRequest, list_id: int, cone_id: int) -> HttpResponse:
    """Bring a removed row back."""
    services.restore_row(person(request), list_id, cone_id)
    messages.success(request, f"Row {cone_id} is there again.")
    return to_list(list_id)


@login_required
@require_http_methods(["GET", "POST"])
def trigger(request: HttpRequest, list_id: int, trigger_id: int | None = None) -> HttpResponse:
    """Add a magnitude trigger, or change one."""
    user = person(request)
    found = sharing.editable(Watchlist.objects.all(), user, list_id)
    held = None
    if trigger_id is not None:
        held = trigger_of(request, list_id, trigger_id)
        if held is None:
            raise NotFound(f"there is no trigger {trigger_id}")
    form = TriggerForm(request.POST or None, instance=held)
    if form.is_valid():
        try:
            if trigger_id is None:
                services.add_trigger(user, list_id, **form.values())
            else:
                services.change_trigger(user, trigger_id, **form.values())
            return to_list(list_id)
        except Invalid as error:
            add_faults(form, error)
    context = {
        "form": form,
        "title": f"Magnitude trigger of {found.name}",
        "text": "It tells when a source at the list's places crosses a magnitude, or changes by some.",
        "back": list_address(list_id),
        "submit": "Save",
    }
    return render(request, "site/lists/form.html", context, status=400 if form.errors else 200)


@login_required
@require_POST
def delete_trigger(request: HttpRequest, list_id: int, trigger_id: int) -> HttpResponse:
    """Remove a magnitude trigger."""
    held = trigger_of(request, list_id, trigger_id)
    if held is None:
        raise NotFound(f"there is no trigger {trigger_id}")
    services.remove_trigger(person(request), trigger_id)
    told_with_undo(request, f"“{held}” is removed.", "triggers", trigger_id)
    return to_list(list_id)


def _made(request: HttpRequest, form: NewWatchlistForm) -> int:
    """Make a list with the rows of the form's file: both, or neither."""
    user, given = person(request), form.cleaned_data
    with transaction.atomic():
        made = services.create(
            user, given["name"], description=given["description"], default_radius=given["default_radius"]
        )
        if given["file"]:
            services.upload(
                user,
                made.pk,
                _content(given["file"]),
                source_name=given["file"].name or "",
                skip_bad_rows=given["skip_bad_rows"],
            )
            if given["active"]:
                services.set_active(user, made.pk, True)
    return made.pk


def _upload_form(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """The form, or for htmx only what is wrong: the browser then keeps the file that was chosen."""
    wrong = bool(context["form"].errors or context.get("refused"))
    if getattr(request, "htmx", False):
        return render(request, "site/lists/_refused.html", context)
    return render(request, "site/lists/upload.html", context, status=400 if wrong else 200)


def _content(file: UploadedFile) -> bytes:
    most = settings.LASAIR_SITE.upload_bytes
    if (file.size or 0) > most:
        raise Invalid({"file": f"has {file.size:,} bytes; at most {most:,} are taken"})
    content: bytes = file.read()
    return content


def _moved(request: HttpRequest, address: str) -> HttpResponse:
    if getattr(request, "htmx", False):
        return HttpResponseClientRedirect(address)
    return HttpResponseRedirect(address)
