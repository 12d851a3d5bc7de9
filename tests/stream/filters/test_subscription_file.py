"""Filters, lists and maps in a YAML file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from lasair_broker.stream import Renotify, SubscriptionFile, SubscriptionFileError, TriggeredBy

GOOD = """
filters:
  - id: 7
    version: 2
    name: young
    adql: SELECT diaObjectId, ra FROM objects WHERE nDiaSources < 4
    trigger: both
    renotify: {days: 7, columns: [ra]}
  - id: 8
    name: listed
    selected: objects.diaObjectId
    tables: objects, watchlist:1
    conditions: objects.ra > 10
watchlists:
  - {id: 1, file: list.csv, radius: 3}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "list.csv").write_text("ra,dec,name\n10,-20,a\n30,-40,b\n")
    (tmp_path / "wishes.yaml").write_text(GOOD)
    return tmp_path / "wishes.yaml"


def rewrite(path: Path, text: str) -> None:
    before = path.stat().st_mtime_ns
    path.write_text(text)
    os.utime(path, ns=(before + 10**9, before + 10**9))


def test_what_is_in_the_file(path: Path) -> None:
    wishes = SubscriptionFile(path)
    young, listed = wishes.filters().filters
    assert (young.filter_id, young.version, young.name) == (7, 2, "young")
    assert (young.triggered_by, young.renotify) == (TriggeredBy.BOTH, Renotify(days=7.0, columns=("ra",)))
    assert (listed.version, listed.renotify, set(listed.query.tables)) == (
        1, Renotify(), {"objects", "watchlist_hits"},
    )  # fmt: skip
    assert len(wishes.lists().watchlists) == 2
    assert wishes.filters() is wishes.filters()
    assert wishes.lists() is wishes.lists()
    assert wishes.annotations(5, 10)[1] == 5


def test_changes_are_taken_over_and_faults_are_not(path: Path) -> None:
    wishes = SubscriptionFile(path)
    filters, lists = wishes.filters(), wishes.lists()
    rewrite(path, GOOD.replace("nDiaSources < 4", "nDiaSources < 5"))
    assert wishes.filters() is not filters
    assert wishes.lists() is lists, "a list of a million rows is not read again for a filter"
    filters = wishes.filters()
    with capture_logs() as logs:
        rewrite(path, GOOD.replace("nDiaSources < 4", "nDiaSource < 5"))
        assert wishes.filters() is filters
        assert wishes.filters() is filters
    (log,) = logs
    assert "did you mean nDiaSources" in log["reason"]
    path.unlink()
    assert wishes.filters() is filters


@pytest.mark.parametrize(
    ("was", "now", "says"),
    [
        ("id: 8", "id: 7", "filters: 7 is there twice"),
        ("adql: SELECT", "adql: SELEKT", r"filter 7 \(young\)"),
        ("list.csv", "other.csv", "cannot read .*other.csv"),
        ("trigger: both", "trigger: sometimes", "filters.0.trigger"),
        ("trigger: both", "when: both", "filters.0.when"),
        ("    selected: objects.diaObjectId\n", "", "give either adql, or selected"),
        ("days: 7", "days: -1", "filters.0.renotify.days"),
        ("filters:", "filters: [", "is not YAML"),
    ],
)
def test_faults_are_told_with_their_place(path: Path, was: str, now: str, says: str) -> None:
    path.write_text(GOOD.replace(was, now))
    with pytest.raises(SubscriptionFileError, match=f"(?s){says}"):
        SubscriptionFile(path)


def test_faulty_rows_of_lists_are_faults_of_the_file(path: Path) -> None:
    (path.parent / "list.csv").write_text("ra,dec,name\n10,-20,a\n400,-40,b\n")
    with pytest.raises(SubscriptionFileError, match=r"1 faults, the first: .*400"):
        SubscriptionFile(path)
    with pytest.raises(SubscriptionFileError, match="cannot read"):
        SubscriptionFile(path.parent / "nothing.yaml")


def test_failures_are_logged_once(path: Path) -> None:
    wishes = SubscriptionFile(path)
    with capture_logs() as logs:
        for _ in range(3):
            wishes.filter_failed(7, 2, "slow")
        wishes.filters_recovered([(7, 2)])
        wishes.filter_failed(7, 2, "slow")
    assert [log["reason"] for log in logs] == ["slow", "slow"]
