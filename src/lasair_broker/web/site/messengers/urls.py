"""Addresses of the pages of messengers."""

from __future__ import annotations

from django.urls import path

from lasair_broker.web.api.v1 import urls as _  # noqa: F401  # which registers `name`
from lasair_broker.web.site.messengers import files, views

app_name = "messengers"

urlpatterns = [
    path("messengers/", views.index, name="index"),
    path("messengers/<name:origin>/<name:event>/", views.page, name="event"),
    path("messengers/<name:origin>/<name:event>/coverage/", views.covered, name="coverage"),
    path("messengers/<name:origin>/<name:event>/watchmap/", views.watchmap, name="watchmap"),
    path("messengers/<name:origin>/<name:event>/map.fits", files.skymap, name="map"),
    path("messengers/<name:origin>/<name:event>/region-<int:level>.fits", files.region, name="region"),
    path("messengers/<name:origin>/<name:event>/candidates.csv", files.table, name="csv"),
    path("messengers/<name:origin>/<name:event>/candidates.json", files.notice, name="json"),
]
