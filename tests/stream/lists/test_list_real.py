"""A real supernova in a watchlist: hits and events, whatever the batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
from stream_fixtures import ListSource
from subscribed_lists import Subscribed

from lasair_broker.archive import open_archive
from lasair_broker.packets import SchemaStore
from lasair_broker.sky import Direction, Moc, Trigger, Triggers, WatchlistIndex, WatchmapIndex
from lasair_broker.stream import ActiveLists, Pipeline, run, standard_stages
from lasair_broker.stream.lists import ListKeeper, list_stages

RA, DECL = 0.81428, 16.14569
LIMIT = 14.0


class Watched(Subscribed):
    """A list and a map around the supernova, with triggers."""

    def __init__(self) -> None:
        rows = pa.table({"cone_id": [4], "name": ["SN 2021"], "ra": [RA], "decl": [DECL], "radius": [2.0]})
        rules = [
            Trigger(1, 9, magnitude=LIMIT, bands=("g", "r"), consecutive=2),
            Trigger(2, 9, magnitude=LIMIT, direction=Direction.FADES, bands=("r",), consecutive=1),
        ]
        active = ActiveLists(
            WatchlistIndex.build({9: rows}),
            WatchmapIndex.build({5: Moc.circle(RA, DECL, 1.0)}),
            Triggers.of(rules),
        )
        super().__init__(lambda: active)


def first_crossing(points: list[dict[str, Any]]) -> int:
    """The detection at which the supernova has been brighter twice in a row."""
    limit = 10 ** (0.4 * (31.4 - LIMIT))
    before = False
    for point in points:
        if point["band"] not in "gr":
            continue
        beyond = point["psfFlux"] >= limit and point["psfFlux"] >= 5 * point["psfFluxErr"]
        if beyond and before:
            return int(point["diaSourceId"])
        before = beyond
    raise AssertionError("it never became so bright")


def found(
    folder: Path, schemas: SchemaStore, supernova: list[bytes], size: int
) -> dict[str, list[dict[str, Any]]]:
    """What is in the archive after the alerts came in batches of a size."""
    with open_archive(folder) as archive:
        keeper = ListKeeper(Watched(), archive)
        stages = standard_stages(matching=list_stages(keeper.lists))
        run(ListSource(supernova, size), Pipeline(schemas, stages), archive, commit_stages=[keeper])
        key = archive.query("SELECT diaObjectId FROM objects").column(0)[0].as_py()
        return {
            "hits": archive.query("SELECT wl_id, cone_id, name, arcsec FROM watchlist_hits").to_pylist(),
            "inside": archive.query("SELECT ar_id FROM area_hits").to_pylist(),
            "events": archive.query(
                "SELECT * EXCLUDE (foundMjdTai) FROM watchlist_events ORDER BY midpointMjdTai, eventId"
            ).to_pylist(),
            "points": archive.light_curve(key).diaSources.to_pylist(),
        }


def test_a_supernova_in_a_watchlist(tmp_path: Path, schemas: SchemaStore, supernova: list[bytes]) -> None:
    one, seven, all_at_once = (
        found(tmp_path / f"archive{size}", schemas, supernova, size) for size in (1, 7, 34)
    )
    assert [(hit["wl_id"], hit["cone_id"], hit["name"]) for hit in one["hits"]] == [(9, 4, "SN 2021")]
    assert one["hits"][0]["arcsec"] < 1.0
    assert one["inside"] == [{"ar_id": 5}]
    brighter = [event for event in one["events"] if event["triggerId"] == 1]
    assert brighter[0]["diaSourceId"] == first_crossing(one["points"])
    fainter = [event for event in one["events"] if event["triggerId"] == 2]
    assert [event["direction"] for event in fainter] == ["fades"]
    assert fainter[0]["midpointMjdTai"] > brighter[0]["midpointMjdTai"]
    assert one["events"] == seven["events"] == all_at_once["events"]
