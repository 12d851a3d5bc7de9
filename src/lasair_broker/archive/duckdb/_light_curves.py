"""Finding and storing the new rows of the light curves of a batch."""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.packets import AlertBatch, SourceTable, band_codes
from lasair_broker.schema import arrow_schema, conform

from .. import _ledger
from ._rows import incoming, sky_range

__all__ = ["Held", "LightCurveNews", "held_of", "light_curve_news", "objects_to_read", "store_rows"]

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Names:
    """A light curve table: its column of ids, if it has one, and its columns in the ledger."""

    table: str
    id: str | None
    count: str
    total: str
    newest: str | None


_NAMES = (
    _Names("diaSources", "diaSourceId", "nSources", "sourcesHash", "newestSourceMjdTai"),
    _Names("diaForcedSources", "diaForcedSourceId", "nForcedSources", "forcedHash", "newestForcedMjdTai"),
    _Names("diaNondetectionLimits", None, "nNondetectionLimits", "limitsHash", None),
)


@dataclass(frozen=True, slots=True)
class Held:
    """What the ledger says of the objects of a batch; 0, or NaN, for objects not held.

    Attributes
    ----------
    known
        Which objects are held.
    healpix29
        Their cell, the batch's own for objects not held.
    columns
        The ledger's columns, by name.
    """

    known: Bool
    healpix29: Int64
    columns: dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class LightCurveNews:
    """New rows of one light curve table.

    Attributes
    ----------
    table, rows
        The batch's table, and its rows to add.
    changed
        Its rows to put in the place of those held.
    compared
        Objects whose rows had to be compared.
    ledger
        The columns of the ledger as they become, by name.
    touched
        Objects with rows to add or to change.
    """

    name: str
    table: SourceTable
    rows: Int64
    changed: Int64
    compared: int
    ledger: dict[str, npt.NDArray[Any]]
    touched: Bool


def light_curve_news(connection: Any, batch: AlertBatch, ids: Int64, held: Held) -> list[LightCurveNews]:
    """What is new in each light curve table of a batch whose objects are `ids`."""
    # Of the rows that packets brought: what is known besides, the archive has.
    tables = (batch.diaSources.sent, batch.diaForcedSources.sent, batch.diaNondetectionLimits.sent)
    return [_news(connection, names, table, ids, held) for names, table in zip(_NAMES, tables, strict=True)]


def objects_to_read(batch: AlertBatch, held: Held, *, every: bool) -> dict[str, Bool]:
    """For each light curve table the objects that may have rows which the batch does not bring, or `every`
    object that has rows."""
    out = {}
    tables = (batch.diaSources.sent, batch.diaForcedSources.sent, batch.diaNondetectionLimits.sent)
    for names, table in zip(_NAMES, tables, strict=True):
        count, total = held.columns[names.count], held.columns[names.total].view(np.uint64)
        wanted = count > 0
        if wanted.any() and not every:
            key, time, _, hashes = _keyed(names, table)
            doubtful = _ledger.extend(table.offsets, key, time, hashes, count, total)[1]
            wanted &= doubtful | (np.diff(table.offsets) == 0)
        out[names.table] = wanted
    return out


def held_of(connection: Any, batch: AlertBatch, ids: Int64) -> Held:
    """What the ledger says of the objects `ids` of a batch."""
    columns: dict[str, npt.NDArray[Any]] = {
        field.name: np.full(len(ids), np.nan)
        if pa.types.is_floating(field.type)
        else np.zeros(len(ids), np.int64)
        for field in arrow_schema("object_ledger")
    }
    known = np.zeros(len(ids), np.bool_)
    healpix29 = batch.objects.column("healpix29").cast(pa.int64()).to_numpy().copy()
    if len(ids):
        wanted = pa.table({"object": np.arange(len(ids)), "diaObjectId": ids})
        with incoming(connection, wanted=wanted):
            found = connection.execute(
                "SELECT w.object, l.* FROM object_ledger l JOIN wanted w USING (diaObjectId)"
            ).to_arrow_table()
        place = found.column("object").to_numpy()
        known[place] = True
        for name, values in columns.items():
            values[place] = found.column(name).to_numpy()
        healpix29[place] = columns["healpix29"][place]
    return Held(known, healpix29, columns)


