"""News of the sky for the objects of an archive: beside the stream, or while there is none."""

from __future__ import annotations

from lasair_broker.archive import Archive, ArchiveLockedError
from lasair_broker.context import ContextLoader, TnsBot
from lasair_broker.context.events import MapSource
from lasair_broker.settings import Settings
from lasair_broker.stream import Pipeline, Resource, renewal_stages
from lasair_broker.stream.context import (
    CatalogueChore,
    Chore,
    ContextKeeper,
    EventChore,
    Renewal,
    TnsChore,
    TnsFollower,
)
from lasair_broker.stream.filters import FilterStage
from lasair_broker.stream.messengers import MapFetcher, MessengerChore, MessengerLoader, NoticeFollower
from lasair_broker.telemetry import set_up_logging

from ._context import console, context_of, features_of, messengers_of, opened, schemas_of
from ._progress import work

__all__ = ["bring_up_to_date", "context_keeper", "follower_of", "maps_of", "notices_of", "tns_bot_of"]


def tns_bot_of(settings: Settings) -> TnsBot | None:
    """The bot of an installation; None if it has none."""
    tns = settings.tns
    return None if tns.bot_id is None else TnsBot(tns.bot_id, tns.bot_name, tns.api_key.get_secret_value())


def follower_of(settings: Settings) -> TnsFollower | None:
    """Who fetches the lists of TNS; None without a bot."""
    bot = tns_bot_of(settings)
    if bot is None or not settings.tns.every:
        return None
    return TnsFollower(settings.context.catalogues, settings.tns.url, bot, 60.0 * settings.tns.every)


def context_keeper(
    store: Archive,
    settings: Settings,
    loader: ContextLoader,
    filters: FilterStage | None = None,
    follower: TnsFollower | None = None,
    messengers: MessengerLoader | None = None,
) -> ContextKeeper:
    """What carries news to the objects of an archive; `filters` are told of them, and what `follower` does is
    noted there."""
    stages = renewal_stages(Resource(features_of(settings)), loader)
    pipeline = Pipeline(schemas_of(settings), stages, poison_limit=settings.stream.poison_limit)
    renewal = Renewal(store, pipeline, filters)
    folder = settings.context.catalogues
    chores: list[Chore] = [
        MessengerChore(store, messengers or messengers_of(settings), filters),
        EventChore(store, folder, filters),
        TnsChore(store, folder, loader, renewal),
        CatalogueChore(store, loader, renewal),
    ]
    return ContextKeeper(store, chores, loader, follower=follower)


def notices_of(settings: Settings) -> NoticeFollower | None:
    """Who takes in notices as they are announced; None if the settings name no topics."""
    wanted = settings.messengers
    if not wanted.topics:
        return None
    return NoticeFollower(settings.context.catalogues, wanted.librdkafka(), wanted.topics, tests=wanted.tests)


def maps_of(settings: Settings) -> MapFetcher | None:
    """Who fetches maps that notices only name; None if the settings allow no host."""
    wanted = settings.messengers
    if not wanted.map_hosts:
        return None
    source = MapSource(wanted.map_hosts, wanted.map_megabytes * 1_000_000, wanted.map_seconds)
    return MapFetcher(settings.context.catalogues, source)


def bring_up_to_date(archive: str | None, settings: Settings) -> None:
    """Carry all news there are to the objects of an archive; where a stream has it open, that does so.

    Raises
    ------
    Exit
        If there is no such archive.
    """
    set_up_logging(settings.logging)
    try:
        with opened(archive) as store:
            keeper = context_keeper(store, settings, context_of(settings))
            if keeper.busy:
                with work("bringing the archive up to date") as progress:
                    keeper.finish(
                        lambda name, done, of: progress(f"{name}: {done:,} of {of:,}", done / max(of, 1))
                    )
    except ArchiveLockedError:
        console.print("the archive is open in a stream, which gives it the news within seconds")
    else:
        console.print("the archive is up to date")
