"""Addresses of the pages of watchlists, watchmaps and annotators."""

from __future__ import annotations

from django.urls import path

from lasair_broker.web.api.v1 import urls as _  # noqa: F401  # which registers `id` and `name`
from lasair_broker.web.site.lists import annotators, faulty_rows, watchlist_contents, watchlists, watchmaps

app_name = "lists"

_LIST = "watchlists/<id:list_id>/"
_MAP = "watchmaps/<id:map_id>/"
_TOPIC = "annotators/<name:topic>/"

urlpatterns = [
    path("watchlists/", watchlists.index, name="watchlists"),
    path("watchlists/new/", watchlist_contents.new, name="new-watchlist"),
    path("watchlists/faulty-rows/", faulty_rows.faulty_rows, name="faulty-rows"),
    path(_LIST, watchlists.page, name="watchlist"),
    path(f"{_LIST}edit/", watchlists.edit, name="edit-watchlist"),
    path(f"{_LIST}active/", watchlists.set_active, name="activate-watchlist"),
    path(f"{_LIST}share/", watchlists.share, name="share-watchlist"),
    path(f"{_LIST}copy/", watchlists.copy, name="copy-watchlist"),
    path(f"{_LIST}delete/", watchlists.delete, name="delete-watchlist"),
    path(f"{_LIST}versions/<id:version>/restore/", watchlists.restore, name="restore-version"),
    path(f"{_LIST}upload/", watchlist_contents.upload, name="upload"),
    path(f"{_LIST}rows/new/", watchlist_contents.row, name="new-row"),
    path(f"{_LIST}rows/<id:cone_id>/", watchlist_contents.row, name="row"),
    path(f"{_LIST}rows/<id:cone_id>/delete/", watchlist_contents.delete_row, name="delete-row"),
    path(f"{_LIST}rows/<id:cone_id>/restore/", watchlist_contents.restore_row, name="restore-row"),
    path(f"{_LIST}triggers/new/", watchlist_contents.trigger, name="new-trigger"),
    path(f"{_LIST}triggers/<id:trigger_id>/", watchlist_contents.trigger, name="trigger"),
    path(
        f"{_LIST}triggers/<id:trigger_id>/delete/", watchlist_contents.delete_trigger, name="delete-trigger"
    ),
    path("watchmaps/", watchmaps.index, name="watchmaps"),
    path("watchmaps/new/", watchmaps.new, name="new-watchmap"),
    path("watchmaps/preview/", watchmaps.preview, name="preview-watchmap"),
    path(_MAP, watchmaps.page, name="watchmap"),
    path(f"{_MAP}edit/", watchmaps.edit, name="edit-watchmap"),
    path(f"{_MAP}replace/", watchmaps.replace, name="replace-watchmap"),
    path(f"{_MAP}active/", watchmaps.set_active, name="activate-watchmap"),
    path(f"{_MAP}share/", watchmaps.share, name="share-watchmap"),
    path(f"{_MAP}copy/", watchmaps.copy, name="copy-watchmap"),
    path(f"{_MAP}delete/", watchmaps.delete, name="delete-watchmap"),
    path("annotators/", annotators.index, name="annotators"),
    path("annotators/new/", annotators.new, name="new-annotator"),
    path(_TOPIC, annotators.page, name="annotator"),
    path(f"{_TOPIC}edit/", annotators.edit, name="edit-annotator"),
    path(f"{_TOPIC}writers/", annotators.writers, name="writers"),
    path(f"{_TOPIC}share/", annotators.share, name="share-annotator"),
    path(f"{_TOPIC}delete/", annotators.delete, name="delete-annotator"),
]
