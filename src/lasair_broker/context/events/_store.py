"""The events of an installation: one file, replaced as a whole, one row an event.

What was removed stays as a bare row, so that whoever matched the event hears that it is gone.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lasair_broker.context.events.errors import EventError
from lasair_broker.packets import mjd_tai_now
from lasair_broker.schema import arrow_schema, conform

__all__ = [
    "EVENTS",
    "REMOVED",
    "EventReport",
    "attach_to_events",
    "read_history",
    "read_stored",
    "remove_events",
    "revisions",
    "update_events",
]

Int64 = npt.NDArray[np.int64]

EVENTS = "external_events.parquet"
"""Name of the file, in the folder of the catalogues."""

REMOVED = "removed"
"""Role of an event that was removed."""

_NEXT = b"lasair.next_mw_id"
_KEY = ("origin", "eventName")
_PLACE = ("ra", "decl", "errorRadius", "errorMinor", "errorAngle")
"""What a notice says of the place belongs together: a new circle does not inherit an old angle."""

_OURS = ("mw_id", "arrivedMjdTai")
_DAY_MICROSECONDS = 86_400_000_000
_STEP = 2.0 / _DAY_MICROSECONDS
"""Days; a double holds times of our days to 0.6 microseconds."""

_SCHEMA = arrow_schema("external_events")


@dataclass(frozen=True)
class EventReport:
    """What an update did.

    Attributes
    ----------
    new, changed, total
        Events that are new, events of which something changed, and how many there are now.
    rows
        Rows of `external_events` of those that are new or changed, with their numbers.
    """

    new: int
    changed: int
    total: int
    rows: pa.Table


def read_stored(folder: Path) -> pa.Table:
    """All events, as rows of table `external_events`.

    Raises
    ------
    EventError
        If the file is damaged.
    """
    rows = read_history(folder)
    return rows.filter(pc.invert(_removed(rows)))


def read_history(folder: Path) -> pa.Table:
    """All events as `read_stored`, and those that were removed, which have role `REMOVED` and nothing but
    their names and number.

    Raises
    ------
    EventError
        If the file is damaged.
    """
    return _read(folder / EVENTS)[0]


def revisions(rows: pa.Table) -> Int64:
    """The change of the file that each event is as of: microseconds, never the same for two changes, later
    ones larger."""
    arrived = rows["arrivedMjdTai"].fill_null(0.0).to_numpy()
    return np.asarray(np.rint(arrived * _DAY_MICROSECONDS), np.int64)


def update_events(folder: Path, rows: pa.Table) -> EventReport:
    """Take events in. Of several notices of one event the newest counts, in whatever order they come; what it
    leaves out is as older ones say.

    A notice is newer by its revision, then the time it was sent.

    Parameters
    ----------
    folder
        Of the catalogues; made if it is not there.
    rows
        Rows of `external_events`; their `mw_id` is not looked at.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        old, number = _read(folder / EVENTS)
        given = rows.set_column(
            _SCHEMA.get_field_index("mw_id"), "mw_id", pa.nulls(rows.num_rows, pa.int32())
        )
        merged = _merged(pa.concat_tables([old, given]).combine_chunks())
        is_new = pc.is_null(merged["mw_id"]).to_numpy()
        numbers = merged["mw_id"].fill_null(0).to_numpy().copy()
        numbers[is_new] = number + np.arange(is_new.sum())
        changed = ~is_new & _differs(merged, old)
        arrived = merged["arrivedMjdTai"].to_numpy().copy()
        arrived[is_new | changed] = _now(old)
        merged = _with(merged, "mw_id", pa.array(numbers, pa.int32()))
        merged = _with(merged, "arrivedMjdTai", pa.array(arrived, from_pandas=True))
        if is_new.any() or changed.any() or not (folder / EVENTS).exists():
            _write(folder, merged, number + int(is_new.sum()))
    touched = merged.filter(pa.array(is_new | changed))
    back = pc.is_in(touched["mw_id"], value_set=old.filter(_removed(old))["mw_id"].combine_chunks())
    is_back = int(pc.sum(back).as_py() or 0)
    gone = int(pc.sum(_removed(merged)).as_py() or 0)
    return EventReport(
        int(is_new.sum()) + is_back, int(changed.sum()) - is_back, merged.num_rows - gone, touched
    )


def attach_to_events(
    folder: Path, keys: set[tuple[str, str]], address: str, values: Mapping[str, object]
) -> None:
    """Give events (origin, name) that still wait for the map of this address what is known by it."""
    with _locked(folder):
        old, number = _read(folder / EVENTS)
        names = zip(*(old[name].to_pylist() for name in _KEY), strict=True)
        waits = pa.array([key in keys for key in names], pa.bool_())
        waits = pc.and_(waits, pc.fill_null(pc.equal(old["skymapUrl"], address), False).combine_chunks())
        if not pc.any(waits, min_count=0).as_py():
            return
        changed = {**values, "arrivedMjdTai": _now(old)}
        merged = old
        for name, value in changed.items():
            kept = pc.if_else(waits, pa.scalar(value, _SCHEMA.field(name).type), old[name])
            merged = _with(merged, name, kept)
        _write(folder, merged, number)


