"""The addresses of the pages, an area each."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("lasair_broker.web.site.front.urls")),
    path("account/", include("lasair_broker.web.site.account.urls")),
    path("", include("lasair_broker.web.site.about.urls")),
    path("", include("lasair_broker.web.site.objects.urls")),
    path("", include("lasair_broker.web.site.filters.urls")),
    path("", include("lasair_broker.web.site.query.urls")),
    path("", include("lasair_broker.web.site.lists.urls")),
    path("", include("lasair_broker.web.site.sky.urls")),
    path("", include("lasair_broker.web.site.messengers.urls")),
]
