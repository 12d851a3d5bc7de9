"""Addresses of the versioned API."""

from __future__ import annotations

from django.urls import path, re_path, register_converter
from django.urls.converters import IntConverter, StringConverter
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from lasair_broker.web.api.v1 import (
    annotators,
    comments,
    destinations,
    filter_files,
    filter_runs,
    filter_trials,
    filters,
    general,
    jobs,
    messengers,
    objects,
    photometry,
    query,
    query_forms,
    removed,
    saved_queries,
    search,
    sky,
    streams,
    tags,
    transfers,
    watchlists,
    watchmaps,
)


class IdConverter(IntConverter):
    """Numbers that a database can look for."""

    regex = "[0-9]{1,9}"


class NameConverter(StringConverter):
    """Texts that a database can look for."""

    regex = r"[^/\x00]{1,255}"


register_converter(IdConverter, "id")
register_converter(NameConverter, "name")

_FILTER = "filters/<id:filter_id>/"
_OUTPUT = f"{_FILTER}outputs/<id:output_id>/"
_LIST = "watchlists/<id:list_id>/"
_MAP = "watchmaps/<id:map_id>/"
_COMMENT = "comments/<id:comment_id>/"
_PHOTOMETRY = "photometry/<id:set_id>/"
_TOPIC = "annotators/<name:topic>/"

