"""Addresses of the pages of one's account."""

from __future__ import annotations

from django.urls import path

from lasair_broker.web.site.account import collaborations, removed, tokens, views

app_name = "account"
urlpatterns = [
    path("", views.index, name="index"),
    path("mails/<int:output_id>/end/", views.no_mails, name="no-mails"),
    path("delete/", views.delete, name="delete"),
    path("removed/", removed.index, name="removed"),
    path("removed/<slug:kind>/<int:number>/restore/", removed.restore, name="restore"),
    path("tokens/", tokens.index, name="tokens"),
    path("tokens/<int:token_id>/rotate/", tokens.rotate, name="rotate-token"),
    path("tokens/<int:token_id>/end/", tokens.end, name="end-token"),
    path("collaborations/", collaborations.index, name="collaborations"),
    path("collaborations/<slug:slug>/", collaborations.one, name="collaboration"),
    path("collaborations/<slug:slug>/members/", collaborations.admit, name="admit"),
    path("collaborations/<slug:slug>/members/<str:username>/", collaborations.change, name="member"),
]
