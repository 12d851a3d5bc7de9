"""Which rows are new: the kernels against sets of Python."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lasair_broker.archive import _ledger


def sums(rows: list[tuple[int, float]]) -> np.uint64:
    keys = np.array([key for key, _ in rows], np.int64)
    withdrawn = np.array([when or np.nan for _, when in rows])
    return _ledger.row_hashes(keys, withdrawn).sum(dtype=np.uint64)


curve = st.lists(
    st.tuples(st.integers(-(2**63), 2**63 - 1), st.sampled_from([0.0, 61_000.5])),
    unique_by=lambda row: row[0],
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(curve, st.integers(0, 14), st.integers(0, 14), st.booleans()), max_size=5))
@example([([(1, 0.0), (2, 0.0)], 0, 1, False)])
def test_new_rows_are_those_not_held(cases):
    """Each object holds rows `first` to `first + count` of its packet's curve; some are withdrawn only
    now."""
    offsets = np.cumsum([0, *(len(rows) for rows, *_ in cases)])
    rows = [row for case in cases for row in case[0]]
    held_rows = []
    for packet, first, count, fresh in cases:
        stored = packet[first : first + count]
        # As stored, none had been withdrawn, if they are withdrawn only now.
        held_rows.append([(key, 0.0 if fresh else when) for key, when in stored])
    key = np.array([k for k, _ in rows], np.int64)
    time = np.arange(len(rows), dtype=float)
    withdrawn = np.array([when or np.nan for _, when in rows])
    hashes = _ledger.row_hashes(key, withdrawn)
    held = np.array([len(stored) for stored in held_rows], np.int64)
    held_sum = np.array([sums(stored) for stored in held_rows], np.uint64)

    new, doubtful, count, total = _ledger.extend(offsets, key, time, hashes, held, held_sum)
    for i, (packet, *_) in enumerate(cases):
        extends = not packet or packet[: len(held_rows[i])] == held_rows[i]
        assert doubtful[i] == (not extends)
        if not extends:
            assert not new[offsets[i] : offsets[i + 1]].any()
    objects = np.flatnonzero(doubtful)
    stored = [row for i in objects for row in reversed(held_rows[i])]
    changed = _ledger.compare(
        objects,
        offsets,
        key,
        time,
        withdrawn,
        hashes,
        np.cumsum([0, *(len(held_rows[i]) for i in objects)]),
        np.array([k for k, _ in stored], np.int64),
        np.array([when or np.nan for _, when in stored]),
        new,
        count,
        total,
    )
    for i, (packet, *_) in enumerate(cases):
        before = dict(held_rows[i])
        mine = slice(int(offsets[i]), int(offsets[i + 1]))
        assert new[mine].tolist() == [k not in before for k, _ in packet]
        assert changed[mine].tolist() == [k in before and bool(when) and not before[k] for k, when in packet]
        after = before | {k: when for k, when in packet if when or k not in before}
        assert count[i] == len(after)
        assert total[i] == sums(list(after.items()))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(curve, st.integers(0, 14), st.integers(0, 14), st.integers(-1, 1)), max_size=5))
def test_a_packet_that_lacks_the_oldest_rows_extends_what_is_held_if_these_are_known(cases):
    """Each packet begins at row `first` of a curve of which `count` rows are held; `wrong` of the older ones
    more, or fewer, are taken for known."""
    packets = [rows[first:] for rows, first, *_ in cases]
    offsets = np.cumsum([0, *map(len, packets)])
    sent = [row for packet in packets for row in packet]
    key = np.array([k for k, _ in sent], np.int64)
    hashes = _ledger.row_hashes(key, np.array([when or np.nan for _, when in sent]))
    held_rows = [rows[:count] for rows, _, count, _ in cases]
    known = [rows[: max(0, first + wrong)] for rows, first, _, wrong in cases]
    object_row = np.repeat(np.arange(len(cases)), [len(rows) for rows in known])
    flat = [row for rows in known for row in rows]
    known_hashes = _ledger.row_hashes(
        np.array([k for k, _ in flat], np.int64), np.array([when or np.nan for _, when in flat])
    )
    before = _ledger.row_sums(object_row, known_hashes, len(cases))
    assert before[0].tolist() == [len(rows) for rows in known]
    assert before[1].tolist() == [int(sums(rows)) for rows in known]

    held = np.array([len(rows) for rows in held_rows], np.int64)
    held_sum = np.array([sums(rows) for rows in held_rows], np.uint64)
    new, doubtful, count, total = _ledger.extend(
        offsets, key, np.arange(len(sent), dtype=float), hashes, held, held_sum, *before
    )
    for i, packet in enumerate(packets):
        overlap = len(held_rows[i]) - len(known[i])
        extends = not packet or (
            overlap >= bool(known[i])
            and sorted(known[i] + packet[:overlap]) == sorted(held_rows[i])
            and overlap <= len(packet)
        )
        assert doubtful[i] == (not extends)
        mine = slice(int(offsets[i]), int(offsets[i + 1]))
        if not extends or not packet:
            assert not new[mine].any()
            continue
        stored = dict(held_rows[i])
        assert new[mine].tolist() == [k not in stored for k, _ in packet]
        assert count[i] == len(stored | dict(packet))
        assert total[i] == sums(list((stored | dict(packet)).items()))


def test_a_row_given_twice_is_new_once():
    key = np.array([5, 5, 6], np.int64)
    time = np.array([1.0, 1.0, 2.0])
    hashes = _ledger.row_hashes(key, np.full(3, np.nan))
    new, doubtful, count, total = _ledger.extend(
        np.array([0, 3]), key, time, hashes, np.zeros(1, np.int64), np.zeros(1, np.uint64)
    )
    assert new.tolist() == [True, False, True]
    assert not doubtful.any()
    assert count.tolist() == [2]
    assert total[0] == hashes[0] + hashes[2]


def test_hashes_tell_withdrawn_rows_and_keys_of_limits_tell_bands_and_times():
    keys = np.arange(1000)
    hashes = np.concatenate([_ledger.row_hashes(keys, np.full(1000, when)) for when in (np.nan, 61_000.0)])
    assert len(np.unique(hashes)) == 2000
    times = np.repeat(61_000.0 + np.arange(100) * 1e-9, 7)
    limits = _ledger.limit_keys(times, np.tile(np.arange(-1, 6), 100).astype(np.int8))
    assert len(np.unique(limits)) == len(np.unique(np.repeat(times, 1))) * 7
