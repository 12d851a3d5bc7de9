"""A dozen faults that need no rights happen to a whole site: it holds and delivers what another does to which
nothing happened. The long run, with more than a hundred of more kinds, is in docs/chaos.md."""

from __future__ import annotations

import pytest
from chaos_night import Night
from chaos_run import Outcome, chaos

pytestmark = pytest.mark.slow

FAULTS = (
    ("kill -9 ingest", 0.0),
    ("PostgreSQL crashed", 2.0),
    ("kill -9 deliver", 0.0),
    ("ingest frozen and back", 8.0),
    ("Kafka unreachable", 3.0),
    ("poison filter", 0.0),
    ("kill -9 work", 0.0),
    ("PostgreSQL silent", 3.0),
    ("clock jumps", 2.0),
    ("Kafka killed", 2.0),
    ("packs' disk full", 3.0),
    ("kill -9 serve", 0.0),
)
NIGHT = Night(alerts=3000, per_visit=500.0)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("chaos")
    return chaos(folder, NIGHT, FAULTS, rate=20.0, seed=1, disks=False, clock="python", tell=print)


def test_all_works_again_after_each_fault(outcome: Outcome) -> None:
    assert [each for each in outcome.happened if each.recovered is None] == []
    assert len(outcome.happened) == len(FAULTS)


def test_archive_and_deliveries_are_those_of_an_undisturbed_run(outcome: Outcome) -> None:
    assert outcome.differences == []
    assert outcome.found.tables["alerts"].num_rows == NIGHT.alerts
    assert outcome.found.messages >= sum(map(len, outcome.found.delivered.values())) > NIGHT.alerts


def test_workers_end_well_when_told_to(outcome: Outcome) -> None:
    assert set(outcome.exits.values()) == {0}


def test_owners_of_poison_filters_are_told(outcome: Outcome) -> None:
    (poison,) = (each for each in outcome.happened if each.kind == "poison filter")
    assert "longer than" in poison.detail
