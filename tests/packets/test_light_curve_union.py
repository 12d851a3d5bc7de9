"""Uniting light curves against the plainest way of doing it, with every kind of trouble."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.packets import BANDS, SourceColumns
from lasair_broker.packets._unite import Keys, unite

# Few distinct values, so that doubles and ties are common.
ROW = st.fixed_dictionaries(
    {
        "time": st.sampled_from([60001.0, 60002.0, 60003.0, 60004.0, math.nan, 0.0]),
        "identity": st.integers(0, 5),
        "named": st.booleans() | st.just(value=True),
        "processed": st.sampled_from([10.0, 11.0, math.nan]),
        "withdrawn": st.sampled_from([math.nan, math.nan, 20.0]),
    }
)
ALERT = st.tuples(st.integers(-1, 3), ROW, st.lists(ROW, max_size=6))


def columns(rows: list[dict[str, float]], name: str) -> SourceColumns:
    def doubles(key: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([row[key] for row in rows], np.float64)

    values = {
        "midpointMjdTai": doubles("time"),
        "timeProcessedMjdTai": doubles("processed"),
        "timeWithdrawnMjdTai": doubles("withdrawn"),
        name: np.array([row["identity"] for row in rows], np.int64 if name != "band" else np.int8),
    }
    named = np.array([row["named"] for row in rows], np.bool_)
    return SourceColumns(len(rows), values, {name: named}, {"band": BANDS[::-1]} if name == "band" else {})


def plainly(
    alerts: list[tuple[int, dict[str, float], list[dict[str, float]]]],
    own: bool,
    by_identity: bool,
    objects: int,
) -> list[list[int]]:
    """For each object the rows kept, as indices into all rows: own detections first, then histories."""
    detections = len(alerts) if own else 0
    out = []
    for number in range(objects):
        best: dict[tuple[float, ...], tuple[tuple[float, ...], int, dict[str, float]]] = {}
        place = detections
        arrival = 0
        for alert, (its_object, detection, history) in enumerate(alerts):
            candidates = [(place + i, row) for i, row in enumerate(history)]
            place += len(history)
            if own:
                candidates.append((alert, detection))
            if its_object != number:
                continue
            for index, row in candidates:
                arrival += 1
                if not row["time"] > 0 or not row["named"]:
                    continue
                key = (row["identity"],) if by_identity else (row["time"], row["identity"])
                processed = -math.inf if math.isnan(row["processed"]) else row["processed"]
                rank = (not math.isnan(row["withdrawn"]), processed, index < detections, arrival)
                if key not in best or rank > best[key][0]:
                    best[key] = (rank, index, row)
        kept = sorted(best.values(), key=lambda found: (found[2]["time"], found[2]["identity"]))
        out.append([index for _, index, _ in kept])
    return out


@settings(max_examples=200, deadline=None)
@given(st.lists(ALERT, max_size=8), st.booleans(), st.booleans())
def test_united_rows(
    alerts: list[tuple[int, dict[str, float], list[dict[str, float]]]], own: bool, by_identity: bool
) -> None:
    history = [row for _, _, rows in alerts for row in rows]
    name = "diaSourceId" if by_identity else "band"
    parts = [columns(history, name)]
    if own:
        parts.insert(0, columns([detection for _, detection, _ in alerts], name))
    if not by_identity:
        # The words stand in reverse order; a band's rank is its place in BANDS.
        for part in parts:
            part.values[name][:] = 5 - part.values[name]
    offsets = np.concatenate(([0], np.cumsum([len(rows) for _, _, rows in alerts]))).astype(np.int64)
    object_of_alert = np.array([number for number, _, _ in alerts], np.int64)
    order, spans = unite(
        Keys(parts, name), object_of_alert, 4, offsets, len(alerts) if own else 0, by_identity
    )
    got = [order[spans[i] : spans[i + 1]].tolist() for i in range(4)]
    assert got == plainly(alerts, own, by_identity, 4)


def test_no_rows_at_all() -> None:
    order, spans = unite(
        Keys([columns([], "diaSourceId")], "diaSourceId"),
        np.zeros(0, np.int64),
        0,
        np.zeros(1, np.int64),
        0,
    )
    assert len(order) == 0
    assert spans.tolist() == [0]
