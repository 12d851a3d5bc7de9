"""The parts of a broker put together: pipeline, lists, filters, archive and, if wanted, delivery."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from prometheus_client.registry import Collector

from lasair_broker.archive import Archive, open_archive
from lasair_broker.context.catalogues import survive_cut_files
from lasair_broker.settings import Settings
from lasair_broker.stream import (
    Metrics,
    NightKeeper,
    Progress,
    Source,
    SubscriptionFile,
    Subscriptions,
    failing_parts,
    operations_served,
    run,
    stop_on_signals,
    warm_up,
)
from lasair_broker.stream.context import ContextMetrics
from lasair_broker.stream.delivery import Deliveries, DeliveryMetrics
from lasair_broker.stream.filters import Budget, FilterStage
from lasair_broker.stream.lists import ListKeeper, ListMatching
from lasair_broker.telemetry import set_up_logging, span, traced

from ._context import context_of, errors, fail, messengers_of, pipeline_of
from ._news import context_keeper, follower_of, maps_of, notices_of
from ._progress import StreamDisplay
from ._serve import serving
from ._user import users_of
from ._watched import tell_of_metrics

__all__ = ["run_stream"]


def run_stream(
    source: Source, settings: Settings, what: str, total: int | None = None, *, deliver: bool = False
) -> Progress:
    """Run the whole pipeline from `source` into the archive, shown live, until it ends or is stopped.

    Parameters
    ----------
    what, total
        What is read, for people, and about how many alerts there will be.
    deliver
        Whether to deliver hits too. With a file of subscriptions there is nobody to deliver to.
    """
    set_up_logging(settings.logging)
    with ExitStack() as stack:
        stack.enter_context(traced(settings.telemetry, "run" if deliver else "ingest"))
        stop = stack.enter_context(stop_on_signals())
        subscriptions, matching = stack.enter_context(_subscriptions(settings))
        archive = stack.enter_context(open_archive(settings.archive))
        if settings.stream.subscriptions is None:
            _claim(archive)
        archive.serve()
        keeper = ListKeeper(subscriptions, archive, matching)
        counted: list[Collector] = []
        tell = None
        if deliver and settings.stream.subscriptions is None:
            deliveries, delivered = stack.enter_context(_delivering(archive, settings))
            tell = deliveries.notify
            counted.append(delivered)
        filters = FilterStage(archive, subscriptions, _budget(settings), on_hits=tell)
        survive_cut_files()
        catalogues = context_of(settings)
        messengers = messengers_of(settings)
        pipeline = pipeline_of(settings, keeper.lists, catalogues, messengers)
        with (
            errors.status("getting the compiled kernels ready (the first time takes a minute or two) …"),
            span("warm_up"),
        ):
            warm_up(pipeline)
        if deliver:
            stack.enter_context(serving(archive, settings))
        follower = follower_of(settings) if deliver else None
        news = context_keeper(archive, settings, catalogues, filters, follower, messengers)
        if deliver and settings.site.port is not None:
            counted += _site_metrics()
        metrics = Metrics(pipeline.times)
        counted += [metrics, filters.metrics, ContextMetrics(news)]
        stack.enter_context(_served(settings, archive, counted))
        stack.enter_context(keeper.running())
        if follower is not None:
            stack.enter_context(follower.running())
        notices = notices_of(settings) if deliver else None
        if notices is not None:
            stack.enter_context(notices.running())
        maps = maps_of(settings) if deliver else None
        if maps is not None:
            stack.enter_context(maps.running())
        stack.callback(filters.report)
        nights = NightKeeper(archive, pipeline.times)
        stack.callback(nights.finish)
        display = stack.enter_context(StreamDisplay(what, total))

        def seen(progress: Progress) -> None:
            display.show(progress)
            nights.seen(progress)

        return run(
            source,
            pipeline,
            archive,
            commit_stages=[keeper, filters, news, nights],
            stop=stop,
            on_progress=seen,
            metrics=metrics,
        )


@contextmanager
def _subscriptions(settings: Settings) -> Iterator[tuple[Subscriptions, ListMatching | None]]:
    """What users ask: of a file if the settings name one, else of the user database."""
    if settings.stream.subscriptions is not None:
        yield SubscriptionFile(settings.stream.subscriptions), None
        return
    users_of(settings.archive.url)
    from lasair_broker.web.list_matching import UserListMatching
    from lasair_broker.web.reports import BackgroundReports
    from lasair_broker.web.subscriptions import UserSubscriptions

    reports = BackgroundReports()
    try:
        yield UserSubscriptions(reports), UserListMatching()
    finally:
        reports.close()


def _claim(archive: Archive) -> None:
    from lasair_broker.web.belonging import ForeignArchive, claim

    try:
        claim(archive)
    except ForeignArchive as error:
        raise fail(
            str(error),
            "Name the database that belongs to it (LASAIR_USER_DATABASE), put users.sqlite3 back from a "
            "back-up, or begin another archive.",
        ) from None


@contextmanager
def _delivering(archive: Archive, settings: Settings) -> Iterator[tuple[Deliveries, DeliveryMetrics]]:
    from lasair_broker.web.delivery.senders import deliveries

    metrics = DeliveryMetrics()
    with deliveries(archive, settings.delivery, metrics) as service:
        yield service, metrics


@contextmanager
def _served(settings: Settings, archive: Archive, collectors: Sequence[Collector]) -> Iterator[None]:
    """The pages of metrics and health, if the settings want them."""
    with operations_served(settings.metrics, collectors, lambda: failing_parts(archive)) as port:
        tell_of_metrics(settings.metrics.address, port)
        yield


def _site_metrics() -> list[Collector]:
    from lasair_broker.web.operations import site_metrics

    return site_metrics()


def _budget(settings: Settings) -> Budget:
    return Budget(settings.stream.filter_seconds, settings.stream.filter_strikes)
