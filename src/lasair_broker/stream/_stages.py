"""The way an alert goes after decoding, stage by stage. A new stage is a line here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lasair_broker import classify, context, lightcurve
from lasair_broker.classify import Classifiers
from lasair_broker.context import ContextLoader, ContextResources
from lasair_broker.context.events import EventIndex, EventLoader, match_events
from lasair_broker.lightcurve import FeatureResources

from ._known import KnownLightCurves, unite_with_known
from ._partners import KnownObjects, match_partners
from ._pipeline import Resource, Stage
from .messengers import LoadedEvents, MessengerLoader, match_messengers

__all__ = ["renewal_stages", "standard_stages"]


class _UpToDate(Resource[ContextResources]):
    """Catalogues as they are when a batch comes: some may have been imported or have vanished meanwhile."""

    def __init__(self, loader: ContextLoader) -> None:
        super().__init__(loader.current())
        self._loader = loader

    def get(self) -> ContextResources:
        return self._loader.current()


class _Announced(Resource[EventIndex | None]):
    """Events as they are when a batch comes."""

    def __init__(self, loader: EventLoader) -> None:
        super().__init__(loader.current())
        self._loader = loader

    def get(self) -> EventIndex | None:
        return self._loader.current()


class _Messengers(Resource[LoadedEvents | None]):
    """Messengers' events as they are when a batch comes."""

    def __init__(self, loader: MessengerLoader) -> None:
        super().__init__(None)
        self._loader = loader

    def get(self) -> LoadedEvents | None:
        return self._loader.current()


def renewal_stages(features: Resource[FeatureResources], catalogues: ContextLoader) -> tuple[Stage[Any], ...]:
    """The stages to which a stored object is sent when something else is known at its place: those that say
    what is known there, and those whose results follow from that."""
    return (
        Stage("known", unite_with_known, Resource(KnownLightCurves())),
        Stage("context", context.enrich, _UpToDate(catalogues)),
        Stage("lightcurve", lightcurve.enrich, features),
        Stage("movers", context.flag_movers, Resource(None)),
    )


def standard_stages(
    features: Resource[FeatureResources] | None = None,
    catalogues: ContextLoader | None = None,
    matching: Sequence[Stage[Any]] = (),
    events: EventLoader | None = None,
    classifiers: Classifiers | None = None,
    messengers: MessengerLoader | None = None,
) -> tuple[Stage[Any], ...]:
    """The stages of an ordinary installation, in order: each may use what those above it have added.

    First what packets do not tell of the past is added. Watchlists and maps (`matching`) and catalogue
    context have their place above the light curve stage, which corrects for the extinction and class they
    find; classification and associations with events and with objects of other surveys, which tell of the
    brightness, have theirs below. Without `catalogues` the context
    is only the dust of the compact table; without `classifiers` there are no class probabilities.
    """
    return (
        Stage("known", unite_with_known, Resource(KnownLightCurves())),
        *matching,
        Stage("context", context.enrich, _UpToDate(catalogues or ContextLoader())),
        Stage("lightcurve", lightcurve.enrich, features or Resource(FeatureResources())),
        Stage("movers", context.flag_movers, Resource(None)),
        Stage("classify", classify.enrich, Resource(classifiers or Classifiers())),
        Stage("messengers", match_messengers, _Messengers(messengers or MessengerLoader())),
        Stage("events", match_events, _Announced(events or EventLoader())),
        Stage("partners", match_partners, Resource(KnownObjects())),
    )
