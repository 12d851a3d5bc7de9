"""Changed catalogues and rules, applied to the objects that are stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.archive import Archive, Rematch
from lasair_broker.context import ContextLoader, ContextResources, classify_objects, what_made
from lasair_broker.lightcurve import HOST_COLUMNS
from lasair_broker.packets import AlertBatch, mjd_tai_now
from lasair_broker.schema import conform

from ._chore import Chore, Done, Due
from ._renewal import Renewal, Revisions
from ._sky import number_of_objects, whole_sky

__all__ = ["CatalogueChore"]

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

_PLACE = ("diaObjectId", "ra", "decl", "lastDiaSourceMjdTai")


class CatalogueChore(Chore):
    """Gives every object a verdict by the catalogues and rules that are in use.

    Each verdict says by which configuration it is, so that what is out of date can be told, and work that was
    broken off goes on where it was. A verdict from which no feature would follow that the object has not is
    replaced as it is; else the object is computed anew.

    While a catalogue that was there is missing or damaged nothing is done: the verdicts with it are better
    than those without.

    Parameters
    ----------
    loader
        Of the catalogues that the stream uses.
    renewal
        Computes states anew.
    """

    def __init__(self, archive: Archive, loader: ContextLoader, renewal: Renewal) -> None:
        super().__init__(archive, "context")
        self._loader, self._renewal = loader, renewal

    def due(self) -> Due | None:
        resources = self._loader.current()
        if resources.sources is None or any(state.state != "ok" for state in self._loader.states.values()):
            return None
        target = _number(resources.sources.digest)
        return None if target == self.position else Due(target, self._judged(resources, target))

    @property
    def _reached(self) -> int:
        return self.position if self._target is None else self._target

    def made_up_to(self, batch: AlertBatch) -> int:
        made = what_made(batch.tables.get("sherlock_classifications"))
        # Numbers of configurations have no order: what is not the same is behind.
        return self._reached if made and _number(made) == self._reached else 0

    def _judged(self, resources: ContextResources, target: int) -> Iterator[Done]:
        total = number_of_objects(self._archive)
        done = 0
        for ranges in whole_sky(total):
            for places in list(self._archive.object_places(ranges)):
                ids = places.column("diaObjectId").to_numpy()
                again = self._rejudged(ids, resources)
                for renewed in self._renewal.of(
                    again.tolist(), self._changes_of(again, target), mjd_tai_now()
                ):
                    yield min(done + renewed, total), total
                done += len(ids)
            yield min(done, total), total
            if not self._is_in_use(resources):
                return  # another catalogue has changed meanwhile: what is left is due again
        positions = self._end(target)
        self._archive.write([], positions=positions, rewound=positions)
        self._ended(positions)

    def _is_in_use(self, resources: ContextResources) -> bool:
        now = self._loader.current().sources
        return now is not None and resources.sources is not None and now.digest == resources.sources.digest

    def _rejudged(self, ids: Int64, resources: ContextResources) -> Int64:
        """Replace verdicts that are out of date; the objects whose features they change are left, and those
        without a verdict."""
        assert resources.sources is not None  # noqa: S101 - for the type checker
        held = self._archive.rows_of_objects("sherlock_classifications", ids.tolist())
        configuration = resources.sources.digest
        current = pc.fill_null(pc.equal(held.column("configuration"), configuration), False)
        now = held.filter(current).column("diaObjectId").to_numpy()
        held = held.filter(pc.invert(current))
        judged = held.column("diaObjectId").to_numpy()
        objects = self._archive.rows_of_objects("objects", judged.tolist(), _PLACE)
        verdicts, matches = classify_objects(objects, resources)
        verdicts = conform(verdicts, "sherlock_classifications")
        same = verdicts.filter(pa.array(_equal(verdicts, held))).column("diaObjectId").to_numpy()
        if len(same):
            only = pa.array(same)
            self._archive.rematch(
                {
                    name: Rematch(
                        "diaObjectId",
                        same.tolist(),
                        rows.filter(pc.is_in(rows.column("diaObjectId"), value_set=only)),
                    )
                    for name, rows in (
                        ("sherlock_classifications", verdicts),
                        ("sherlock_crossmatches", matches),
                    )
                }
            )
        return ids[~np.isin(ids, np.concatenate([now, same]))]

    def _changes_of(self, ids: Int64, target: int) -> Revisions:
        held = self._archive.rows_of_objects(
            "sherlock_classifications", ids.tolist(), ("diaObjectId", *HOST_COLUMNS)
        )

        def changed(batch: AlertBatch) -> tuple[Int64, Int64]:
            """Objects that had another verdict before; a first verdict is no news."""
            rows = batch.tables.get("sherlock_classifications")
            if rows is None:
                return np.zeros(0, np.int64), np.zeros(0, np.int64)
            rows = conform(rows, "sherlock_classifications")
            known = pc.is_in(
                rows.column("diaObjectId"), value_set=held.column("diaObjectId").combine_chunks()
            )
            news = rows.filter(pa.array(known.to_numpy() & ~_equal(rows, held)))
            numbers = news.column("diaObjectId").to_numpy()
            return numbers, np.full(len(numbers), target, np.int64)

        return changed


def _equal(rows: pa.Table, others: pa.Table) -> Bool:
    """Which rows have a row among others of the same object from which the same features follow."""
    place = pc.index_in(rows.column("diaObjectId"), value_set=others.column("diaObjectId").combine_chunks())
    equal = place.is_valid().to_numpy().copy()
    for name in HOST_COLUMNS:
        now, was = rows.column(name), others.column(name).take(place)
        same = pc.or_(pc.fill_null(pc.equal(now, was), False), pc.and_(now.is_null(), was.is_null()))
        equal &= same.to_numpy()
    return np.asarray(equal, np.bool_)


def _number(configuration: str) -> int:
    """A configuration as a position of the archive: 62 bits of its hash, never 0."""
    return 1 + (int.from_bytes(hashlib.sha256(configuration.encode()).digest()[:8], "big") >> 2)
