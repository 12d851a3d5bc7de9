"""Pages of background queries: how far they are, and what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from lasair_broker.web.accounts.models import User
from lasair_broker.web.api.formats import ENDINGS, FORMATS, download
from lasair_broker.web.errors import NotFound
from lasair_broker.web.limits import limits_of
from lasair_broker.web.queries import jobs, results
from lasair_broker.web.queries.models import Job, Phase
from lasair_broker.web.queries.texts import text_of
from lasair_broker.web.site.contents import LABELS, ArrowRows, StoredRows, shown
from lasair_broker.web.site.query.parameters import rows_of
from lasair_broker.web.site.query.tables import cells, columns_of
from lasair_broker.web.site.tables import Asked, Column, Table

_HISTORY = (
    Column("pk", "Number", numeric=True, sortable=True),
    Column("name", "Query", template="site/query/_cell_job.html", sortable=True),
    Column("phase", "State", template="site/query/_cell_phase.html", sortable=True),
    Column("rows", "Rows", numeric=True, template="site/query/_cell_rows.html", sortable=True),
    Column("created", "Asked", template="site/query/_cell_time.html", sortable=True),
    Column("expires", "Kept until", template="site/query/_cell_time.html", sortable=True),
)


@login_required
@require_safe
def history(request: HttpRequest) -> HttpResponse:
    """Every background query of the user, newest first."""
    found = Job.objects.visible_to(request.user)
    table = shown(
        request,
        "jobs",
        _HISTORY,
        StoredRows(found, _HISTORY, ("name", "adql", "selected", "conditions")),
        caption="My queries",
        search_label="Search in names and texts",
        empty="You have not run a query yet.",
    )
    return render(request, "site/query/history.html", {"table": table})


@login_required
@require_safe
def page(request: HttpRequest, job_id: int) -> HttpResponse:
    """A query, and its result when it is there."""
    job = jobs.visible(request.user, job_id)
    context = _state(request, job)
    if job.phase == Phase.COMPLETED:
        context["table"] = _table(request, job)
    return render(request, "site/query/job.html", context)


@login_required
@require_safe
def state(request: HttpRequest, job_id: int) -> HttpResponse:
    """How far a query is, for the page that waits; when it has ended, the page is loaded anew."""
    job = jobs.visible(request.user, job_id)
    response = render(request, "site/query/_state.html", _state(request, job))
    if job.phase not in (Phase.QUEUED, Phase.EXECUTING):
        response["HX-Refresh"] = "true"
    return response


@login_required
@require_safe
def result(request: HttpRequest, job_id: int, ending: str) -> HttpResponseBase:
    """The whole result as a file."""
    chosen = next((name for name, known in ENDINGS.items() if known == ending), None)
    if chosen is None:
        raise Http404
    job = jobs.visible(request.user, job_id)
    return download(jobs.rows(request.user, job_id), chosen, f"lasair-query-{job.pk}", more=job.truncated)


@login_required
@require_POST
def change(request: HttpRequest, job_id: int, what: str) -> HttpResponse:
    """Cancel, rename or remove a query."""
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - login_required has seen to it
    if what == "cancel":
        jobs.cancel(user, job_id)
        return redirect("query:job", job_id=job_id)
    if what == "rename":
        jobs.rename(user, job_id, request.POST.get("name", ""))
        return redirect("query:job", job_id=job_id)
    if what == "remove":
        jobs.remove(user, job_id)
        return redirect("query:history")
    raise NotFound(f"nothing is called {what} here")


def _state(request: HttpRequest, job: Job) -> dict[str, Any]:
    limits = limits_of(request.user)
    spent = ((job.ended or timezone.now()) - job.started).total_seconds() if job.started else 0.0
    return {
        "job": job,
        "parameters": rows_of(text_of(job).parameters),
        "before": jobs.before(job),
        "spent": spent,
        "answered_by": results.answered_by(job.pk) if job.phase == Phase.COMPLETED else "",
        "limits": limits,
        "share": min(100.0, 100.0 * spent / limits.job_seconds) if limits.job_seconds else 0.0,
        "formats": [(LABELS[name], ENDINGS[name]) for name in FORMATS],
    }


def _table(request: HttpRequest, job: Job) -> Table:
    return shown(
        request,
        "rows",
        columns_of(job.columns),
        _Result(request.user, job),
        caption="Result",
        search_label="Words, or psfFlux > 1000",
        empty="No row fulfils the conditions. Loosen one of them and run it again.",
    )


@dataclass(frozen=True)
class _Result:
    """The result of a job, of which only a page is read unless it is searched or sorted; see `Contents`."""

    user: User | AnonymousUser
    job: Job

    def page(self, wanted: Asked) -> tuple[Sequence[Any], int | None, bool]:
        if wanted.sort or wanted.search:
            return ArrowRows(jobs.rows(self.user, self.job.pk), cells).page(wanted)
        return cells(jobs.rows(self.user, self.job.pk, wanted.offset, wanted.size)), self.job.rows, False

    def whole(self, wanted: Asked) -> tuple[pa.Table, bool]:
        return ArrowRows(jobs.rows(self.user, self.job.pk), more=self.job.truncated).whole(wanted)
