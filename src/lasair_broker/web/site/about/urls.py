"""Addresses of the pages about Lasair."""

from __future__ import annotations

from django.urls import path

from lasair_broker.web.site.about import distribution, help_pages, now, schema, status

app_name = "about"
urlpatterns = [
    path("schema/", schema.index, name="schema"),
    path("schema/<str:name>/", schema.one, name="table"),
    path("schema/<str:name>/<str:column>/", distribution.show, name="distribution"),
    path("status/", status.status, name="status"),
    path("status/now/", now.show, name="now"),
    path("help/", help_pages.index, name="help"),
    path("help/notebooks/<slug:name>.ipynb", help_pages.notebook, name="notebook"),
    path("help/<slug:name>/", help_pages.one, name="document"),
]
