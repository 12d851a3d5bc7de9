"""One of each kind of fault that needs no rights, on a whole site: it holds and delivers what another does to
which nothing happened. The long run, with more than a hundred, is in docs/chaos.md."""

from __future__ import annotations

import pytest
from chaos_faults import KINDS
from chaos_night import Night
from chaos_run import Outcome, chaos

pytestmark = pytest.mark.slow

LASTS = {"ingest frozen and back": 8.0, "deliver frozen and back": 4.0}
NIGHT = Night(alerts=12_000, per_visit=1500.0, cutouts="image")


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    faults = [(name, LASTS.get(name, 2.0)) for name, kind in KINDS.items() if not kind.privileged]
    folder = tmp_path_factory.mktemp("chaos")
    return chaos(folder, NIGHT, faults, rate=40.0, seed=1, disks=False, clock="python", tell=print)


def test_all_works_again_after_each_fault(outcome: Outcome) -> None:
    assert [each for each in outcome.happened if each.recovered is None] == []
    assert len(outcome.happened) == sum(not kind.privileged for kind in KINDS.values())


def test_archive_and_deliveries_are_those_of_an_undisturbed_run(outcome: Outcome) -> None:
    assert outcome.differences == []
    assert outcome.found.tables["alerts"].num_rows == NIGHT.alerts
    assert outcome.found.messages >= sum(map(len, outcome.found.delivered.values())) > NIGHT.alerts


def test_workers_end_well_when_told_to(outcome: Outcome) -> None:
    assert set(outcome.exits.values()) == {0}


def test_owners_of_poison_filters_are_told(outcome: Outcome) -> None:
    (poison,) = (each for each in outcome.happened if each.kind == "poison filter")
    assert "longer than" in poison.detail
