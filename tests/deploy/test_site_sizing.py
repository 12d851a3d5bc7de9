"""The page of sizes is what the figures give, and the figures are put to use rightly."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks"))

import site_sizing  # noqa: E402 - found by the path above
from site_sizing import Figures, Survey, size  # noqa: E402 - found by the path above

SIMPLE = Figures(
    packet_bytes=1000,
    pack_bytes=900,
    worker_seconds=1e-3,
    server_seconds=2e-3,
    new_sources=1,
    new_forced=2,
    source_bytes=100,
    forced_bytes=10,
    alert_bytes=30,
    object_bytes=500,
)


def test_the_page_is_made_of_the_figures() -> None:
    figures = Figures(**yaml.safe_load(site_sizing.FIGURES.read_text()))
    assert site_sizing.PAGE.read_text() == site_sizing.page(figures), "run benchmarks/site_sizing.py --page"


def test_what_a_survey_needs() -> None:
    """By hand: 36,000 alerts in ten hours are one a second; 100 nights, two years, so 7.2 million."""
    survey = Survey(
        "simple", 36_000, 2, packet_days=365, nights_per_year=100, alerts_per_object=50, burst=600, filters=0
    )
    found = size(survey, SIMPLE)
    assert found.rate == pytest.approx(600)
    assert found.worker_cores == 2  # 600/s of 1.143 ms each, 60 % busy: 1.143
    assert found.server_cores == 2 + 2
    assert found.database_bytes == pytest.approx(7.2e6 * (100 + 20 + 30 + 10))
    assert found.pack_bytes == pytest.approx(3.6e6 * 900)
    assert found.kafka_bytes == pytest.approx(36_000 * 1000 * 21)
    assert found.input_rate == pytest.approx(6e5)
    assert found.output_rate == 0
    assert found.database_nodes == 1


def test_more_alerts_need_more() -> None:
    sizes = [
        size(dataclasses.replace(site_sizing.SURVEYS[-1], alerts_per_night=n), SIMPLE) for n in (1e6, 1e7)
    ]
    for name in ("rate", "database_bytes", "pack_bytes", "kafka_bytes", "input_rate", "output_rate"):
        assert getattr(sizes[1], name) == pytest.approx(10 * getattr(sizes[0], name))
    assert sizes[1].worker_cores > sizes[0].worker_cores
    assert sizes[1].database_nodes >= sizes[0].database_nodes