urlpatterns = [
    path("objects/", objects.ObjectsView.as_view()),
    path("objects/<name:key>/", objects.ObjectView.as_view()),
    path("objects/<name:key>/lightcurve/", objects.LightCurveView.as_view()),
    path("objects/<name:key>/comments/", comments.ObjectCommentsView.as_view()),
    path("objects/<name:key>/photometry/", photometry.ObjectPhotometryView.as_view()),
    path("objects/<name:key>/send/", destinations.SendView.as_view()),
    path("objects/<name:key>/photometry/fetch/", transfers.FetchView.as_view()),
    path("objects/<name:key>/finding-chart.<name:ending>", objects.FindingChartView.as_view()),
    path("objects/<name:key>/<name:name>/", objects.ObjectTableView.as_view()),
    path("lightcurves/", objects.LightCurvesView.as_view()),
    path("stream/objects/", streams.NewObjectsView.as_view()),
    path("cone/", objects.ConeView.as_view()),
    path("search/", search.SearchView.as_view()),
    path("cutouts/<int:diaSourceId>/<name:which>.<name:ending>", objects.CutoutView.as_view()),
    path("context/", objects.ContextView.as_view()),
    path("catalogues/", sky.CataloguesView.as_view()),
    path("catalogues/<name:name>/", sky.CatalogueView.as_view()),
    path("events/", sky.EventsView.as_view()),
    path("events/<id:mw_id>/hits/", sky.EventHitsView.as_view()),
    path("tns/<name:name>/", objects.TransientView.as_view()),
    path("messengers/notices/", messengers.NoticesView.as_view()),
    path("messengers/<name:origin>/<name:event>/candidates/", messengers.CandidatesView.as_view()),
    path("comments/", comments.CommentsView.as_view()),
    path(_COMMENT, comments.CommentView.as_view()),
    path(f"{_COMMENT}restore/", comments.CommentRestoreView.as_view()),
    path(f"{_COMMENT}share/", comments.CommentShareView.as_view()),
    path("photometry/", photometry.PhotometrySetsView.as_view()),
    path("photometry/services/", transfers.ServicesView.as_view()),
    path(_PHOTOMETRY, photometry.PhotometrySetView.as_view()),
    path(f"{_PHOTOMETRY}points/", photometry.PhotometryPointsView.as_view()),
    path(f"{_PHOTOMETRY}restore/", photometry.PhotometryRestoreView.as_view()),
    path(f"{_PHOTOMETRY}share/", photometry.PhotometryShareView.as_view()),
    path("query/", query.QueryView.as_view()),
    path("query/check/", query.QueryCheckView.as_view()),
    path("query/form/", query_forms.FormView.as_view()),
    path("jobs/", jobs.JobsView.as_view()),
    path("jobs/replay/", filter_trials.ReplayJobView.as_view()),
    path("jobs/<id:job_id>/", jobs.JobView.as_view()),
    path("jobs/<id:job_id>/cancel/", jobs.CancelView.as_view()),
    path("jobs/<id:job_id>/rows/", jobs.JobRowsView.as_view()),
    path("jobs/<id:job_id>/result/", jobs.ResultView.as_view()),
    path("queries/", saved_queries.SavedQueriesView.as_view()),
    path("queries/<id:query_id>/", saved_queries.SavedQueryView.as_view()),
    path("queries/<id:query_id>/share/", saved_queries.SavedQueryShareView.as_view()),
    path("removed/", removed.RemovedView.as_view()),
    path("removed/<name:kind>/<id:number>/restore/", removed.RemovedRestoreView.as_view()),
    path("tags/", tags.TagsView.as_view()),
    path("tags/<id:tag_id>/", tags.TagView.as_view()),
    path("destinations/", destinations.DestinationsView.as_view()),
    path("destinations/<id:destination_id>/", destinations.DestinationView.as_view()),
    path("destinations/<id:destination_id>/test/", destinations.DestinationTestView.as_view()),
    path("transfers/", transfers.TransfersView.as_view()),
    path("transfers/<id:transfer_id>/", transfers.TransferView.as_view()),
    path("transfers/<id:transfer_id>/cancel/", transfers.TransferCancelView.as_view()),
    path("filters/", filters.FiltersView.as_view()),
    path("filters/check/", filter_trials.CheckView.as_view()),
    path("filters/try/", filter_trials.TryView.as_view()),
    path("filters/export/", filter_files.FilterExportView.as_view()),
    path("filters/import/", filter_files.FilterImportView.as_view()),
    path(_FILTER, filters.FilterView.as_view()),
    path(f"{_FILTER}restore/", filters.RestoreFilterView.as_view()),
    path(f"{_FILTER}versions/", filters.VersionsView.as_view()),
    path(f"{_FILTER}versions/<id:version>/preview/", filter_runs.PreviewView.as_view()),
    path(f"{_FILTER}versions/<id:version>/activate/", filters.ActivateView.as_view()),
    path(f"{_FILTER}versions/<id:version>/roll-back/", filters.RollBackView.as_view()),
    path(f"{_FILTER}deactivate/", filters.DeactivateView.as_view()),
    path(f"{_FILTER}diff/", filters.DifferenceView.as_view()),
    path(f"{_FILTER}fork/", filters.ForkView.as_view()),
    path(f"{_FILTER}star/", filters.StarView.as_view()),
    path(f"{_FILTER}share/", filters.FilterShareView.as_view()),
    path(f"{_FILTER}why/", filter_runs.WhyView.as_view()),
    path(f"{_FILTER}health/", filter_runs.HealthView.as_view()),
    path(f"{_FILTER}hits/", filter_runs.HitsView.as_view()),
    path(f"{_FILTER}hits/events/", filter_runs.HitEventsView.as_view()),
    path(f"{_FILTER}redeliver/", filter_runs.RedeliverView.as_view()),
    path(f"{_FILTER}outputs/", filter_runs.OutputsView.as_view()),
    path(_OUTPUT, filter_runs.OutputView.as_view()),
    path(f"{_OUTPUT}test/", filter_runs.OutputTestView.as_view()),
    path(f"{_OUTPUT}secret/", filter_runs.OutputSecretView.as_view()),
    path(f"{_OUTPUT}deliveries/", filter_runs.DeliveriesView.as_view()),
    path("watchlists/", watchlists.WatchlistsView.as_view()),
    path(_LIST, watchlists.WatchlistView.as_view()),
    path(f"{_LIST}upload/", watchlists.UploadView.as_view()),
    path(f"{_LIST}rows/", watchlists.RowsView.as_view()),
    path(f"{_LIST}rows/<id:cone_id>/", watchlists.RowView.as_view()),
    path(f"{_LIST}versions/", watchlists.WatchlistVersionsView.as_view()),
    path(f"{_LIST}versions/<id:version>/restore/", watchlists.RestoreView.as_view()),
    path(f"{_LIST}share/", watchlists.WatchlistShareView.as_view()),
    path(f"{_LIST}copy/", watchlists.WatchlistCopyView.as_view()),
    path(f"{_LIST}hits/", watchlists.WatchlistHitsView.as_view()),
    path(f"{_LIST}triggers/", watchlists.TriggersView.as_view()),
    path(f"{_LIST}triggers/<id:trigger_id>/", watchlists.TriggerView.as_view()),
    path("watchmaps/", watchmaps.WatchmapsView.as_view()),
    path(_MAP, watchmaps.WatchmapView.as_view()),
    path(f"{_MAP}moc/", watchmaps.MocView.as_view()),
    path(f"{_MAP}share/", watchmaps.WatchmapShareView.as_view()),
    path(f"{_MAP}copy/", watchmaps.WatchmapCopyView.as_view()),
    path(f"{_MAP}hits/", watchmaps.WatchmapHitsView.as_view()),
    path("annotators/", annotators.AnnotatorsView.as_view()),
    path(_TOPIC, annotators.AnnotatorView.as_view()),
    path(f"{_TOPIC}writers/", annotators.WritersView.as_view()),
    path(f"{_TOPIC}share/", annotators.AnnotatorShareView.as_view()),
    path(f"{_TOPIC}annotations/", annotators.AnnotationsView.as_view()),
    path("collaborations/", general.CollaborationsView.as_view()),
    path("collaborations/<name:slug>/members/", general.MembersView.as_view()),
    path("collaborations/<name:slug>/members/<name:username>/", general.MemberView.as_view()),
    path("tables/", general.TablesView.as_view()),
    path("tables/<name:name>/", general.TableView.as_view()),
    path("status/", general.StatusView.as_view()),
    path("account/", general.AccountView.as_view()),
    path("tokens/", general.TokensView.as_view()),
    path("tokens/<id:token_id>/", general.TokenView.as_view()),
    path("tokens/<id:token_id>/rotate/", general.RotateView.as_view()),
    path("schema/", SpectacularAPIView.as_view(), name="openapi"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="openapi"), name="swagger"),
    re_path("", general.NothingView.as_view()),
]
