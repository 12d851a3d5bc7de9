"""Addresses of the front page."""

from __future__ import annotations

from django.urls import path

from lasair_broker.web.site.front import views

app_name = "front"
urlpatterns = [
    path("", views.front, name="front"),
]
