"""New and changed transients of TNS, given to the objects that are stored."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.archive import Archive
from lasair_broker.context import (
    TNS_RADIUS_ARCSEC,
    ContextLoader,
    TnsNews,
    read_tns_news,
    tns_stamp,
    what_made,
)
from lasair_broker.packets import AlertBatch

from ._chore import Chore, Done, Due
from ._renewal import Renewal
from ._sky import WANDERED_ARCSEC, around, number_of_objects, pieces

__all__ = ["TnsChore"]

Int64 = npt.NDArray[np.int64]

_ROWS_AT_ONCE = 20_000
_SECONDS_OF_DAY = 86_400.0
_UNIX_EPOCH_MJD = 40587.0
_TAI_MINUS_UTC_SECONDS = 37.0


class TnsChore(Chore):
    """Computes the objects near transients that are new or have changed anew, and those that had their names.

    Parameters
    ----------
    folder
        Of the list.
    loader
        Of the catalogues that the stream uses.
    renewal
        Computes states anew.
    """

    def __init__(self, archive: Archive, folder: Path, loader: ContextLoader, renewal: Renewal) -> None:
        super().__init__(archive, "tns")
        self._folder, self._loader, self._renewal = folder, loader, renewal
        self._seen: tuple[object, ...] | None = None
        self._made: dict[str, int] = {}

    def due(self) -> Due | None:
        stamp = tns_stamp(self._folder)
        if stamp is None or (seen := (*stamp, self.position)) == self._seen:
            return None
        if self._loader.current().tns is None:
            return None
        news = read_tns_news(self._folder, self.position)
        if self.position > news.newest:  # another list, which counts anew
            news = read_tns_news(self._folder, 0)
        # The catalogue has at least what the list has: it is put into use first.
        catalogue = self._loader.current().tns
        if catalogue is None:
            return None
        self._made[catalogue.version] = news.newest
        if self.position == news.newest:
            self._seen = seen
            return None
        return Due(news.newest, self._given(news))

    def made_up_to(self, batch: AlertBatch) -> int:
        return self._made.get(what_made(batch.tables.get("crossmatch_tns")), 0)

    def _given(self, news: TnsNews) -> Iterator[Done]:
        names = news.rows.column("tns_name").combine_chunks()
        ids = yield from self._near(news.rows, names)
        revision_of = dict(zip(names.to_pylist(), news.revision.tolist(), strict=True))
        arrived = _mjd_tai(news.newest)
        for done in self._renewal.of(ids, lambda batch: _named(batch, names, revision_of), arrived):
            yield done, len(ids)
        count = news.rows.num_rows
        for first in range(0, count, _ROWS_AT_ONCE):
            self._archive.write([], tables={"crossmatch_tns": news.rows.slice(first, _ROWS_AT_ONCE)})
            yield first, count
        positions = self._end(news.newest)
        self._archive.write([], positions=positions, rewound=positions)
        self._ended(positions)

    def _near(self, rows: pa.Table, names: pa.Array) -> Generator[Done, None, list[int]]:
        """The objects near the transients, and those that bear their names though they are near no more."""
        index = around(rows.column("ra"), rows.column("decl"), TNS_RADIUS_ARCSEC)
        wider = around(rows.column("ra"), rows.column("decl"), TNS_RADIUS_ARCSEC + WANDERED_ARCSEC)
        parts = pieces(wider.covering_ranges(), number_of_objects(self._archive))
        near: list[Int64] = [np.zeros(0, np.int64)]
        for number, ranges in enumerate(parts):
            for places in list(self._archive.object_places(ranges)):
                ra, decl = (places.column(name).to_numpy() for name in ("ra", "decl"))
                near.append(
                    places.column("diaObjectId").to_numpy()[np.unique(index.match(ra, decl).position)]
                )
            yield number, len(parts)
        named = self._archive.query(
            'SELECT "diaObjectId", tns_name FROM objects WHERE tns_name IS NOT NULL',
            max_rows=None,
            timeout=None,
        )
        theirs = named.filter(pc.is_in(named.column("tns_name"), value_set=names))
        near.append(theirs.column("diaObjectId").to_numpy())
        ids: list[int] = np.unique(np.concatenate(near)).tolist()
        return ids


def _named(batch: AlertBatch, names: pa.Array, revision_of: dict[str, int]) -> tuple[Int64, Int64]:
    """The objects of a batch that bear one of these names, and the revisions of these."""
    if "tns_name" not in batch.objects.column_names:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    theirs = batch.objects.filter(pc.is_in(batch.objects.column("tns_name"), value_set=names))
    revision = [revision_of[name] for name in theirs.column("tns_name").to_pylist()]
    return theirs.column("diaObjectId").to_numpy(), np.array(revision, np.int64)


def _mjd_tai(microseconds: int) -> float:
    seconds = microseconds / 1e6 + _TAI_MINUS_UTC_SECONDS
    return _UNIX_EPOCH_MJD + seconds / _SECONDS_OF_DAY
