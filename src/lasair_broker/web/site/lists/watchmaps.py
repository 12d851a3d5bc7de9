"""Pages of watchmaps."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lasair_broker.sky import Moc, MocError
from lasair_broker.web import sharing
from lasair_broker.web.api.v1.base import collaboration_named
from lasair_broker.web.errors import Invalid
from lasair_broker.web.site.account.removed import told_with_undo
from lasair_broker.web.site.all_sky import Picture, region
from lasair_broker.web.site.lists.common import (
    OBJECT_CELL,
    WHOSE,
    NameForm,
    ShareForm,
    add_faults,
    archive_table,
    sharing_of,
    table_of_things,
    whose,
)
from lasair_broker.web.site.people import person
from lasair_broker.web.site.tables import Column
from lasair_broker.web.watchmaps import services
from lasair_broker.web.watchmaps.models import Watchmap

_MAPS = (
    Column("name", "Name", sortable=True, template="site/lists/_watchmap_name.html"),
    Column("owner", "Owner", sortable=True),
    Column("visibility", "Seen by", template="site/lists/_seen_by.html", sortable=True),
    Column("area_deg2", "Area", "deg²", numeric=True, digits=4, sortable=True),
    Column("match_hits", "Objects in it", numeric=True, template="site/lists/_map_hits.html", sortable=True),
    Column("active", "On the stream", sortable=True, template="site/lists/_active.html"),
    Column("modified", "Changed", sortable=True, template="site/lists/_when.html"),
)
_HITS = (
    Column("objectName", "Object", sortable=True, template=OBJECT_CELL),
    Column("ra", "RA", "deg", numeric=True, digits=9, sortable=True),
    Column("decl", "Dec", "deg", numeric=True, digits=8, sortable=True),
    Column("nDiaSources", "Detections", numeric=True, sortable=True),
    Column("firstDiaSourceMjdTai", "First detection", "MJD TAI", numeric=True, digits=9, sortable=True),
    Column("lastDiaSourceMjdTai", "Last detection", "MJD TAI", numeric=True, digits=9, sortable=True),
)
_FILE_HELP = "A multi-order coverage map (MOC) as FITS, JSON or ASCII."
_MOST_CORNERS = 1000


def _number() -> forms.NumberInput:
    return forms.NumberInput(attrs={"class": "form-control"})


class WatchmapForm(forms.Form):
    """What a watchmap is called."""

    name = forms.CharField(max_length=200)
    description = forms.CharField(required=False, max_length=4096, widget=forms.Textarea(attrs={"rows": 2}))


class CircleForm(forms.Form):
    """A circle on the sky."""

    ra = forms.FloatField(min_value=0.0, max_value=360.0, label="Right ascension", help_text="Degrees, ICRS.")
    decl = forms.FloatField(min_value=-90.0, max_value=90.0, label="Declination", help_text="Degrees, ICRS.")
    radius = forms.FloatField(min_value=0.001, max_value=180.0, initial=5.0, help_text="Degrees.")


class NewWatchmapForm(WatchmapForm):
    """A new watchmap: a circle, a polygon, or a file."""

    ra = forms.FloatField(min_value=0.0, max_value=360.0, required=False, label="RA, deg", widget=_number())
    decl = forms.FloatField(
        min_value=-90.0, max_value=90.0, required=False, label="Dec, deg", widget=_number()
    )
    radius = forms.FloatField(
        min_value=0.001, max_value=180.0, required=False, initial=5.0, label="Radius, deg", widget=_number()
    )
    corners = forms.CharField(
        required=False,
        max_length=100_000,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "10 -5\n40 -5\n40 5"}),
        help_text="Of a polygon: right ascension and declination of each corner, a line each, degrees.",
    )
    file = forms.FileField(required=False, help_text=_FILE_HELP)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        circle = given.get("ra") is not None and given.get("decl") is not None and given.get("radius")
        ways = [bool(circle), bool(given.get("corners")), bool(given.get("file"))]
        if not self.errors and sum(ways) != 1:
            raise forms.ValidationError("Give one of these: a circle, the corners of a polygon, or a file.")
        return given

    def clean_corners(self) -> list[tuple[float, float]]:
        """The corners as numbers."""
        found = []
        for number, line in enumerate(self.cleaned_data["corners"].split("\n"), 1):
            if not line.strip():
                continue
            try:
                ra, decl = (float(part) for part in line.replace(",", " ").split())
            except ValueError:
                raise forms.ValidationError(f"line {number} has not two numbers; write: 10.5 -20") from None
            found.append((ra, decl))
        if len(found) > _MOST_CORNERS:
            raise forms.ValidationError(f"at most {_MOST_CORNERS} corners; give a MOC file instead")
        return found


class MocForm(forms.Form):
    """A new region."""

    file = forms.FileField(help_text=_FILE_HELP)


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The watchmaps that one sees."""
    seen = whose(request, Watchmap.objects.visible_to(request.user))
    shown = table_of_things(
        request,
        seen.select_related("owner", "collaboration").defer("moc"),
        _MAPS,
        caption="Watchmaps",
        search_in="name",
        empty="There are no watchmaps here yet. A watchmap is a region of the sky that somebody watches.",
        orders={"owner": "owner__username"},
    )
    context = {"table": shown, "whose": WHOSE, "asked_whose": request.GET.get("whose", "")}
    return render(request, "site/lists/watchmaps.html", context)


