"""Addresses of the query page."""

from __future__ import annotations

from django.urls import path

from lasair_broker.web.site.query import checking, jobs, pages, saved

app_name = "query"
_JOB = "query/jobs/<int:job_id>/"
_SAVED = "query/saved/<int:query_id>/"

urlpatterns = [
    path("query/", pages.index, name="index"),
    path("query/run/", pages.run, name="run"),
    path("query/check/", checking.check, name="check"),
    path("query/form/", checking.form, name="form"),
    path("query/jobs/", jobs.history, name="history"),
    path(_JOB, jobs.page, name="job"),
    path(f"{_JOB}state/", jobs.state, name="state"),
    path(f"{_JOB}result.<str:ending>", jobs.result, name="result"),
    path(f"{_JOB}<slug:what>/", jobs.change, name="change"),
    path("query/saved/", saved.index, name="saved"),
    path("query/saved/new/", saved.save, name="save"),
    path(f"{_SAVED}<slug:what>/", saved.change, name="change-saved"),
]
