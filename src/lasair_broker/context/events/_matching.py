"""Which objects lie within the error regions of events: the index, and the stage that asks it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import structlog

from lasair_broker.context._made_with import made_with
from lasair_broker.context._solar_system import in_solar_system
from lasair_broker.context.events._event import P90
from lasair_broker.context.events._store import EVENTS, read_history, revisions
from lasair_broker.context.events.errors import EventError
from lasair_broker.packets import AlertBatch
from lasair_broker.schema import conform
from lasair_broker.sky import WatchlistIndex, separation_arcsec

__all__ = ["EventIndex", "EventLoader", "match_events"]

Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

_SIGMAS = math.sqrt(-2.0 * math.log(0.01))
"""So many standard deviations hold 99 per cent of what belongs together."""

_FLOOR_ARCSEC = 0.5
"""Standard deviation of what positions of events and objects leave unsaid: frames, epochs, objects' own
errors."""

_ALWAYS_ARCSEC = 60.0
_OLD_OBJECTS_ARCSEC = 2.0 * 3600.0
_FARTHEST_ARCSEC = 37.0 * 3600.0
"""The widest cone that the index takes; a wider region says nothing of where an event was."""

_BEFORE_DAYS, _AFTER_DAYS = 1.0, 30.0

_SAID = ("mw_id", "origin", "eventName", "kind", "eventClass", "regime")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class EventIndex:
    """Events that can be matched, made once of their rows.

    An object matches within the ellipse that holds 99 per cent, and, if the ellipse is wider than an
    arcminute, only if its detections come in the time from a day before to 30 days after the event; beyond
    2 degrees only if the object was first detected then. Events without position or error, wide ones without
    time, retracted ones and tests are left out.

    Attributes
    ----------
    rows
        Rows of `external_events` of these events.
    revision
        The newest of all that it was made of, see `revisions`; 0 of none.
    """

    rows: pa.Table
    revision: int
    _cones: WatchlistIndex
    _major: Float64
    _minor: Float64
    _angle: Float64
    _reach: Float64

    @classmethod
    def build(cls, events: pa.Table) -> EventIndex:
        """The index of rows of table `external_events`."""
        radius, minor, angle = (_floats(events, name) for name in ("errorRadius", "errorMinor", "errorAngle"))
        minor = np.where(np.isnan(minor), radius, minor)
        deviations = [np.hypot(axis * 3600.0 / P90, _FLOOR_ARCSEC) for axis in (radius, minor)]
        reach = _SIGMAS * deviations[0]
        usable = ~np.isnan(_floats(events, "ra")) & (reach <= _FARTHEST_ARCSEC)
        usable &= (reach <= _ALWAYS_ARCSEC) | ~np.isnan(_floats(events, "eventMjdTai"))
        usable &= ~events["retracted"].fill_null(False).to_numpy().astype(bool)
        real = pc.equal(events["role"].fill_null("observation"), "observation")
        usable &= real.to_numpy().astype(bool)
        rows = events.filter(pa.array(usable)).combine_chunks()
        cones = {
            "cone_id": np.arange(rows.num_rows),
            "name": pa.array([""] * rows.num_rows, pa.string()),
            "ra": rows["ra"],
            "decl": rows["decl"],
            "radius": reach[usable],
        }
        index = WatchlistIndex.build({1: pa.table(cones)}) if rows.num_rows else WatchlistIndex()
        angle = np.where(np.isnan(angle), 0.0, angle)
        newest = int(revisions(events).max(initial=0))
        shapes = (deviations[0][usable], deviations[1][usable], angle[usable], reach[usable])
        return cls(rows, newest, index, *shapes)

    def __len__(self) -> int:
        return int(self.rows.num_rows)

    def covering_ranges(self) -> npt.NDArray[np.int64]:
        """Ranges of healpix29 outside which nothing matches, as `WatchlistIndex.covering_ranges`."""
        return self._cones.covering_ranges()

    def near(self, ra: Float64, decl: Float64) -> npt.NDArray[np.int64]:
        """Which positions (degrees) lie within the reach of an event, whenever it was, ascending."""
        return np.unique(self._cones.match(ra, decl).position)

    def hits(self, objects: pa.Table) -> pa.Table:
        """The rows of table `event_hits` for objects.

        Parameters
        ----------
        objects
            Columns diaObjectId, ra, decl (degrees), firstDiaSourceMjdTai and lastDiaSourceMjdTai.
        """
        ra, decl, first, last = (
            _floats(objects, name) for name in ("ra", "decl", "firstDiaSourceMjdTai", "lastDiaSourceMjdTai")
        )
        found = self._cones.match(ra, decl)
        event = self._cones.take(found.row)["cone_id"].to_numpy()
        here = found.position
        event_ra, event_decl = (_floats(self.rows, name)[event] for name in ("ra", "decl"))
        separation = separation_arcsec(event_ra, event_decl, ra[here], decl[here])
        turned = _position_angle(event_ra, event_decl, ra[here], decl[here]) - np.radians(self._angle[event])
        offset = separation * np.hypot(
            np.cos(turned) / self._major[event], np.sin(turned) / self._minor[event]
        )
        since = _floats(self.rows, "eventMjdTai")[event]
        first, last = first[here] - since, last[here] - since
        kept = np.flatnonzero((offset <= _SIGMAS) & _in_time(self._reach[event], first, last))
        said = self.rows.select(_SAID).take(pa.array(event[kept]))
        columns = {name: said[name] for name in _SAID} | {
            "diaObjectId": objects["diaObjectId"].take(pa.array(here[kept])),
            "separationArcsec": pa.array(separation[kept]),
            "offsetSigma": pa.array(offset[kept].astype(np.float32)),
            "firstDays": pa.array(first[kept], from_pandas=True),
            "lastDays": pa.array(last[kept], from_pandas=True),
        }
        return conform(pa.table(columns), "event_hits")


def _in_time(reach: Float64, first: Float64, last: Float64) -> Bool:
    """Whether an object was seen when an event may have shown; times in days since the event."""
    overlaps = (last >= -_BEFORE_DAYS) & (first <= _AFTER_DAYS)
    begins = (first >= -_BEFORE_DAYS) & (first <= _AFTER_DAYS)
    wide = np.where(reach <= _OLD_OBJECTS_ARCSEC, overlaps, begins)
    return np.asarray((reach <= _ALWAYS_ARCSEC) | wide)


def _position_angle(ra1: Float64, decl1: Float64, ra2: Float64, decl2: Float64) -> Float64:
    """From north through east of the second position seen from the first, radians."""
    turn = np.radians(ra2 - ra1)
    y1, y2 = np.radians(decl1), np.radians(decl2)
    east = np.sin(turn) * np.cos(y2)
    north = np.cos(y1) * np.sin(y2) - np.sin(y1) * np.cos(y2) * np.cos(turn)
    return np.asarray(np.arctan2(east, north))


def _floats(table: pa.Table, name: str) -> Float64:
    """A column as doubles, NaN for NULL."""
    return np.asarray(table.column(name).to_numpy(), np.float64)


def match_events(batch: AlertBatch, index: EventIndex | None) -> AlertBatch:
    """The batch with table `event_hits`, and the events matched as rows of `external_events`; without an
    index as it was. Bodies of the solar system match nothing."""
    if index is None:
        return batch
    hits = index.hits(batch.objects.filter(pa.array(~in_solar_system(batch))))
    events = index.rows.filter(pc.is_in(index.rows["mw_id"], value_set=hits["mw_id"].combine_chunks()))
    batch = batch.with_table("external_events", events)
    return batch.with_table("event_hits", made_with(hits, str(index.revision)))


class EventLoader:
    """The index of the events in a folder, made anew when they change.

    Parameters
    ----------
    folder
        Of the catalogues; None for none.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._path = None if folder is None else folder / EVENTS
        self._seen: tuple[int, int, int] | None = None
        self._index: EventIndex | None = None

    def current(self) -> EventIndex | None:
        """The index as the events are now; None if none were ever added. Cheap enough for every batch.

        If they cannot be read, the last that could stay, and the log says so.
        """
        if self._path is None:
            return None
        try:
            status = self._path.stat()
        except OSError:
            return self._index
        seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        if seen != self._seen:
            self._seen = seen
            try:
                self._index = EventIndex.build(read_history(self._path.parent))
            except EventError as error:
                _log.error("the events cannot be read; going on with those before", reason=str(error))
        return self._index
