"""The way an alert goes after decoding, stage by stage. A new stage is a line here."""

from __future__ import annotations

from typing import Any

from lasair_broker import context, lightcurve
from lasair_broker.context import ContextLoader, ContextResources
from lasair_broker.lightcurve import FeatureResources

from ._pipeline import Resource, Stage

__all__ = ["standard_stages"]


class _UpToDate(Resource[ContextResources]):
    """Catalogues as they are when a batch comes: some may have been imported or have vanished meanwhile."""

    def __init__(self, loader: ContextLoader) -> None:
        super().__init__(loader.current())
        self._loader = loader

    def get(self) -> ContextResources:
        return self._loader.current()


def standard_stages(
    features: Resource[FeatureResources] | None = None, catalogues: ContextLoader | None = None
) -> tuple[Stage[Any], ...]:
    """The stages of an ordinary installation, in order: each may use what those above it have added.

    Watchlists, sky maps and catalogue context have their place above the light curve stage, which corrects
    for the extinction and class they find; classification, associations with messengers and users' filters
    have theirs below. Without `catalogues` the context is only the dust of the compact table.
    """
    return (
        Stage("context", context.enrich, _UpToDate(catalogues or ContextLoader())),
        Stage("lightcurve", lightcurve.enrich, features or Resource(FeatureResources())),
    )
