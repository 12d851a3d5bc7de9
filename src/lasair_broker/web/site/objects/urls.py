"""Addresses of the pages of objects."""

from __future__ import annotations

from django.urls import path, register_converter

from lasair_broker.web.api.v1.urls import NameConverter
from lasair_broker.web.site.objects import (
    actions,
    data,
    fetching,
    notebook,
    pages,
    panels,
    pictures,
    sending,
    solar_system,
    tagging,
)

register_converter(NameConverter, "object")

app_name = "objects"
_OBJECT = "objects/<object:key>/"
_PICTURE = "objects/<object:key>/pictures/"

urlpatterns = [
    path("object/<object:key>/", pages.moved),
    path("objects/density/properties", pictures.density_properties, name="density"),
    path("objects/density/Moc.fits", pictures.density_coverage),
    path("objects/density/Norder3/Allsky.png", pictures.density_allsky),
    path("objects/density/Norder<int:order>/Dir<int:folder>/Npix<int:cell>.png", pictures.density_tile),
    path("objects/detections/<int:diaSourceId>/<str:which>.png", pictures.cutout, name="cutout"),
    path("objects/detections/<int:diaSourceId>/packet.<str:ending>", data.packet, name="packet"),
    path(_OBJECT, pages.page, name="object"),
    path(f"{_OBJECT}data/light-curve.json", data.light_curve, name="light-curve"),
    path(f"{_OBJECT}data/periods.json", data.periods, name="periods"),
    path(f"{_OBJECT}data/features.csv", data.features, name="features"),
    path(f"{_OBJECT}data/<str:name>.<str:ending>", data.download, name="download"),
    path(f"{_PICTURE}colour.png", pictures.colour, name="colour"),
    path(f"{_PICTURE}chart.svg", pictures.chart, name="chart"),
    path(f"{_OBJECT}finding-chart.<str:ending>", pictures.finding, name="finding-chart"),
    path(f"{_OBJECT}panels/<slug:name>/", panels.show, name="panel"),
    path(f"{_OBJECT}filters/<int:filter_id>/why/", panels.why, name="why"),
    path(f"{_OBJECT}notebook.ipynb", notebook.notebook, name="notebook"),
    path(f"{_OBJECT}follow/", actions.follow, name="follow"),
    path(f"{_OBJECT}tags/", tagging.tag, name="tag"),
    path(f"{_OBJECT}tags/<int:tag_id>/drop/", tagging.drop, name="drop-tag"),
    path(f"{_OBJECT}comments/", actions.comment, name="comment"),
    path(f"{_OBJECT}comments/<int:comment_id>/<slug:what>/", actions.change_comment, name="change-comment"),
    path(f"{_OBJECT}points/", actions.points, name="points"),
    path(f"{_OBJECT}points/<int:set_id>/<slug:what>/", actions.change_points, name="change-points"),
    path(f"{_OBJECT}fetch/", fetching.fetch, name="fetch"),
    path(f"{_OBJECT}watch/<slug:name>/", fetching.watch, name="watch"),
    path(f"{_OBJECT}send/", sending.send, name="send"),
    path(f"{_OBJECT}destinations/", sending.add, name="destinations"),
    path(
        f"{_OBJECT}destinations/<int:destination_id>/<slug:what>/",
        sending.change,
        name="change-destination",
    ),
    path(f"{_OBJECT}transfers/<int:transfer_id>/cancel/", fetching.cancel, name="cancel-transfer"),
    path("ssobjects/<object:key>/", solar_system.page, name="ss-object"),
]