def remove_events(folder: Path, name: str, origin: str | None = None) -> pa.Table:
    """Forget events of this name (of one origin, if given); their rows as they were. Their numbers are not
    given to others."""
    if not (folder / EVENTS).exists():
        return _SCHEMA.empty_table()
    with _locked(folder):
        old, number = _read(folder / EVENTS)
        gone = pc.and_(pc.equal(old["eventName"], name), pc.invert(_removed(old)))
        if origin is not None:
            gone = pc.and_(gone, pc.equal(old["origin"], origin))
        if pc.any(gone, min_count=0).as_py():
            forgotten = _forgotten(old.filter(gone), _now(old))
            _write(folder, pa.concat_tables([old.filter(pc.invert(gone)), forgotten]), number)
        return old.filter(gone)


def _removed(rows: pa.Table) -> pa.ChunkedArray:
    return pc.fill_null(pc.equal(rows["role"], REMOVED), False)


def _forgotten(rows: pa.Table, arrived: float) -> pa.Table:
    """What is kept of events that were removed."""
    kept = {name: rows[name] for name in (*_KEY, "mw_id")} | {
        "revision": pa.repeat(pa.scalar(0, pa.int32()), rows.num_rows),
        "role": pa.repeat(REMOVED, rows.num_rows),
        "arrivedMjdTai": pa.repeat(arrived, rows.num_rows),
        "retracted": pa.repeat(False, rows.num_rows),
    }
    return conform(pa.table(kept), "external_events")


def _now(rows: pa.Table) -> float:
    """The time of a change to these rows, MJD TAI: later than that of all before, whatever the clock does."""
    newest = pc.max(rows["arrivedMjdTai"]).as_py()
    return max(mjd_tai_now(), -np.inf if newest is None else newest + _STEP)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Only one command at a time changes the file."""
    with (folder / f".{EVENTS}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read(path: Path) -> tuple[pa.Table, int]:
    """The events and the number that the next one gets."""
    if not path.exists():
        return _SCHEMA.empty_table(), 1
    try:
        table = pq.read_table(path)
        number = int((table.schema.metadata or {})[_NEXT])
        # A file of an earlier version lacks columns that have come since.
        columns = [
            table[f.name] if f.name in table.column_names else pa.nulls(table.num_rows, f.type)
            for f in _SCHEMA
        ]
        return pa.table(columns, names=_SCHEMA.names).cast(_SCHEMA), number
    except (pa.ArrowInvalid, OSError, KeyError, ValueError) as error:
        raise EventError(f"{path} is damaged: {error}; remove it and add the events again") from None


def _write(folder: Path, table: pa.Table, number: int) -> None:
    beside = folder / f"{EVENTS}.new"
    pq.write_table(table.replace_schema_metadata({_NEXT: str(number)}), beside)
    os.replace(beside, folder / EVENTS)  # noqa: PTH105 - Path.replace would do the same


def _merged(rows: pa.Table) -> pa.Table:
    """One row an event: the newest, with what it lacks from older ones."""
    # A test never takes the place of an observation.
    ranked = rows.select([*_KEY, "revision", "retracted"])
    ranked = ranked.append_column("real", pc.equal(rows["role"], "observation"))
    ranked = ranked.append_column("told", pc.fill_null(rows["noticeMjdTai"], -np.inf))
    ranked = ranked.append_column("order", pa.array(np.arange(rows.num_rows)))
    newest_last = (*_KEY, "real", "revision", "told", "retracted", "order")
    rows = rows.take(pc.sort_indices(ranked, [(name, "ascending") for name in newest_last]))
    if not rows.num_rows:
        return rows
    same = np.ones(rows.num_rows - 1, np.bool_)
    for name in _KEY:
        codes = rows[name].combine_chunks().dictionary_encode().indices.to_numpy()
        same &= codes[1:] == codes[:-1]
    starts = np.flatnonzero(np.append(True, ~same))
    ends = np.append(starts[1:], rows.num_rows) - 1
    columns = {}
    for name in rows.column_names:
        stated = rows["ra" if name in _PLACE else name].is_valid().to_numpy()
        last = np.maximum.accumulate(np.where(stated, np.arange(rows.num_rows), -1))[ends]
        columns[name] = rows[name].take(pa.array(last, mask=last < starts))
    return pa.table(columns).cast(_SCHEMA)


def _differs(merged: pa.Table, old: pa.Table) -> npt.NDArray[np.bool_]:
    """Which of the merged rows differ from the old row with their number; those without one do not."""
    place = pc.index_in(merged["mw_id"], value_set=old["mw_id"].combine_chunks())
    differs = np.zeros(merged.num_rows, np.bool_)
    for name in merged.column_names:
        if name not in _OURS:
            now, was = merged[name], old[name].take(place)
            equal = pc.fill_null(pc.equal(now, was), False)
            same = pc.or_(equal, pc.and_(now.is_null(), was.is_null()))
            differs |= ~same.to_numpy()
    return np.asarray(differs & place.is_valid().to_numpy(), np.bool_)


def _with(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)
