"""Addresses of the front page and of the search."""

from __future__ import annotations

from django.urls import path

from lasair_broker.web.site.front import search, views

app_name = "front"
urlpatterns = [
    path("", views.front, name="front"),
    path("sky/new.json", views.sky, name="sky"),
    path("sky/hits/", views.hits, name="hits"),
    path("search/", search.search, name="search"),
    path("search/suggestions.json", search.suggest, name="suggest"),
]
