"""From the rows that filters gave on a batch to rows of table `filter_hits`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.query import OBJECT, Hits
from lasair_broker.schema import arrow_schema

from ._content import objects_as_json
from ._identity import Cause, hit_ids
from ._plans import Plan
from ._subjects import Subjects

__all__ = ["Matches", "hits_of", "matches_of"]

Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_TRIGGERS = {Cause.ALERT: "alert", Cause.ANNOTATION: "annotation", Cause.CONTEXT: "context"}


@dataclass(frozen=True, slots=True)
class Matches:
    """What one filter gave: for each row the place of its object among the subjects, and the selected
    columns."""

    plan: Plan
    subject: Int64
    rows: pa.Table

    def __len__(self) -> int:
        return len(self.subject)

    def keep(self, which: Bools) -> Matches:
        """Only some of the rows."""
        if which.all():
            return self
        return Matches(self.plan, self.subject[which], self.rows.filter(pa.array(which)))

    def first_of_objects(self) -> Matches:
        """One row an object."""
        _, first = np.unique(self.subject, return_index=True)
        which = np.zeros(len(self), np.bool_)
        which[first] = True
        return self.keep(which)


def matches_of(plan: Plan, hits: Hits, subjects: Subjects) -> Matches:
    """The rows of a filter that are of subjects; others come of rows that a joined table has of others."""
    objects = hits.rows.column(OBJECT)
    if objects.null_count:
        objects = pc.fill_null(objects, np.iinfo(np.int64).min)
    place = subjects.places(objects.to_numpy().astype(np.int64))
    return Matches(plan, place, hits.rows.select(list(plan.names))).keep(place >= 0)


def hits_of(matches: Sequence[Matches], subjects: Subjects) -> pa.Table:
    """Rows of table `filter_hits`; without committedMjdTai, which the archive adds."""
    schema = arrow_schema("filter_hits")
    some = [each for each in matches if len(each)]
    if not some:
        return schema.empty_table()
    counts = [len(each) for each in some]
    once = np.repeat([each.plan.filter.renotify.once for each in some], counts)
    filters, versions = (np.repeat([each.plan.key[part] for each in some], counts) for part in (0, 1))
    subject = np.concatenate([each.subject for each in some])
    contents = [objects_as_json(each.rows) for each in some]
    ordinal = np.concatenate([_ordinals(e.subject, c) for e, c in zip(some, contents, strict=True)])
    number = subjects.number[subject]
    diaObjectId = subjects.diaObjectId[subject]
    ids = hit_ids(
        np.where(once, Cause.OBJECT, subjects.cause).astype(np.int64),
        filters,
        np.where(once, 0, versions),
        np.where(once, diaObjectId, number),
        ordinal,
    )
    by_alert = subjects.cause is Cause.ALERT
    trigger = _TRIGGERS[subjects.cause]
    columns = {
        "hitId": ids,
        "filterId": pa.array(filters),
        "filterVersion": pa.array(versions),
        "diaObjectId": pa.array(diaObjectId),
        "diaSourceId": pa.array(number) if by_alert else pa.nulls(len(subject), pa.int64()),
        "trigger": pa.repeat(trigger, len(subject)),
        "content": pa.chunked_array(contents),
        "exposureEndMjdTai": pa.array(subjects.exposureEndMjdTai[subject], from_pandas=True),
        "arrivedMjdTai": pa.array(subjects.arrivedMjdTai[subject], from_pandas=True),
    }
    columns |= {f.name: pa.nulls(len(subject), f.type) for f in schema if f.name not in columns}
    return pa.table([columns[name] for name in schema.names], names=schema.names).cast(schema)


def _ordinals(subject: Int64, contents: pa.Array) -> Int64:
    """0 for the only row of an object; several rows of one are numbered in the order of their contents."""
    result = np.zeros(len(subject), np.int64)
    _, place, count = np.unique(subject, return_inverse=True, return_counts=True)
    several = np.flatnonzero(count[place] > 1)
    if len(several):
        texts = np.asarray(contents.take(pa.array(several)).to_pylist(), object)
        order = np.lexsort((_ranks(texts), subject[several]))
        sorted_subject = subject[several][order]
        begins = np.flatnonzero(np.r_[True, sorted_subject[1:] != sorted_subject[:-1]])
        lengths = np.diff(np.r_[begins, len(order)])
        result[several[order]] = np.arange(len(order)) - np.repeat(begins, lengths)
    return result


def _ranks(texts: npt.NDArray[np.object_]) -> Int64:
    _, ranks = np.unique(texts, return_inverse=True)
    return np.asarray(ranks, np.int64)
