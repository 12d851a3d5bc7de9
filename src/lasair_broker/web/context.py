"""What is known at places on the sky, for views: the catalogues, rules and dust of the installation."""

from __future__ import annotations

import threading
from functools import cache

import pyarrow as pa

from lasair_broker.context import ContextLoader, classify
from lasair_broker.context.catalogues import CatalogueSet
from lasair_broker.lightcurve import Cosmology
from lasair_broker.settings import load

_lock = threading.Lock()


def context_at(ra: float, decl: float) -> tuple[pa.Table, pa.Table]:
    """What is known at a position (ICRS, degrees): a row of `sherlock_classifications`, and its rows of
    `sherlock_crossmatches`; `diaObjectId` is 0 in them.

    Raises
    ------
    ContextError
        If there are no catalogues.
    """
    with _lock:
        resources = _loader().current()
    return classify([ra], [decl], None, resources)


def catalogues_in_use() -> CatalogueSet:
    """The catalogues as they are now."""
    with _lock:
        found = _catalogues()
        found.refresh()
        return found


@cache
def _catalogues() -> CatalogueSet:
    return CatalogueSet.open(load().context.catalogues)


@cache
def _loader() -> ContextLoader:
    where = load().context
    return ContextLoader(
        where.catalogues, where.rules, where.dust, Cosmology(where.hubble, where.omega_matter)
    )
