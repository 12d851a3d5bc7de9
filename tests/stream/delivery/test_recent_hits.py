"""The hits at hand are those that the archive would give, for any cursor and however few are held."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hits import hit_rows
from lasair_broker.archive import Archive, open_archive
from lasair_broker.stream.delivery._recent import RecentHits


@given(st.lists(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 4)), max_size=3), max_size=6), st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_they_are_the_archives(
    archive: Archive, commits: list[list[tuple[int, int]]], data: st.DataObject
) -> None:
    base = 1000 * (archive.query("SELECT count(*) FROM filter_hits").column(0)[0].as_py() + 1)
    recent = RecentHits(archive, most=data.draw(st.sampled_from([3, 8, 1000])))
    for number, commit in enumerate(commits):
        for place, (filter_id, count) in enumerate(commit):
            first = base + 100 * number + 10 * place
            archive.write([], tables={"filter_hits": hit_rows(filter_id, range(first, first + count))})
        if data.draw(st.booleans()):
            recent.look()
    recent.look()
    for filter_id in (1, 2, 3):
        every = archive.hits_after(filter_id, (0.0, ""), limit=10_000)
        places = [(0.0, "")]
        places += zip(
            every.column("committedMjdTai").to_pylist(), every.column("hitId").to_pylist(), strict=True
        )
        assert recent.newest(filter_id) == places[-1][0]
        for after in (*places[:2], *places[-6:]):
            limit = data.draw(st.integers(1, 5))
            # By number: the times themselves are those of the clock, which hypothesis cannot repeat.
            back = data.draw(st.integers(0, 3))
            until = None if back == 0 else places[-min(back, len(places))][0]
            found = recent.after(filter_id, after, until, limit)
            expected = archive.hits_after(filter_id, after, until=until, limit=limit)
            if found is not None:
                assert found.column("hitId").to_pylist() == expected.column("hitId").to_pylist()


def test_new_hits_are_at_hand(tmp_path: Path) -> None:
    with open_archive(tmp_path / "archive") as archive:
        archive.write([], tables={"filter_hits": hit_rows(1, range(3))})
        recent = RecentHits(archive)
        recent.look()
        assert recent.after(1, (0.0, ""), None, 10) is None, "these are left to the archive"
        (last,) = archive.hits_after(1, (0.0, ""), limit=10).column("committedMjdTai").unique().to_pylist()
        archive.write([], tables={"filter_hits": hit_rows(1, range(3, 5))})
        recent.look()
        found = recent.after(1, (last + 1e-12, ""), None, 10)
        assert found is None or found.num_rows == 2
        archive.write([], tables={"filter_hits": hit_rows(2, range(5))})
        recent.look()
        at_hand = recent.after(2, (0.0, ""), None, 3)
        assert at_hand is not None
        assert at_hand.equals(archive.hits_after(2, (0.0, ""), limit=3).cast(at_hand.schema))