def _keyed(
    names: _Names, table: SourceTable
) -> tuple[Int64, npt.NDArray[np.float64], npt.NDArray[np.float64], UInt64]:
    """Key, time, time of withdrawal (NaN: none) and hash of each row of a light curve table."""
    time = table.numpy("midpointMjdTai")
    if names.id is None:
        key = _ledger.limit_keys(time, table.numpy("band"))
        withdrawn = np.full(len(key), np.nan)
    else:
        key = table.numpy(names.id)
        withdrawn = table.numpy("timeWithdrawnMjdTai")
    return key, time, withdrawn, _ledger.row_hashes(key, withdrawn)


def _news(connection: Any, names: _Names, table: SourceTable, ids: Int64, held: Held) -> LightCurveNews:
    key, time, withdrawn, hashes = _keyed(names, table)
    new, doubtful, count, total = _ledger.extend(
        table.offsets, key, time, hashes, held.columns[names.count], held.columns[names.total].view(np.uint64)
    )
    changed = np.zeros(0, np.bool_)
    if doubtful.any():
        objects = np.flatnonzero(doubtful)
        first = time[table.offsets[objects]]
        stored = _stored_rows(connection, names, ids[objects], held.healpix29[objects], first)
        changed = _ledger.compare(
            objects, table.offsets, key, time, withdrawn, hashes, *stored, new, count, total
        )
    rows, changed_rows = np.flatnonzero(new), np.flatnonzero(changed)
    touched = np.zeros(len(ids), np.bool_)
    touched[table.object_row[rows]] = True
    touched[table.object_row[changed_rows]] = True
    ledger: dict[str, npt.NDArray[Any]] = {names.count: count, names.total: total.view(np.int64)}
    if names.newest is not None:
        newest = held.columns[names.newest].copy()
        np.fmax.at(newest, table.object_row[rows], time[rows])
        ledger[names.newest] = newest
    return LightCurveNews(
        names.table,
        table.with_per_object({"healpix29": held.healpix29}),
        rows,
        changed_rows,
        int(doubtful.sum()),
        ledger,
        touched,
    )


def _stored_rows(
    connection: Any, names: _Names, ids: Int64, healpix29: Int64, first: npt.NDArray[np.float64]
) -> tuple[Int64, Int64, npt.NDArray[np.float64]]:
    """Offsets, keys and withdrawal times of the rows held of objects, from the time `first` of each on."""
    objects = pa.table({"object": np.arange(len(ids)), "diaObjectId": ids, "first": first})
    wanted = "band, s.midpointMjdTai" if names.id is None else f"{names.id}, s.timeWithdrawnMjdTai"
    with incoming(connection, doubtful=objects):
        found = connection.execute(
            f"SELECT d.object, s.{wanted} FROM {names.table} s JOIN doubtful d USING (diaObjectId) "
            f"WHERE s.midpointMjdTai >= d.first AND {sky_range(healpix29, 's.healpix29')}"
        ).to_arrow_table()
    objects_of = found.column(0).to_numpy()
    if names.id is None:
        bands = found.column(1).combine_chunks().dictionary_encode()
        codes = band_codes(bands.dictionary.to_pylist())[bands.indices.to_numpy(zero_copy_only=False)]
        key = _ledger.limit_keys(found.column(2).to_numpy(), codes)
        withdrawn = np.full(len(key), np.nan)
    else:
        key = found.column(1).to_numpy()
        withdrawn = found.column(2).to_numpy()
    order = np.argsort(objects_of, kind="stable")
    offsets = np.searchsorted(objects_of[order], np.arange(len(ids) + 1))
    return offsets, key[order], withdrawn[order]


def store_rows(connection: Any, news: LightCurveNews) -> None:
    """Store the new rows of a light curve table, and replace those that were withdrawn."""
    if len(news.changed):
        key = next(names.id for names in _NAMES if names.table == news.name)
        rows = news.table.take(news.changed, ["healpix29", "diaObjectId", str(key)])
        healpix29 = rows.column("healpix29").to_numpy()
        with incoming(connection, changed=rows):
            for part in ("recent", "sorted"):
                connection.execute(
                    f"DELETE FROM {news.name}_{part} WHERE {sky_range(healpix29, 'healpix29')} "
                    f"AND (diaObjectId, {key}) IN (SELECT diaObjectId, {key} FROM changed)"
                )
    rows = np.union1d(news.rows, news.changed)
    if len(rows):
        with incoming(connection, arrived=conform(news.table.take(rows), news.name)):
            connection.execute(f"INSERT INTO {news.name}_recent BY NAME SELECT * FROM arrived")
