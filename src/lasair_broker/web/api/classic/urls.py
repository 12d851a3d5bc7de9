"""Today's addresses, and those that were retired."""

from __future__ import annotations

from django.urls import path

from lasair_broker.web.api.classic import annotating, retired, views

urlpatterns = [
    path("cone/", views.ConeView.as_view()),
    path("query/", views.QueryView.as_view()),
    path("object/", views.ObjectView.as_view()),
    path("sherlock/object/", views.SherlockObjectView.as_view()),
    path("sherlock/position/", views.SherlockPositionView.as_view()),
    path("annotate/", annotating.AnnotateView.as_view()),
    path("annotatelist/", annotating.AnnotateListView.as_view()),
    path("auth-token/", views.AuthTokenView.as_view()),
    path("objects/", retired.ObjectsView.as_view()),
    path("lightcurves/", retired.LightCurvesView.as_view()),
    path("sherlock/objects/", retired.SherlockObjectsView.as_view()),
    path("streams/", retired.StreamsView.as_view()),
    path("streams/<str:topic>/", retired.StreamView.as_view()),
]
