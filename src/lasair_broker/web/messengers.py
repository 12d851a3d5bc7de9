"""Events of messengers for views and the API: their maps, their candidates, and both in the forms that other
tools read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from astropy.time import Time
from django.contrib.auth.models import AnonymousUser

from lasair_broker.context.events import EventError, EventFile, read_map, read_notice, take_in
from lasair_broker.messengers import drawn_region
from lasair_broker.query import parse
from lasair_broker.settings import load
from lasair_broker.sky import SkyMap
from lasair_broker.web.accounts.models import User
from lasair_broker.web.archive import ask
from lasair_broker.web.catalogue import catalogue_for
from lasair_broker.web.errors import Invalid, NotAllowed, NotFound

__all__ = [
    "CANDIDATES",
    "candidates",
    "event_of",
    "map_of",
    "notice_of",
    "take_notice",
    "versions_of",
]

Viewer = User | AnonymousUser | None

CANDIDATES = "mma_hits JOIN objects ON mma_hits.diaObjectId = objects.diaObjectId"
"""Where candidates are, in our query language."""

_COLUMNS = (
    "objects.objectName, objects.ra, objects.decl, mma_hits.diaObjectId, mma_hits.tier, mma_hits.state, "
    "mma_hits.contour, mma_hits.contour3, mma_hits.firstDays, mma_hits.seenBefore, mma_hits.distanceSigma, "
    "mma_hits.classFactor, mma_hits.photometricFactor, mma_hits.logBayesFactor, "
    "mma_hits.expectedBackground, mma_hits.chanceProbability, mma_hits.eventVersion"
)


def event_of(viewer: Viewer, origin: str, name: str) -> dict[str, Any]:
    """A row of `external_events`.

    Raises
    ------
    NotFound
        If there is no such event.
    """
    text = f"SELECT * FROM external_events WHERE origin = {_quoted(origin)} AND eventName = {_quoted(name)}"  # noqa: S608 - our own language, which is parsed
    found = _rows(viewer, text, 1).to_pylist()
    if not found:
        raise NotFound(f"there is no event {name[:60]} of {origin[:60]}")
    return dict(found[0])


def versions_of(viewer: Viewer, event: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The notices of an event, the newest first."""
    text = (
        "SELECT version, alertType, noticeMjdTai, arrivedMjdTai, eventClass, area50, area90, distance, "  # noqa: S608 - our own language, which is parsed
        "distanceErr, falseAlarmRate, skymap, skymapUrl FROM event_versions "
        f"WHERE origin = {_quoted(event['origin'])} "
        f"AND eventName = {_quoted(event['eventName'])} ORDER BY version DESC"
    )
    return [dict(row) for row in _rows(viewer, text, 100).to_pylist()]


def candidates(viewer: Viewer, event: Mapping[str, Any], limit: int | None = None) -> pa.Table:
    """Objects that may be counterparts, the best first."""
    text = (
        f"SELECT {_COLUMNS} FROM {CANDIDATES} WHERE mma_hits.mw_id = {int(event['mw_id'])} "  # noqa: S608 - our own language, which is parsed
        "ORDER BY mma_hits.chanceProbability, mma_hits.logBayesFactor DESC"
    )
    return _rows(viewer, text, limit)


def map_of(event: Mapping[str, Any]) -> SkyMap | None:
    """The newest map of an event; None if it has none, or it is not here."""
    if event["skymap"]:
        try:
            return _kept(load().context.catalogues, event["skymap"])
        except EventError:
            return None
    if event["errorRadius"] is None or event["ra"] is None:
        return None
    return drawn_region(event)


def notice_of(viewer: Viewer, event: Mapping[str, Any], limit: int = 500) -> dict[str, Any]:
    """An event and its candidates in the form of a notice of NASA's GCN with targets (its core schema and
    that of notices of brokers), which follow-up tools read."""
    rows = candidates(viewer, event, limit).to_pylist()
    reference = {"ref_type": _REFERENCE.get(event["kind"], event["kind"]), "ref_instrument": event["origin"],
                 "ref_ID": event["eventName"]}  # fmt: skip
    return {
        "$schema": "https://gcn.nasa.gov/schema/main/gcn/notices/core/Alert.schema.json",
        "mission": "Lasair",
        "alert_datetime": _iso(event["arrivedMjdTai"]),
        "event_name": event["eventName"],
        "trigger_time": _iso(event["eventMjdTai"]),
        "alert_type": "retraction" if event["retracted"] else "update",
        "data": {
            "targets": [
                {
                    "event_name": row["objectName"],
                    "ra": row["ra"],
                    "dec": row["decl"],
                    "gcn_crossmatch": [reference],
                    "lasair": {
                        name: row[name]
                        for name in (
                            "diaObjectId", "tier", "state", "contour", "contour3", "firstDays",
                            "chanceProbability", "logBayesFactor",
                        )
                    },
                }
                for row in rows
            ]
        },
    }  # fmt: skip


def take_notice(user: User, content: bytes) -> dict[str, Any]:
    """Take in a notice. Tests are left out unless the settings want them.

    Raises
    ------
    NotAllowed
        If the user is no operator.
    Invalid
        If the notice cannot be read.
    """
    if not user.is_staff:
        raise NotAllowed("only operators take in notices")
    settings = load()
    try:
        found = read_notice(content)
        rows = found.rows
        if not settings.messengers.tests:
            rows = rows.filter(pc.equal(rows["role"], "observation"))
        report = take_in(settings.context.catalogues, [EventFile(rows, maps=found.maps)])
    except EventError as error:
        raise Invalid({"notice": str(error)}) from None
    return {"new": report.new, "changed": report.changed, "problems": list(found.problems)}


_REFERENCE = {"gw": "GW", "neutrino": "Neutrino", "grb": "GRB", "frb": "FRB"}


@lru_cache(maxsize=16)
def _kept(folder: Path, name: str) -> SkyMap:
    return read_map(folder, name)


def _rows(viewer: Viewer, text: str, limit: int | None) -> pa.Table:
    return ask(viewer, parse(text, catalogue_for(viewer)), limit=limit)[0]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _iso(mjd_tai: float | None) -> str | None:
    if mjd_tai is None:
        return None
    return str(Time(mjd_tai, format="mjd", scale="tai").utc.isot) + "Z"
