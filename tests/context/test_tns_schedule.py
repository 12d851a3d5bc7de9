"""Which lists of TNS are fetched when: nothing is left out, nothing is asked for before it is there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lasair_broker.context import lists_due

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
START = datetime(2026, 2, 27, 13, 20, tzinfo=UTC)


def span(name: str, now: datetime) -> tuple[datetime, datetime]:
    """The time whose reports a list has, and so the time from which on it can be there."""
    told = name.removeprefix("tns_public_objects").removesuffix(".csv.zip").removeprefix("_")
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if not told:
        return datetime.min.replace(tzinfo=UTC), today if now - today >= timedelta(
            minutes=30
        ) else today - DAY
    if len(told) == 2:
        return today + int(told) * HOUR, today + (int(told) + 1) * HOUR
    begin = datetime.strptime(told, "%Y%m%d").replace(tzinfo=UTC)
    return begin, begin + DAY


@given(st.lists(st.timedeltas(timedelta(minutes=1), timedelta(days=5)), min_size=1, max_size=12))
def test_whatever_the_times_of_looking(steps: list[timedelta]) -> None:
    now, known = START, None
    complete = datetime.min.replace(tzinfo=UTC)  # by whole lists and those of days alone
    for step in steps:
        now += step
        for each in lists_due(known, now):
            begin, end = span(each.name, now)
            assert end <= now, "it cannot be there yet"
            if each.may_lack:
                assert end - begin == HOUR
            else:
                assert begin <= complete, "there is a gap between the lists"
                complete = max(complete, end)
            assert each.until <= end
            known = each.until
        assert known is not None
        assert known <= now
        # Right after midnight there is no list of the day before, and the names of its hours mean today.
        midnight = now.hour == 0 and now.minute < 30
        assert now - known <= HOUR + timedelta(minutes=30) or midnight, "all that is there is fetched"
        assert now - complete <= DAY + timedelta(minutes=30)
        assert lists_due(known, now) == []


def test_a_night_as_it_goes() -> None:
    now = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)
    names = [each.name for each in lists_due(None, now)]
    assert names == [
        "tns_public_objects.csv.zip",
        "tns_public_objects_00.csv.zip",
        "tns_public_objects_01.csv.zip",
    ]
    known = lists_due(None, now)[-1].until
    assert [each.name for each in lists_due(known, now + HOUR)] == ["tns_public_objects_02.csv.zip"]
    last = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
    after = datetime(2026, 3, 2, 0, 40, tzinfo=UTC)
    assert [each.name for each in lists_due(last, after)] == ["tns_public_objects_20260301.csv.zip"]
    behind = lists_due(last - 4 * DAY, after)
    assert behind[0].name == "tns_public_objects.csv.zip"
