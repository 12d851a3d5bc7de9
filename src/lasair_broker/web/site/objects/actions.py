"""What people do on the page of an object: follow it, comment on it, add points to it."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from lasair_broker.web.accounts.models import Collaboration
from lasair_broker.web.comments import services as comments
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.objects import following
from lasair_broker.web.objects.head import key_of, state_of
from lasair_broker.web.photometry import services as photometry
from lasair_broker.web.photometry.formats import read_file
from lasair_broker.web.sharing import Visibility
from lasair_broker.web.site.notices import toast
from lasair_broker.web.site.objects.panels import panel
from lasair_broker.web.site.people import person


@login_required
@require_POST
def follow(request: HttpRequest, key: str) -> HttpResponse:
    """Follow the object, or with `stop` no longer."""
    user = person(request)
    if request.POST.get("stop"):
        following.unfollow(user, key)
        text, kind, follows = "You no longer follow this object.", "info", False
    else:
        following.follow(user, key)
        text = f"You get an e-mail to {user.email} when a new alert of this object comes."
        kind, follows = "success", True
    if not request.htmx:  # type: ignore[attr-defined]  # set by django_htmx's middleware
        return redirect("objects:object", key=key)
    response = render(request, "site/objects/_follow.html", {"key": key, "follows": follows})
    return toast(response, text, "success" if kind == "success" else "info")


@login_required
@require_POST
def comment(request: HttpRequest, key: str) -> HttpResponse:
    """Write a comment."""
    visibility, collaboration = shared(request)
    comments.add(
        person(request),
        key_of(key),
        request.POST.get("text", ""),
        visibility=visibility,
        collaboration=collaboration,
    )
    return toast(part(request, key, "comments"), "Your comment is there.")


@login_required
@require_POST
def change_comment(request: HttpRequest, key: str, comment_id: int, what: str) -> HttpResponse:
    """Edit, remove or restore a comment of one's own."""
    user = person(request)
    if what == "edit":
        comments.edit(user, comment_id, request.POST.get("text", ""))
        return toast(part(request, key, "comments"), "Your comment was changed.")
    if what == "remove":
        comments.remove(user, comment_id)
        response = part(request, key, "comments", removed=comment_id)
        return toast(response, "Your comment was removed.", "info")
    if what == "restore":
        comments.restore(user, comment_id)
        return toast(part(request, key, "comments"), "Your comment is back.")
    raise NotFound("a comment can be edited, removed or restored")


@login_required
@require_POST
def points(request: HttpRequest, key: str) -> HttpResponse:
    """Add photometry: a file, or lines of CSV; what is wrong is told row by row."""
    number = state_of(key, ("diaObjectId",))["diaObjectId"]
    visibility, collaboration = shared(request)
    upload = request.FILES.get("file")
    data = upload.read() if upload else request.POST.get("lines", "").encode()
    try:
        read = read_file(data)
        photometry.add(
            person(request),
            read.rows,
            name=request.POST.get("name", ""),
            provenance=request.POST.get("provenance", ""),
            instrument=request.POST.get("instrument", ""),
            diaObjectId=number,
            visibility=visibility,
            collaboration=collaboration,
        )
    except Invalid as error:
        response = part(request, key, "points", faults=error.faults, given=request.POST)
        return toast(response, "No points were added: see what is wrong above the form.", "warning")
    told = f"Your {len(read.rows):,} points are on the light curve."
    if read.kind:
        told += f" The file is {read.kind}; {read.left_out:,} of its rows are bad and were left out."
    return changed(toast(part(request, key, "points"), told))


@login_required
@require_POST
def change_points(request: HttpRequest, key: str, set_id: int, what: str) -> HttpResponse:
    """Remove or restore a set of points of one's own."""
    if what == "remove":
        photometry.remove(person(request), set_id)
        return changed(
            toast(part(request, key, "points", removed=set_id), "Your points were removed.", "info")
        )
    if what == "restore":
        photometry.restore(person(request), set_id)
        return changed(toast(part(request, key, "points"), "Your points are back."))
    raise NotFound("points can be removed or restored")


def part(request: HttpRequest, key: str, name: str, **more: object) -> HttpResponse:
    """The panel as it is now; without scripts, the page with it."""
    if not request.htmx and not more:  # type: ignore[attr-defined]  # set by django_htmx's middleware
        return redirect("objects:object", key=key)
    return panel(request, key, name, more=more)


def changed(response: HttpResponse) -> HttpResponse:
    """Tells the chart that there are other points now."""
    from django_htmx.http import trigger_client_event

    trigger_client_event(response, "lasair:points")
    return response


def shared(request: HttpRequest) -> tuple[str, Collaboration | None]:
    """With whom the form wants to share: a visibility, or group:SLUG."""
    chosen = request.POST.get("visibility", Visibility.PRIVATE)
    if not chosen.startswith("group:"):
        return chosen, None
    slug = chosen.removeprefix("group:")
    found = Collaboration.objects.visible_to(person(request)).filter(slug=slug).first()
    if found is None:
        raise Invalid({"visibility": f"there is no collaboration {slug[:40]}"})
    return Visibility.GROUP, found
