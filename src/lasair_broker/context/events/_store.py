"""The events of an installation: one file, replaced as a whole, one row an event."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
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
from lasair_broker.schema import arrow_schema

__all__ = ["EVENTS", "EventReport", "read_stored", "remove_events", "update_events"]

Int64 = npt.NDArray[np.int64]

EVENTS = "external_events.parquet"
"""Name of the file, in the folder of the catalogues."""

_NEXT = b"lasair.next_mw_id"
_KEY = ("origin", "eventName")
_PLACE = ("ra", "decl", "errorRadius", "errorMinor", "errorAngle")
"""What a notice says of the place belongs together: a new circle does not inherit an old angle."""

_OURS = ("mw_id", "arrivedMjdTai")
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
    return _read(folder / EVENTS)[0]


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
        arrived[is_new | changed] = mjd_tai_now()
        merged = _with(merged, "mw_id", pa.array(numbers, pa.int32()))
        merged = _with(merged, "arrivedMjdTai", pa.array(arrived, from_pandas=True))
        if is_new.any() or changed.any() or not (folder / EVENTS).exists():
            _write(folder, merged, number + int(is_new.sum()))
    touched = merged.filter(pa.array(is_new | changed))
    return EventReport(int(is_new.sum()), int(changed.sum()), merged.num_rows, touched)


def remove_events(folder: Path, name: str, origin: str | None = None) -> pa.Table:
    """Forget events of this name (of one origin, if given); their rows as they were. Their numbers are not
    given to others."""
    if not (folder / EVENTS).exists():
        return _SCHEMA.empty_table()
    with _locked(folder):
        old, number = _read(folder / EVENTS)
        gone = pc.equal(old["eventName"], name)
        if origin is not None:
            gone = pc.and_(gone, pc.equal(old["origin"], origin))
        if pc.any(gone, min_count=0).as_py():
            _write(folder, old.filter(pc.invert(gone)), number)
        return old.filter(gone)


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
