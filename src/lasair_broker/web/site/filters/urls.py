"""Addresses of the pages of filters."""

from __future__ import annotations

from django.urls import path

from lasair_broker.web.site.filters import actions, files, index, outputs, pages, results, send_again, writing

app_name = "filters"
_FILTER = "filters/<int:filter_id>/"
_OUTPUT = f"{_FILTER}outputs/<int:output_id>/"

urlpatterns = [
    path("filters/", index.index, name="index"),
    path("filters/gallery/", index.gallery, name="gallery"),
    path("filters/saved/", index.kept, name="kept"),
    path("filters/new/", writing.new, name="new"),
    path("filters/export/", files.export, name="export"),
    path("filters/import/", files.bring, name="import"),
    path("filters/try/", writing.trial, name="try"),
    path(_FILTER, pages.page, name="filter"),
    path(f"{_FILTER}edit/", writing.edit, name="edit"),
    path(f"{_FILTER}results/", results.results, name="results"),
    path(f"{_FILTER}health/", pages.health, name="health"),
    path(f"{_FILTER}versions/", pages.versions, name="versions"),
    path(f"{_FILTER}why/", pages.why, name="why"),
    path(f"{_FILTER}outputs/", outputs.outputs, name="outputs"),
    path(f"{_FILTER}outputs/add/", outputs.add, name="add-output"),
    path(f"{_OUTPUT}log/", outputs.log, name="log"),
    path(f"{_OUTPUT}send-again/", send_again.ask, name="send-again"),
    path(f"{_OUTPUT}send-again/<int:wish_id>/stop/", send_again.stop, name="stop-sending-again"),
    path(f"{_OUTPUT}<slug:what>/", outputs.change, name="change-output"),
    path(f"{_FILTER}<slug:what>/", actions.change, name="change"),
]