@require_safe
def page(request: HttpRequest, map_id: int) -> HttpResponse:
    """A watchmap."""
    found = services.get(request.user, map_id)
    regions, rings = region(services.region(request.user, map_id))
    context = {
        "map": found,
        "may_edit": Watchmap.objects.editable_by(request.user).filter(pk=map_id).exists(),
        "is_owner": request.user.is_superuser or found.owner_id == request.user.pk,
        "seen_by": sharing_of(found),
        "picture": Picture(
            label=f"The sky with the region of {found.name}, {found.area_deg2:.4g} square degrees",
            regions=regions,
            rings=rings,
        ),
        "hits": archive_table(
            request,
            "hits",
            _HITS,
            select="area_hits.diaObjectId, objects.objectName, objects.ra, objects.decl, "
            "objects.nDiaSources, objects.firstDiaSourceMjdTai, objects.lastDiaSourceMjdTai",
            source="area_hits JOIN objects ON area_hits.diaObjectId = objects.diaObjectId",
            where=f"area_hits.ar_id = {found.pk}",
            caption="Objects in it",
            empty="No object has been found in this region so far.",
            sort="lastDiaSourceMjdTai",
            descending=True,
            orders={column.name: f"objects.{column.name}" for column in _HITS},
            search_in="objects.objectName",
            search_label="Name of the object",
        ),
        "copy_form": NameForm(initial={"name": f"{found.name} (copy)"}),
    }
    return render(request, "site/lists/watchmap.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Make a watchmap."""
    form = NewWatchmapForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        try:
            return _to_map(_made(request, form.cleaned_data).pk)
        except Invalid as error:
            add_faults(form, error)
    context = {
        "form": form,
        "circle": [form[name] for name in ("ra", "decl", "radius")],
        "title": "New watchmap",
        "picture": Picture(label="The sky; choose a place"),
    }
    return render(request, "site/lists/new_watchmap.html", context, status=400 if form.errors else 200)


@require_safe
def preview(request: HttpRequest) -> HttpResponse:
    """A circle as it would be drawn."""
    form = CircleForm(request.GET)
    if not form.is_valid():
        raise Invalid({name: " ".join(map(str, texts)) for name, texts in form.errors.items()})
    given = form.cleaned_data
    try:
        regions, rings = region(Moc.circle(given["ra"], given["decl"], given["radius"]))
    except MocError as error:
        raise Invalid({"": str(error)}) from None
    return render(request, "site/lists/_drawn.html", {"regions": regions, "rings": rings})


@login_required
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, map_id: int) -> HttpResponse:
    """Rename or describe a watchmap."""
    found = services.get(request.user, map_id)
    form = WatchmapForm(request.POST or None, initial={"name": found.name, "description": found.description})
    if form.is_valid():
        try:
            services.describe(person(request), map_id, **form.cleaned_data)
            return _to_map(map_id)
        except Invalid as error:
            add_faults(form, error)
    context = {"form": form, "title": f"Change {found.name}", "back": _address(map_id), "submit": "Save"}
    return render(request, "site/lists/form.html", context, status=400 if form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def replace(request: HttpRequest, map_id: int) -> HttpResponse:
    """Replace the region by that of a file."""
    user = person(request)
    found = sharing.editable(Watchmap.objects.all(), user, map_id)
    form = MocForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        try:
            services.replace(user, map_id, _content(form.cleaned_data["file"]))
            messages.success(
                request, "The region is replaced; the archive is matched anew in the background."
            )
            return _to_map(map_id)
        except Invalid as error:
            add_faults(form, error)
    context = {
        "form": form,
        "title": f"A new region for {found.name}",
        "back": _address(map_id),
        "submit": "Upload",
        "multipart": True,
    }
    return render(request, "site/lists/form.html", context, status=400 if form.errors else 200)


@login_required
@require_POST
def set_active(request: HttpRequest, map_id: int) -> HttpResponse:
    """Match a map on the stream, or no longer."""
    services.describe(person(request), map_id, active=request.POST.get("active") == "yes")
    return _to_map(map_id)


@login_required
@require_http_methods(["GET", "POST"])
def share(request: HttpRequest, map_id: int) -> HttpResponse:
    """Say who sees a watchmap."""
    user, found = person(request), services.get(request.user, map_id)
    first = {
        "visibility": found.visibility,
        "collaboration": found.collaboration.slug if found.collaboration else "",
    }
    form = ShareForm(user, request.POST or None, initial=first)
    if form.is_valid():
        try:
            chosen = collaboration_named(user, form.cleaned_data["collaboration"] or None)
            services.share(user, map_id, form.cleaned_data["visibility"], chosen)
            return _to_map(map_id)
        except Invalid as error:
            add_faults(form, error)
    context = {"form": form, "title": f"Share {found.name}", "back": _address(map_id), "submit": "Share"}
    return render(request, "site/lists/form.html", context, status=400 if form.errors else 200)


@login_required
@require_POST
def copy(request: HttpRequest, map_id: int) -> HttpResponse:
    """Make a copy of one's own."""
    try:
        made = services.copy(person(request), map_id, request.POST.get("name", ""))
    except Invalid as error:
        messages.error(request, f"It was not copied: {error}")
        return _to_map(map_id)
    messages.success(request, "This is your copy; it is private until you share it.")
    return _to_map(made.pk)


@login_required
@require_http_methods(["GET", "POST"])
def delete(request: HttpRequest, map_id: int) -> HttpResponse:
    """Remove a watchmap, when that is confirmed."""
    found = services.get(request.user, map_id)
    if request.method == "POST":
        services.delete(person(request), map_id)
        told_with_undo(request, f"{found.name} is removed.", "watchmaps", map_id)
        return redirect("lists:watchmaps")
    context = {
        "title": f"Remove {found.name}?",
        "text": "Its region goes with it. For 30 days you can have it back.",
        "back": _address(map_id),
        "submit": "Remove it",
    }
    return render(request, "site/lists/confirm.html", context)


def _made(request: HttpRequest, given: dict[str, Any]) -> Watchmap:
    user, name, description = person(request), given["name"], given["description"]
    if given["file"]:
        return services.create_from_file(user, name, _content(given["file"]), description=description)
    if given["corners"]:
        ra, decl = zip(*given["corners"], strict=True)
        return services.create_polygon(user, name, ra, decl, description=description)
    return services.create_circle(
        user, name, given["ra"], given["decl"], given["radius"], description=description
    )


def _content(file: UploadedFile) -> bytes:
    most = settings.LASAIR_SITE.upload_bytes
    if (file.size or 0) > most:
        raise Invalid({"file": f"has {file.size:,} bytes; at most {most:,} are taken"})
    content: bytes = file.read()
    return content


def _address(map_id: int) -> str:
    return reverse("lists:watchmap", args=[map_id])


def _to_map(map_id: int) -> HttpResponseRedirect:
    return HttpResponseRedirect(_address(map_id))
