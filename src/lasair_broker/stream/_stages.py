"""The way an alert goes after decoding, stage by stage. A new stage is a line here."""

from __future__ import annotations

from typing import Any

from lasair_broker import lightcurve
from lasair_broker.lightcurve import FeatureResources

from ._pipeline import Resource, Stage

__all__ = ["standard_stages"]


def standard_stages(features: Resource[FeatureResources] | None = None) -> tuple[Stage[Any], ...]:
    """The stages of an ordinary installation, in order: each may use what those above it have added.

    Watchlists, sky maps and catalogue context have their place above the light curve stage, which corrects
    for the extinction and class they find; classification, associations with messengers and users' filters
    have theirs below.
    """
    return (Stage("lightcurve", lightcurve.enrich, features or Resource(FeatureResources())),)
