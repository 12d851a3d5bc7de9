"""The sums of the stages, kept by night, against sums by hand."""

from __future__ import annotations

from typing import Any

from lasair_broker.archive import Archive
from lasair_broker.stream import NightKeeper, Progress, StageTimes


class _Time:
    def __init__(self) -> None:
        self.mjd, self.seconds = 61000.9, 0.0


def _keeper(archive: Archive, times: StageTimes, at: _Time) -> NightKeeper:
    return NightKeeper(archive, times, now=lambda: at.mjd, clock=lambda: at.seconds)


def _commit(archive: Archive, keeper: NightKeeper) -> bool:
    rows = keeper.tables([], {})
    archive.write([], tables=rows)
    keeper.committed()
    return bool(rows)


def _held(archive: Archive) -> dict[tuple[int, str], dict[str, Any]]:
    rows = archive.query('SELECT * FROM stage_nights ORDER BY "night", "stage"', max_rows=None).to_pylist()
    return {(row["night"], row["stage"]): row for row in rows}


def test_rows_follow_the_nights(archive: Archive) -> None:
    at, times = _Time(), StageTimes()
    keeper = _keeper(archive, times, at)
    times.add("read", 100, 2.0, 1.0)
    times.add("sky", 100, 4.0, 3.0, failures=1)
    for waiting in (30, 10):
        keeper.seen(Progress(lag={("alerts", 0): waiting - 1, ("alerts", 1): 1}))
    assert _commit(archive, keeper)
    times.add("sky", 50, 1.0, 1.0)
    at.seconds = 59.0
    assert not _commit(archive, keeper)  # not so soon
    at.seconds = 61.0
    assert _commit(archive, keeper)
    held = _held(archive)
    assert (held[61000, "read"]["lagMean"], held[61000, "read"]["lagMax"]) == (20.0, 30)
    assert held[61000, "sky"]["lagMax"] is None
    assert [held[61000, "sky"][name] for name in ("alerts", "seconds", "cpuSeconds", "failures")] == [
        150, 5.0, 4.0, 1,
    ]  # fmt: skip
    times.add("sky", 5, 0.5)
    at.mjd, at.seconds = 61001.6, 62.0  # past noon at UTC - 12 h
    keeper.tables([], {})  # a commit that fails: nothing of the night that ended may be lost
    times.add("sky", 7, 0.5)
    assert _commit(archive, keeper)
    keeper.finish()
    held = _held(archive)
    assert {key: row["alerts"] for key, row in held.items()} == {
        (61000, "read"): 100, (61000, "sky"): 155, (61001, "sky"): 7,
    }  # fmt: skip
    assert len({row["worker"] for row in held.values()}) == 1


def test_processes_beside_each_other_do_not_overwrite(archive: Archive) -> None:
    at = _Time()
    for count in (3, 4):
        times = StageTimes()
        times.add("sky", count, 1.0)
        _keeper(archive, times, at).finish()
    rows = archive.query('SELECT "alerts" FROM stage_nights', max_rows=None)
    assert sorted(rows["alerts"].to_pylist()) == [3, 4]
