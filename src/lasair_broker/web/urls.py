"""The site's addresses."""

from __future__ import annotations

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

from lasair_broker.web.api.cutouts import fits_as_today
from lasair_broker.web.health import live, ready
from lasair_broker.web.site.favicon import favicon

# Staff log in as everybody does, with a second factor if they have one.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/", include("lasair_broker.web.api.classic.urls")),
    path("api/v1/", include("lasair_broker.web.api.v1.urls")),
    path("fits/<int:diaSourceId>_cutout<str:which>/", fits_as_today),
    path("health/live", live),
    path("health/ready", ready),
    path("favicon.svg", favicon, name="favicon"),
    path("accounts/", include("allauth.urls")),
    path("", include("lasair_broker.web.delivery.urls")),
    path("", include("lasair_broker.web.site.urls")),
]

handler400 = "lasair_broker.web.site.faults.bad_request"
handler403 = "lasair_broker.web.site.faults.forbidden"
handler404 = "lasair_broker.web.site.faults.not_found"
handler500 = "lasair_broker.web.site.faults.broken"
