"""Notices of gravitational waves by LIGO, Virgo and KAGRA: `igwn.gwalert`, JSON with the map inside.

The form is that of the LVK's user guide (emfollow.docs.ligo.org/userguide, "Kafka notice via GCN").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lasair_broker.context.events._event import Event, per_year, shortened, whole_notice
from lasair_broker.context.events._fields import real, time
from lasair_broker.context.events._maps import FoundMap, embedded_map
from lasair_broker.context.events.errors import EventError

__all__ = ["is_lvk", "read_lvk"]

_Notice = Mapping[str, Any]

_ORDER = {"EARLYWARNING": 1, "PRELIMINARY": 2, "INITIAL": 3, "UPDATE": 4, "RETRACTION": 5}
"""Notices have no numbers; these kinds follow each other, and time tells several of one kind apart."""

_MOCK = re.compile(r"(MS|TS|M|T)\d{6}")
"""Names of made-up events, which are sent all the time, and of tests."""


def is_lvk(notice: _Notice) -> bool:
    """Whether this is such a notice."""
    return "superevent_id" in notice


def read_lvk(notice: dict[str, Any]) -> Event:
    """The event of a notice.

    Raises
    ------
    EventError
        If it lacks a name or kind, or its map is damaged; the message names the field.
    """
    name = notice["superevent_id"]
    if not isinstance(name, str) or not name.strip():
        raise EventError(f"superevent_id={name!r} is no name")
    told = notice.get("alert_type")
    if told not in _ORDER:
        raise EventError(f"alert_type={told!r} is not known; it may be {', '.join(_ORDER)}")
    event = notice.get("event")
    if event is not None and not isinstance(event, dict):
        raise EventError(f"event={str(event)[:40]!r} is no record")
    event = event or {}
    if not event and told != "RETRACTION":
        raise EventError("event is missing, and it is no retraction")
    found, text = _map(notice, event)
    classes = _shares(event, "classification")
    properties = _shares(event, "properties")
    far = real(event, "far")
    when = time(event, "time")
    urls = notice.get("urls")
    url = urls.get("gracedb") if isinstance(urls, dict) else None
    likely = max(classes, key=lambda key: classes[key]) if classes else event.get("group")
    return Event(
        origin="LVK",
        eventName=shortened(name, "eventName"),
        revision=_ORDER[told],
        alertType=told.lower(),
        kind="gw",
        eventClass=shortened(likely, "eventClass") if isinstance(likely, str) else None,
        role="test" if _MOCK.match(name) or event.get("search") == "MDC" else "observation",
        eventMjdTai=when,
        noticeMjdTai=time(notice, "time_created"),
        falseAlarmRate=None if far is None else per_year(far),
        significant=_truth(event, "significant"),
        distance=found.distance if found else None,
        distanceErr=found.distanceErr if found else None,
        retracted=told == "RETRACTION",
        url=url if isinstance(url, str) and url.startswith(("https://", "http://")) else None,
        relatedEvent=_coincident(notice),
        notice=text,
        found_map=found,
        BNS=classes.get("BNS"),
        NSBH=classes.get("NSBH"),
        BBH=classes.get("BBH"),
        Terrestrial=classes.get("Terrestrial"),
        HasNS=properties.get("HasNS"),
        HasRemnant=properties.get("HasRemnant"),
        HasMassGap=properties.get("HasMassGap"),
    )


def _map(notice: dict[str, Any], event: dict[str, Any]) -> tuple[FoundMap | None, str]:
    """The map, and the notice without the bytes of maps."""
    bare = {name: value for name, value in event.items() if name != "skymap"}
    coincident = notice.get("external_coinc")
    whole = {**notice, "event": bare or None}
    combined = None
    if isinstance(coincident, dict):
        combined = coincident.get("combined_skymap")
        whole["external_coinc"] = {k: v for k, v in coincident.items() if k != "combined_skymap"}
    own = event.get("skymap")
    # The event's own map supposes nothing of what was seen with it.
    given = ("skymap", own) if own is not None else ("combined_skymap", combined)
    return (embedded_map(*given) if given[1] is not None else None), whole_notice(whole)


def _shares(event: _Notice, field: str) -> dict[str, float]:
    given = event.get(field)
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise EventError(f"{field}={str(given)[:40]!r} is no record")
    shares = {name: real(given, name) for name in given}
    return {name: value for name, value in shares.items() if value is not None}


def _truth(event: _Notice, field: str) -> bool | None:
    value = event.get(field)
    return value if isinstance(value, bool) else None


def _coincident(notice: _Notice) -> str | None:
    """What was seen with it: observatory and number of its notice."""
    said = notice.get("external_coinc")
    if not isinstance(said, dict):
        return None
    observatory, number = (said.get(field) or "" for field in ("observatory", "gcn_notice_id"))
    return shortened(f"{observatory} {number}", "eventName") or None
