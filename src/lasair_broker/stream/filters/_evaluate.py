"""All filters on the objects of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.query import BatchFrame, Hits

from ._hits import Matches, hits_of, matches_of
from ._plans import Plan
from ._renotify import to_tell
from ._subjects import Subjects

__all__ = ["RunFilter", "Told", "evaluate"]

RunFilter = Callable[[Plan, BatchFrame, int], Hits | None]
"""Runs one filter on a frame with so many objects; None if it gave nothing because it failed."""

Told = Callable[[Sequence[int], Sequence[int], Sequence[str]], pa.Table]
"""For filters and objects, by their numbers, the newest hit of each: some columns of table `filter_hits`."""

_TIMES = ("filterId", "diaObjectId", "arrivedMjdTai", "committedMjdTai")


def evaluate(
    plans: Sequence[Plan], frame: BatchFrame, subjects: Subjects, run: RunFilter, told: Told
) -> pa.Table:
    """The hits of filters on a frame: rows of table `filter_hits`.

    Parameters
    ----------
    subjects
        The objects to be told of, and what is new of each.
    told
        Asked once, for filters that do not tell at every match.
    """
    matches = []
    for plan in plans:  # over filters, not alerts
        hits = run(plan, frame, len(subjects))
        if hits is not None and hits.rows.num_rows:
            matches.append(matches_of(plan, hits, subjects))
    return hits_of(_by_their_rules(matches, subjects, told), subjects)


def _by_their_rules(matches: Sequence[Matches], subjects: Subjects, told: Told) -> list[Matches]:
    """Without the objects that are not to be told of again. With a rule, an object is told of by one row."""
    ruled = [each for each in matches if not each.plan.filter.renotify.always and len(each)]
    if not ruled:
        return list(matches)
    objects = np.unique(np.concatenate([each.subject for each in ruled]))
    by_content = any(each.plan.filter.renotify.columns for each in ruled)
    columns = (*_TIMES, "content") if by_content else _TIMES
    earlier = told([each.plan.key[0] for each in ruled], subjects.diaObjectId[objects].tolist(), columns)
    of_filter = earlier.column("filterId")
    result = []
    for each in matches:
        if each.plan.filter.renotify.always:
            result.append(each)
            continue
        first = each.first_of_objects()
        mine = earlier.filter(pc.equal(of_filter, each.plan.key[0]))
        rule = each.plan.filter.renotify
        place = first.subject
        tell = to_tell(rule, subjects.diaObjectId[place], subjects.arrivedMjdTai[place], first.rows, mine)
        result.append(first.keep(tell))
    return result
