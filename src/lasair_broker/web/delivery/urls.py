"""Addresses of the pages of deliveries."""

from __future__ import annotations

from django.urls import path

from lasair_broker.web.delivery import views

urlpatterns = [
    path("unsubscribe/<str:token>/", views.unsubscribe, name="unsubscribe"),
    path("filters/<int:filter_id>/hits/", views.hits, name="filter-hits"),
]
