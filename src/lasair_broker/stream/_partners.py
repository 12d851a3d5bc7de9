"""The last stage: objects of other surveys at the places of a batch's objects."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.archive import Archive, ArchiveError
from lasair_broker.context import (
    PARTNER_COLUMNS,
    PARTNER_RADIUS_ARCSEC,
    PlaceIndex,
    in_solar_system,
    partner_rows,
)
from lasair_broker.packets import AlertBatch, is_ztf_object_id
from lasair_broker.schema import arrow_schema

__all__ = ["KnownObjects", "match_partners"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_MOVED_ARCSEC = 0.1
"""An object is entered once more when its position has changed by so much."""

_WITHIN_ARCSEC = PARTNER_RADIUS_ARCSEC + _MOVED_ARCSEC + 0.01

_PASSED = 4
"""Batches that are kept in mind: while one is committed the next is processed, and messages of one call may
be several batches."""

_LOADED_AT_ONCE = 1_000_000

_SCHEMA = pa.schema([field for field in arrow_schema("objects") if field.name in PARTNER_COLUMNS])


class KnownObjects:
    """Where all objects of the archive are, by survey, and the states of those that are asked for.

    The places are read when the first batch comes, and those of each batch are added: 17 MB for a million
    objects. States are read in the archive, only of objects near those of a batch.

    Attributes
    ----------
    archive
        Where objects are read; None for batches that stand for themselves.
    """

    def __init__(self, archive: Archive | None = None) -> None:
        self.archive = archive
        self._loaded: Archive | None = None
        self._places = {True: PlaceIndex(), False: PlaceIndex()}
        self._passed: deque[pa.Table] = deque(maxlen=_PASSED)

    def add(self, objects: pa.Table, ztf: bool) -> None:
        """Enter the objects of a batch, with their places and states."""
        if self._loaded is not self.archive and self.archive is not None:
            self._load(self.archive)
        ids = objects["diaObjectId"].to_numpy()
        ra, decl = (objects[name].to_numpy().astype(np.float64) for name in ("ra", "decl"))
        index = self._places[ztf]
        position, number = index.near(ra, decl, _MOVED_ARCSEC)
        new = np.ones(len(ids), np.bool_)
        new[position[ids[position] == number]] = False
        self._places[ztf] = index.with_places(ids[new], ra[new], decl[new])
        self._passed.append(objects)

    def near(self, objects: pa.Table, ztf: bool) -> Int64:
        """The numbers of the objects of ZTF, or of other surveys, that may be near any of these."""
        ra, decl = (objects[name].to_numpy().astype(np.float64) for name in ("ra", "decl"))
        return np.unique(self._places[ztf].near(ra, decl, _WITHIN_ARCSEC)[1])

    def states(self, ids: Int64) -> pa.Table:
        """The newest states of objects: of batches on their way, else of the archive."""
        found = [_SCHEMA.empty_table()]
        for objects in reversed(self._passed):
            here = np.isin(objects["diaObjectId"].to_numpy(), ids)
            if here.any():
                found.append(objects.filter(pa.array(here)))
                ids = ids[~np.isin(ids, found[-1]["diaObjectId"].to_numpy())]
        if len(ids) and self.archive is not None:
            found.append(_held(self.archive, ids).select(_SCHEMA.names).cast(_SCHEMA))
        return pa.concat_tables(found)

    def _load(self, archive: Archive) -> None:
        self._places = {True: PlaceIndex(), False: PlaceIndex()}
        for places in archive.object_places(batch_rows=_LOADED_AT_ONCE):
            ids = places["diaObjectId"].to_numpy()
            ra, decl = (places[name].to_numpy().astype(np.float64) for name in ("ra", "decl"))
            is_ztf = is_ztf_object_id(ids)
            for ztf in (True, False):
                mine = is_ztf == ztf
                self._places[ztf] = self._places[ztf].with_places(ids[mine], ra[mine], decl[mine])
        self._loaded = archive


def _held(archive: Archive, ids: Int64) -> pa.Table:
    try:
        return archive.rows_of_objects("objects", ids.tolist(), PARTNER_COLUMNS)
    except ArchiveError:
        # After a disk was full an archive is opened anew, which breaks off what is being read.
        return archive.rows_of_objects("objects", ids.tolist(), PARTNER_COLUMNS)


def match_partners(batch: AlertBatch, known: KnownObjects) -> AlertBatch:
    """The batch with table `partners`: pairs of its objects with those of other surveys, both ways.

    Objects that compete for a partner are ranked anew with it, though they are not of the batch. Bodies of
    the solar system have no partners.
    """
    if known.archive is None:
        return batch
    ztf = batch.survey == "ztf"
    objects = _states(batch).filter(pa.array(~in_solar_system(batch)))
    known.add(objects, ztf)
    about = known.near(objects, not ztf)
    rows = arrow_schema("partners").empty_table()
    if len(about):
        asked = known.states(about)
        rivals = known.states(known.near(asked, ztf))
        others = known.states(known.near(rivals, not ztf))
        rows = partner_rows(rivals, others, about)
    return batch.with_table("partners", rows)


def _states(batch: AlertBatch) -> pa.Table:
    objects = batch.objects
    columns = [
        objects[field.name].cast(field.type, safe=False)
        if field.name in objects.column_names
        else pa.nulls(objects.num_rows, field.type)
        for field in _SCHEMA
    ]
    return pa.table(columns, schema=_SCHEMA)
