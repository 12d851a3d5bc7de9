"""What people do with a filter: try, run, stop, share, copy, rename, remove and restore it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from lasair_broker.archive import QueryError
from lasair_broker.packets import posix_micros_to_mjd_tai
from lasair_broker.web.accounts.models import Collaboration, User
from lasair_broker.web.archive import archive
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.filters import services, trying
from lasair_broker.web.filters.models import Filter
from lasair_broker.web.limits import limits_of
from lasair_broker.web.queries import jobs
from lasair_broker.web.site.account.removed import told_with_undo


@login_required
@require_POST
def change(request: HttpRequest, filter_id: int, what: str) -> HttpResponse:
    """Do something with a filter; what is refused is said on its page."""
    action = _ACTIONS.get(what)
    if action is None:
        raise NotFound(f"nothing is called {what} here")
    user = request.user
    if not isinstance(user, User):
        raise NotFound("log in for this")
    try:
        return action(request, user, filter_id)
    except (Invalid, QueryError) as error:
        messages.error(request, str(error))
        return redirect("filters:filter", filter_id=filter_id)


def activate(request: HttpRequest, filter_id: int, number: int) -> None:
    """Try a version, so that it is known what it would find, and run it; or tell why not.

    The services decide whether the user may.
    """
    user = request.user
    if not isinstance(user, User):
        raise NotFound("log in for this")
    try:
        _, found = trying.try_version(
            user, filter_id, number, archive(), sample=1, timeout=limits_of(user).seconds
        )
        services.activate(user, filter_id, number)
    except (Invalid, QueryError) as error:
        messages.error(request, f"Version {number} does not run: {error}.")
    else:
        messages.success(
            request,
            f"Version {number} runs from the next batch of alerts on; expect about {found.per_night:.3g} "
            "hits a night. Add an output to be told of them.",
        )


def _activate(request: HttpRequest, user: User, filter_id: int) -> HttpResponse:
    activate(request, filter_id, _number(request))
    return redirect("filters:filter", filter_id=filter_id)


def _deactivate(request: HttpRequest, user: User, filter_id: int) -> HttpResponse:
    services.deactivate(user, filter_id)
    messages.success(request, "It no longer runs.")
    return redirect("filters:filter", filter_id=filter_id)


def _roll_back(request: HttpRequest, user: User, filter_id: int) -> HttpResponse:
    version = services.roll_back(user, filter_id, _number(request))
    messages.success(request, f"Version {version.number} runs again.")
    return redirect("filters:filter", filter_id=filter_id)


def _fork(request: HttpRequest, user: User, filter_id: int) -> HttpResponse:
    copy = services.fork(user, filter_id)
    messages.success(request, "This is your copy, a draft. Change what you like, then run it.")
    return redirect("filters:edit", filter_id=copy.pk)


def _star(request: HttpRequest, user: User, filter_id: int) -> HttpResponse:
    return _starred(request, services.star(user, filter_id))


def _unstar(request: HttpRequest, user: User, filter_id: int) -> HttpResponse:
    return _starred(request, services.star(user, filter_id, given=False))


def _starred(request: HttpRequest, found: Filter) -> HttpResponse:
    """The button as it is now, for htmx; else the filter's page."""
    if not request.htmx:  # type: ignore[attr-defined]  # set by django_htmx's middleware
        return redirect("filters:filter", filter_id=found.pk)
    return render(request, "site/filters/_star.html", {"filter": found})


def _share(request: HttpRequest, user: User, filter_id: int) -> HttpResponse:
    visibility, _, slug = request.POST.get("with", "").partition(":")
    group = Collaboration.objects.visible_to(user).filter(slug=slug).first() if slug else None
    services.share(user, filter_id, visibility, group)
    messages.success(request, "It is shared as you chose; its hits go with it.")
    return redirect("filters:filter", filter_id=filter_id)


def _describe(request: HttpRequest, user: User, filter_id: int) -> HttpResponse:
    name, description = (request.POST.get(field, "") for field in ("name", "description"))
    category = request.POST.get("category")
    services.describe(user, filter_id, name=name.strip(), description=description, category=category)
    return redirect("filters:filter", filter_id=filter_id)


def _delete(request: HttpRequest, user: User, filter_id: int) -> HttpResponse:
    services.delete(user, filter_id)
    told_with_undo(
        request,
        "The filter is deleted. For 30 days you can restore it, at the end of this page.",
        "filters",
        filter_id,
    )
    return redirect("filters:index")


def _restore(request: HttpRequest, user: User, filter_id: int) -> HttpResponse:
    found = services.restore(user, filter_id)
    messages.success(request, f"“{found.name}” is there again. It does not run yet.")
    return redirect("filters:filter", filter_id=filter_id)


def _replay(request: HttpRequest, user: User, filter_id: int) -> HttpResponse:
    since, until = (_mjd(request, name) for name in ("since", "until"))
    job = jobs.submit_replay(user, filter_id, _number(request), since, until)
    return redirect("query:job", job_id=job.pk)


def _mjd(request: HttpRequest, name: str) -> float:
    """A date and time (UTC) of a form as MJD TAI."""
    text = request.POST.get(name, "")
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise Invalid({name: "give a date and time"}) from None
    return float(posix_micros_to_mjd_tai(moment.timestamp() * 1e6))


def _number(request: HttpRequest) -> int:
    text = request.POST.get("version", "")
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise Invalid({"version": "say which version"})
    return int(text)


_ACTIONS: dict[str, Callable[[HttpRequest, User, int], HttpResponse]] = {
    "activate": _activate,
    "deactivate": _deactivate,
    "roll-back": _roll_back,
    "fork": _fork,
    "share": _share,
    "star": _star,
    "unstar": _unstar,
    "describe": _describe,
    "delete": _delete,
    "restore": _restore,
    "replay": _replay,
}
