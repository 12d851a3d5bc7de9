"""Notices of NASA's General Coordinates Network (GCN), JSON.

The missions share core fields (nasa-gcn/gcn-schema, gcn/notices/core); nothing but these is needed of a
notice, so that a mission may change the rest at will.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lasair_broker.context.events._event import (
    ErrorRegion,
    Event,
    containment_scale,
    error_region,
    per_year,
    shortened,
    whole_notice,
)
from lasair_broker.context.events._fields import real as _real
from lasair_broker.context.events._fields import time as _time
from lasair_broker.context.events._lvk import is_lvk, read_lvk
from lasair_broker.context.events._maps import FoundMap, embedded_map, map_address
from lasair_broker.context.events._missions import Mission, mission_of
from lasair_broker.context.events.errors import EventError
from lasair_broker.sky import separation_arcsec

__all__ = ["read_gcn"]

_Notice = Mapping[str, Any]

_DEFAULT_CONTAINMENT = 0.9
"""What the core schema says of notices that state none."""

_ROLES = {"test": "test", "injection": "test", "commanded": "test", "planned": "test"}


def read_gcn(content: bytes) -> list[Event]:
    """The events of a notice: mostly one, some list several.

    A notice without a position is taken in all the same: a newer one may have it.

    Raises
    ------
    EventError
        If it is no notice, names no event, or has a field that is not what it should be; the message names
        the field.
    """
    try:
        notice = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise EventError(f"it is not JSON: {error}") from None
    if not isinstance(notice, dict):
        raise EventError("it is no notice: a notice is one JSON object")
    if is_lvk(notice):
        return [read_lvk(notice)]
    mission = mission_of(notice)
    found, problem = _map(notice)
    text = whole_notice({k: v for k, v in notice.items() if k != "healpix_file" or found is None})
    return [_event(part, mission, text, found, problem) for part in _parts(notice)]


def _map(notice: _Notice) -> tuple[FoundMap | None, str | None]:
    """The map that the notice carries, or why it cannot be read: the rest of the notice stands without."""
    if notice.get("healpix_file") is None:
        return None, None
    try:
        return embedded_map("healpix_file", notice["healpix_file"]), None
    except EventError as error:
        return None, f"the map is left out: {error}"


def _parts(notice: dict[str, Any]) -> list[dict[str, Any]]:
    """The notice or, if it has no position but lists things that have, each of these with what is said of
    all."""
    if _has_place(notice):
        return [notice]
    listed = [{**notice, **item} for item in _listed(notice, 2)]
    return listed or [notice]


def _listed(value: _Notice, depth: int) -> Iterator[dict[str, Any]]:
    for inner in value.values():
        if isinstance(inner, dict) and depth:
            yield from _listed(inner, depth - 1)
        for item in inner if isinstance(inner, list) else ():
            if isinstance(item, dict):
                place = item.get("localization")
                flat = {**item, **place} if isinstance(place, dict) else item
                if _has_place(flat) and _name(flat) is not None:
                    # Measurements of it may stand in a list beside.
                    others = {name: rows for name, rows in value.items() if isinstance(rows, list)}
                    yield {**others, **flat}


def _has_place(notice: _Notice) -> bool:
    return notice.get("ra") is not None and notice.get("dec") is not None


def _name(notice: _Notice) -> str | None:
    for field in ("id", "event_name", "obs_id", "ref_ID"):
        value = notice.get(field)
        if isinstance(value, list):
            value = value[0] if value else None
        if isinstance(value, str | int) and str(value).strip():
            return shortened(value, "eventName")
    return None


def _event(
    notice: _Notice, mission: Mission, text: str, found: FoundMap | None, problem: str | None
) -> Event:
    name = _name(notice)
    if name is None:
        raise EventError("it names no event: id and event_name are missing")
    kind_of_notice = str(notice.get("alert_type") or "initial")
    far = _real(notice, "far")
    ra, decl = _place(notice)
    region = _region(notice, mission) if ra is not None else None
    event = _first_time(notice, "trigger_time", "observation_start")
    told = _time(notice, "alert_datetime")
    flux, error, unit, band = _brightness(notice, name)
    return Event(
        origin=shortened(mission.origin, "origin"),
        eventName=name,
        revision=_revision(notice),
        kind=mission.kind,
        eventClass=_class(notice),
        regime=mission.regime,
        band=band,
        flux=flux,
        fluxErr=error,
        fluxUnit=unit,
        role=_ROLES.get(str(notice.get("alert_tense")), "observation"),
        eventMjdTai=event if event is not None else told,
        noticeMjdTai=told if told is not None else event,
        ra=ra,
        decl=decl,
        errorRadius=region.major if region else None,
        errorMinor=region.minor if region else None,
        errorAngle=region.angle if region else None,
        distance=_real(notice, "luminosity_distance"),
        distanceErr=_real(notice, "luminosity_distance_error"),
        falseAlarmRate=None if far is None else per_year(far),
        retracted=kind_of_notice == "retraction",
        url=_url(notice),
        notice=text,
        alertType=shortened(kind_of_notice, "kind"),
        relatedEvent=_related(notice),
        skymapUrl=None if found else map_address(notice.get("healpix_url"), notice.get("skymap_fits")),
        found_map=found,
        problem=problem,
    )


def _place(notice: _Notice) -> tuple[float | None, float | None]:
    if not _has_place(notice):
        return None, None
    ra, decl = _real(notice, "ra"), _real(notice, "dec")
    if ra is None or decl is None or not (-360.0 <= ra <= 360.0 and abs(decl) <= 90.0):
        raise EventError(f"ra={notice['ra']!r}, dec={notice['dec']!r} is no position in degrees")
    return ra % 360.0, decl


def _region(notice: _Notice, mission: Mission) -> ErrorRegion | None:
    containment = _real(notice, "containment_probability")
    containment = _DEFAULT_CONTAINMENT if containment is None else containment
    error = notice.get("ra_dec_error")
    if error is not None:
        axes = error if isinstance(error, list) else [error]
        if not all(isinstance(axis, int | float) and not isinstance(axis, bool) for axis in axes):
            raise EventError(f"ra_dec_error={error!r} is no error: give degrees")
        # The systematic error is of 68 per cent, the statistical one of what the notice says.
        left = 0.0 if notice.get("systematic_included") else mission.systematic
        left *= containment_scale(0.68) / containment_scale(containment)
        return error_region(axes, containment, left)
    corners = notice.get("rectangular_error_corners")
    if corners is not None:
        return ErrorRegion(_farthest(notice, corners) * containment_scale(containment))
    return ErrorRegion(mission.default_error) if mission.default_error is not None else None


def _farthest(notice: _Notice, corners: Any) -> float:
    """Degrees from the position to the farthest corner."""
    try:
        ra, decl = np.asarray(corners, np.float64).reshape(-1, 2).T
    except (TypeError, ValueError):
        raise EventError("rectangular_error_corners is no list of [ra, dec]") from None
    if not (len(ra) and np.isfinite(ra).all() and (np.abs(decl) <= 90.0).all()):
        raise EventError("rectangular_error_corners is no list of [ra, dec] in degrees")
    return float(separation_arcsec(ra, decl, float(notice["ra"]), float(notice["dec"])).max() / 3600.0)


def _brightness(notice: _Notice, name: str) -> tuple[float | None, float | None, str | None, str | None]:
    """Flux, its error, unit and band."""
    measured = [
        row for row in notice.get("photometry", ()) if isinstance(row, dict)
        and row.get("event_name") in (None, name) and isinstance(row.get("mag"), int | float)
    ] if isinstance(notice.get("photometry", ()), list) else []  # fmt: skip
    if measured:
        newest = max(measured, key=lambda row: str(row.get("observation_start")))
        flux = 10.0 ** (0.4 * (31.4 - newest["mag"]))
        error = _real(newest, "mag_error")
        flux_error = None if error is None else flux * error * 0.4 * math.log(10.0)
        return flux, flux_error, "nJy", shortened(newest.get("filter", ""), "band") or None
    flux, unit = _real(notice, "flux"), notice.get("flux_unit")
    if flux is None:
        flux = _real(notice, "net_count_rate")
        unit = "ct/s"
    elif unit is None:
        unit = "erg/cm2/s" if notice.get("flux_spectral_unit") else None
    band = _band(notice)
    if flux is None:
        return None, None, None, band
    return flux, _real(notice, "flux_error"), shortened(unit, "fluxUnit") if unit else None, band


def _band(notice: _Notice) -> str | None:
    ranges = (
        ("flux_spectral_band", "flux_spectral_unit"), ("spectral_band", "spectral_band_units"),
        ("image_energy_range", ""), ("rate_energy_range", ""), ("localization_energy_range", ""),
    )  # fmt: skip
    for field, unit in ranges:
        value = notice.get(field)
        if isinstance(value, list) and len(value) == 2:
            low, high = value
            return shortened(f"{low}-{high} {notice.get(unit) or 'keV'}", "band")
    return None


def _class(notice: _Notice) -> str | None:
    for field in ("classification", "classification_scores"):
        scores = notice.get(field)
        if isinstance(scores, dict) and scores:
            numbers = {key: value for key, value in scores.items() if isinstance(value, int | float)}
            if numbers:
                return shortened(max(numbers, key=lambda key: numbers[key]), "eventClass")
        if isinstance(scores, str) and scores:
            return shortened(scores, "eventClass")
    return None


def _url(notice: _Notice) -> str | None:
    for field in ("data_archive_page", "url", "healpix_url", "light_curve_url"):
        value = notice.get(field)
        if isinstance(value, str) and value.startswith(("https://", "http://")):
            return value
    return None


def _related(notice: _Notice) -> str | None:
    """The event that this one was looked for because of."""
    for field in ("ref_ID", "follow_up_event"):
        value = notice.get(field)
        if isinstance(value, str) and value.strip():
            return shortened(value, "eventName")
    return None


def _revision(notice: _Notice) -> int:
    value = notice.get("record_number")
    return value if isinstance(value, int) and 0 <= value < 2**31 else 0


def _first_time(notice: _Notice, *names: str) -> float | None:
    times = (_time(notice, name) for name in names)
    return next((time for time in times if time is not None), None)
