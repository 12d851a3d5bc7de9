"""Every notice of the events of an installation: one file, replaced as a whole, one row a notice.

Events are known by what their notices say together (`_store`); that an object lay in an older map, and who
was told so, only the notices themselves tell.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lasair_broker.context.events._files import EventFile
from lasair_broker.context.events._maps import keep_maps
from lasair_broker.context.events._store import EventReport, read_stored, update_events
from lasair_broker.context.events.errors import EventError
from lasair_broker.packets import mjd_tai_now
from lasair_broker.schema import arrow_schema

__all__ = ["VERSIONS", "attach_to_versions", "read_versions", "take_in"]

VERSIONS = "event_versions.parquet"
"""Name of the file, in the folder of the catalogues."""

_SCHEMA = arrow_schema("event_versions")
_KEY = ("origin", "eventName")
_SAME = (*_KEY, "notice")


def take_in(folder: Path, files: Sequence[EventFile]) -> EventReport:
    """Take what files hold in: events, their notices and the maps of these.

    A notice that is known already, word for word, changes nothing. If the process ends in between, what was
    taken in is a part, and taking the same in again completes it.

    Parameters
    ----------
    folder
        Of the catalogues; made if it is not there.

    Raises
    ------
    EventError
        If what is stored is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        keep_maps(folder, file.maps)
    rows = pa.concat_tables([file.rows for file in files])
    with _locked(folder):
        # Notices of an event that was removed are forgotten when the next come.
        old = _of_events(read_versions(folder), read_stored(folder))
        new = _new(old, rows)
        # The events change last: that is what others look at to see whether there is something new.
        if new.num_rows:
            _write(folder, pa.concat_tables([old, new]))
        return update_events(folder, _unknown(old, rows))


def read_versions(folder: Path) -> pa.Table:
    """All notices, as rows of table `event_versions`.

    Raises
    ------
    EventError
        If the file is damaged.
    """
    path = folder / VERSIONS
    if not path.exists():
        return _SCHEMA.empty_table()
    try:
        table = pq.read_table(path)
        # A file of an earlier version lacks columns that have come since.
        columns = [
            table[f.name] if f.name in table.column_names else pa.nulls(table.num_rows, f.type)
            for f in _SCHEMA
        ]
        return pa.table(columns, names=_SCHEMA.names).cast(_SCHEMA)
    except (pa.ArrowInvalid, OSError) as error:
        raise EventError(f"{path} is damaged: {error}; remove it and add the events again") from None


def attach_to_versions(folder: Path, address: str, values: Mapping[str, object]) -> pa.Table:
    """Give the notices that wait for the map of an address what is known by it; their rows."""
    with _locked(folder):
        old = read_versions(folder)
        waits = pc.and_(pc.fill_null(pc.equal(old["skymapUrl"], address), False), old["skymap"].is_null())
        if not pc.any(waits, min_count=0).as_py():
            return old.slice(0, 0)
        merged = old
        for name, value in values.items():
            kept = pc.if_else(waits, pa.scalar(value, _SCHEMA.field(name).type), old[name])
            merged = merged.set_column(merged.schema.get_field_index(name), name, kept)
        _write(folder, merged.cast(_SCHEMA))
        return merged.filter(waits)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / f".{VERSIONS}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(folder: Path, table: pa.Table) -> None:
    beside = folder / f"{VERSIONS}.new"
    pq.write_table(table, beside)
    os.replace(beside, folder / VERSIONS)  # noqa: PTH105 - Path.replace would do the same


def _of_events(versions: pa.Table, events: pa.Table) -> pa.Table:
    known = set(zip(*(events[name].to_pylist() for name in _KEY), strict=True))
    here = zip(*(versions[name].to_pylist() for name in _KEY), strict=True)
    return versions.filter(pa.array([key in known for key in here], pa.bool_()))


def _notices(rows: pa.Table) -> set[tuple[str, ...]]:
    return set(zip(*(rows[name].to_pylist() for name in _SAME), strict=True))


def _unknown(old: pa.Table, rows: pa.Table) -> pa.Table:
    """The rows without those of notices that are known: of two that say when they are of in the same words,
    the one that came again is not newer."""
    known = _notices(old)
    here = zip(*(rows[name].to_pylist() for name in _SAME), strict=True)
    return rows.filter(pa.array([key not in known for key in here], pa.bool_()))


def _new(old: pa.Table, rows: pa.Table) -> pa.Table:
    """Rows of `event_versions` of the notices that are not known."""
    rows = _unknown(old, rows.filter(rows["notice"].is_valid()))
    first = dict.fromkeys(zip(*(rows[name].to_pylist() for name in _SAME), strict=True))
    numbers = _highest(old)
    taken, versions = [], []
    for place, key in enumerate(zip(*(rows[name].to_pylist() for name in _SAME), strict=True)):
        if key not in first:
            continue  # the same notice twice in what is given
        del first[key]
        event = key[:2]
        numbers[event] = numbers.get(event, 0) + 1
        taken.append(place)
        versions.append(numbers[event])
    rows = rows.take(pa.array(taken, pa.int64()))
    columns = {name: rows[name] for name in _SCHEMA.names if name in rows.column_names} | {
        "version": pa.array(versions, pa.int32()),
        "arrivedMjdTai": pa.array(np.full(len(taken), mjd_tai_now())),
    }
    return pa.table([columns[name] for name in _SCHEMA.names], names=_SCHEMA.names).cast(_SCHEMA)


def _highest(old: pa.Table) -> dict[tuple[str, str], int]:
    """The highest number that each event has a notice of."""
    highest = old.group_by(list(_KEY)).aggregate([("version", "max")])
    columns = (highest[name].to_pylist() for name in (*_KEY, "version_max"))
    return {(origin, name): number for origin, name, number in zip(*columns, strict=True)}
