"""VOEvents, XML (IVOA Recommendation VOEvent 2.0; coordinates as in its section 3.4)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from lasair_broker.context.events._event import ErrorRegion, Event, error_region, shortened
from lasair_broker.context.events._maps import map_address
from lasair_broker.context.events._times import mjd_tai
from lasair_broker.context.events.errors import EventError

__all__ = ["read_voevent"]

_CONTAINMENT = 0.68
"""An Error2Radius is a standard deviation unless it says otherwise; the words of VOEvent have no place for
that."""

_LONGEST = 10_000_000
_SCALES = {"UTC": "utc", "TT": "tt", "TDB": "tdb", "TAI": "tai", "GPS": "gps"}
_FRAMES = ("ICRS", "FK5")
"""FK5 at J2000 is ICRS to 0.03 arcseconds."""

_MAP_PARAMETERS = ("skymap_fits", "healpix_url")
_SAME_EVENT = ("supersedes", "retraction")
_REGIMES = {
    "em.radio": "radio", "em.mm": "radio", "em.ir": "infrared", "em.opt": "optical", "em.uv": "uv",
    "em.x-ray": "x-ray", "em.gamma": "gamma-ray",
}  # fmt: skip


def read_voevent(content: bytes) -> list[Event]:
    """The event of a VOEvent; what supersedes or retracts another is a newer notice of that one.

    Neither entities nor anything outside the file is ever read.

    Raises
    ------
    EventError
        If it is no VOEvent, if it holds what no VOEvent needs, or has no position and cites no earlier one.
    """
    if len(content) > _LONGEST:
        raise EventError(f"a VOEvent of {len(content):,} bytes is none; at most {_LONGEST:,} are read")
    try:
        root = fromstring(content, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as error:
        raise EventError(f"it defines types or entities, which no VOEvent needs: {error}") from None
    except (ParseError, ValueError, LookupError) as error:
        raise EventError(f"it is not XML: {error}") from None
    if _local(root) != "VOEvent":
        raise EventError(f"its root is {_local(root)}, not VOEvent")
    ivorn = root.get("ivorn", "").removeprefix("ivo://").strip()
    if not ivorn:
        raise EventError("VOEvent has no ivorn")
    earlier, retracted = _cited(root)
    name = shortened(earlier or ivorn, "eventName")
    place = _find(root, "WhereWhen", "ObsDataLocation", "ObservationLocation", "AstroCoords")
    ra, decl, region = _position(place)
    address = _map_address(root)
    if ra is None and not earlier and address is None:
        raise EventError("WhereWhen has no Position2D, and Citations names no earlier event")
    told = _text(root, "Who", "Date")
    flux, unit, band = _brightness(root)
    concept = _text(root, "Why", "Inference", "Concept") or _text(root, "Why", "Concept")
    said = _text(root, "Why", "Inference", "Name") or _text(root, "Why", "Name")
    return [
        Event(
            origin=shortened(ivorn.split("#")[0], "origin"),
            eventName=name,
            kind=shortened(concept.rsplit("/")[-1].split(";")[-1], "kind") if concept else None,
            eventClass=shortened(said, "eventClass") if said else None,
            regime=_regime(root),
            band=band,
            flux=flux,
            fluxUnit=unit,
            role="observation" if root.get("role", "observation") == "observation" else "test",
            eventMjdTai=_moment(place),
            noticeMjdTai=mjd_tai(told) if told else _moment(place),
            ra=ra,
            decl=decl,
            errorRadius=region.major if region else None,
            retracted=retracted,
            url=_reference(root),
            skymapUrl=address,
            notice=content.decode("utf-8", "replace"),
        )
    ]


def _local(element: Element) -> str:
    return str(element.tag).rsplit("}", 1)[-1]


def _children(element: Element | None, name: str) -> Iterator[Element]:
    for child in element if element is not None else ():
        if _local(child) == name:
            yield child


def _find(element: Element | None, *path: str) -> Element | None:
    for name in path:
        element = next(_children(element, name), None)
    return element


def _text(element: Element | None, *path: str) -> str | None:
    found = _find(element, *path)
    text = (found.text or "").strip() if found is not None else ""
    return text or None


def _cited(root: Element) -> tuple[str | None, bool]:
    """The event that this one is a newer notice of, and whether it takes it back."""
    for cite in _children(_find(root, "Citations"), "EventIVORN"):
        if cite.get("cite") in _SAME_EVENT and (cite.text or "").strip():
            return (cite.text or "").strip().removeprefix("ivo://"), cite.get("cite") == "retraction"
    return None, False


def _position(place: Element | None) -> tuple[float | None, float | None, ErrorRegion | None]:
    position = _find(place, "Position2D")
    if place is None or position is None:
        return None, None, None
    system = place.get("coord_system_id", "UTC-ICRS-TOPO")
    if not any(frame in system for frame in _FRAMES):
        raise EventError(f"positions in {system} are not understood; they may be in ICRS or FK5")
    if position.get("unit", "deg") not in ("deg", "degrees"):
        raise EventError(f"Position2D is in {position.get('unit')}; it may be in deg")
    ra, decl = (
        _number(_text(position, "Value2", name), f"Position2D/Value2/{name}") for name in ("C1", "C2")
    )
    if not (-360.0 <= ra <= 360.0 and abs(decl) <= 90.0):
        raise EventError(f"Position2D is no position: ra={ra:g}, decl={decl:g}")
    radius = _text(position, "Error2Radius")
    error = _number(radius, "Position2D/Error2Radius") if radius else 0.0
    return ra % 360.0, decl, error_region([error], _CONTAINMENT) if error else None


def _moment(place: Element | None) -> float | None:
    time = _text(place, "Time", "TimeInstant", "ISOTime")
    if place is None or time is None:
        return None
    scale = place.get("coord_system_id", "UTC").split("-")[0]
    if scale not in _SCALES:
        raise EventError(f"times in {scale} are not understood; they may be in {', '.join(_SCALES)}")
    return mjd_tai(time, _SCALES[scale])


def _brightness(root: Element) -> tuple[float | None, str | None, str | None]:
    """The first flux or magnitude among the parameters, its unit and band."""
    for param in _params(root):
        words = param.get("ucd", "").lower().split(";")
        value = param.get("value")
        if not value or not words[0].startswith(("phot.flux", "phot.mag")):
            continue
        flux, unit = _number(value, f"parameter {param.get('name')}"), param.get("unit") or None
        if words[0].startswith("phot.mag"):
            flux, unit = 10.0 ** (0.4 * (31.4 - flux)), "nJy"
        band = next((word for word in words if word.startswith("em.")), None)
        return flux, shortened(unit, "fluxUnit") if unit else None, band
    return None, None, None


def _params(root: Element) -> Iterator[Element]:
    what = _find(root, "What")
    yield from _children(what, "Param")
    for group in _children(what, "Group"):
        yield from _children(group, "Param")


def _map_address(root: Element) -> str | None:
    """Where the map is, as LIGO, Virgo and KAGRA and others say it."""
    return map_address(*(p.get("value") for p in _params(root) if p.get("name") in _MAP_PARAMETERS))


def _regime(root: Element) -> str | None:
    """The part of the spectrum that the first parameter with such a UCD is of."""
    for param in _params(root):
        for word in param.get("ucd", "").lower().split(";"):
            for prefix, regime in _REGIMES.items():
                if word.startswith(prefix):
                    return regime
    return None


def _reference(root: Element) -> str | None:
    found = _find(root, "Reference")
    uri = found.get("uri", "") if found is not None else ""
    return uri if uri.startswith(("https://", "http://")) else None


def _number(text: str | None, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise EventError(f"{where} is {text!r}, which is no number")
    return value
