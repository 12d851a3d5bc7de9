"""Events with their maps, ready to be compared with objects."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.messengers._models import CLASSES, LIGHT_CURVE_CLASSES, Model, is_messenger, models_of
from lasair_broker.sky import SkyMap, SkyMapIndex, VolumeLevels, gaussian_skymap

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

__all__ = ["LEVEL", "Chances", "MessengerIndex", "ReadMap", "drawn_region"]

LEVEL = 0.99
"""Objects outside this credible region are not told."""

ReadMap = Callable[[str], SkyMap | None]
"""Gives the map of a name; None if it is lost, so that the event is as it is without."""

_P90 = math.sqrt(-2.0 * math.log(0.1))
_FLOOR_DEG = 0.5 / 3600.0
"""Standard deviation of what positions of events and objects leave unsaid."""

_SMALL_DEG2 = 100.0
"""Of events with a region not larger than this, objects that were there before are told too, as such."""

_HORIZON_MPC = 2000.0
"""Unrelated objects are taken to be spread evenly in space out to here at least: redshift 0.4."""

_MOST_EVENTS = 200
_NEWEST_LAST = ("revision", "noticeMjdTai", "version")


@dataclass(frozen=True)
class Chances:
    """How many unrelated objects fit an event as well.

    Attributes
    ----------
    ln_bayes
        Ascending thresholds of the natural logarithm of the Bayes factor.
    expected
        How many unrelated objects have at least these, falling.
    least
        The smallest number that can be told: that of an object that fits better than all that were drawn.
    """

    ln_bayes: Float64
    expected: Float64
    least: float

    def at(self, ln_bayes: Float64) -> Float64:
        """Expected number of unrelated objects with at least these Bayes factors."""
        place = np.searchsorted(self.ln_bayes, ln_bayes, "left")
        padded = np.append(self.expected, 0.0)
        return np.asarray(padded[place] + self.least)


@dataclass(frozen=True, eq=False)
class MessengerIndex:
    """Events that objects can be compared with: of the kinds that have models, with a time and a region.

    Attributes
    ----------
    events
        Rows of `external_events`, n of them, by mw_id.
    models
        The models of each event with their weights.
    skymaps, volumes
        The maps of all events, one after the other, each event's from the oldest to the newest.
    event, version, newest
        Of each map: index of its event, number of the notice it came with, whether it is the event's newest.
    horizon
        Of each map, Mpc.
    small
        Of each event, whether objects that were there before are told.
    class_shares
        Share of unrelated new objects in each class and, last, in none.
    light_shares
        The same for LIGHT_CURVE_CLASSES, without none.
    chances
        Of each event; None as long as nothing was measured.
    """

    events: pa.Table
    models: tuple[tuple[tuple[float, Model], ...], ...]
    skymaps: SkyMapIndex
    maps: tuple[SkyMap, ...]
    volumes: list[VolumeLevels | None]
    event: Int64
    version: npt.NDArray[np.int32]
    newest: Bool
    horizon: Float64
    small: Bool
    class_shares: Float64
    light_shares: Float64
    chances: tuple[Chances | None, ...]

    @classmethod
    def build(
        cls,
        events: pa.Table,
        versions: pa.Table,
        read_map: ReadMap,
        *,
        draw: Callable[[Mapping[str, Any]], SkyMap] | None = None,
        volumes_of: Callable[[SkyMap], VolumeLevels | None] = VolumeLevels.of,
        tests: bool = False,
        most: int = _MOST_EVENTS,
    ) -> MessengerIndex:
        """The index of the newest `most` events.

        Parameters
        ----------
        events, versions
            Rows of `external_events` and `event_versions`.
        read_map
            The map of a name in column skymap; what it raises is passed on.
        draw, volumes_of
            `drawn_region`, and credible volumes of a map; they take a while, so that a caller may keep what
            they give.
        tests
            Whether tests and made-up events count.
        """
        rows = _usable(events, tests).sort_by([("eventMjdTai", "descending")]).slice(0, most)
        rows = rows.sort_by("mw_id").combine_chunks()
        maps: list[SkyMap] = []
        event: list[int] = []
        version: list[int] = []
        newest: list[bool] = []
        kept: list[int] = []
        notices = _notices_of(versions)
        for number, row in enumerate(rows.to_pylist()):
            mine = _maps_of(
                row, notices.get((row["origin"], row["eventName"]), []), read_map, draw or drawn_region
            )
            if mine:
                place = len(kept)
                kept.append(number)
                maps += [skymap for _, skymap in mine]
                version += [version_number for version_number, _ in mine]
                event += [place] * len(mine)
                newest += [False] * (len(mine) - 1) + [True]
        rows = rows.take(pa.array(kept, pa.int64()))
        which = np.array(event, np.int64)
        area = np.array([skymap.area_deg2(0.9) for skymap in maps])
        last = np.array(newest, np.bool_)
        distances = [
            max(_HORIZON_MPC, (far or 0.0) + 3.0 * (error or 0.0))
            for far, error in zip(*(rows[n].to_pylist() for n in ("distance", "distanceErr")), strict=True)
        ]
        return cls(
            events=rows,
            models=tuple(models_of(row) for row in rows.to_pylist()),
            skymaps=SkyMapIndex.build(maps),
            maps=tuple(maps),
            volumes=[volumes_of(skymap) for skymap in maps],
            event=which,
            version=np.array(version, np.int32),
            newest=last,
            horizon=np.array(distances, np.float64)[which],
            small=area[last] <= _SMALL_DEG2,
            class_shares=np.full(len(CLASSES) + 1, 1.0 / (len(CLASSES) + 1)),
            light_shares=np.full(len(LIGHT_CURVE_CLASSES), 1.0 / len(LIGHT_CURVE_CLASSES)),
            chances=(None,) * rows.num_rows,
        )

    def __len__(self) -> int:
        return int(self.events.num_rows)

    def with_background(
        self, class_shares: Float64, light_shares: Float64, chances: tuple[Chances | None, ...]
    ) -> MessengerIndex:
        """The same with what was measured of unrelated objects."""
        return replace(self, class_shares=class_shares, light_shares=light_shares, chances=chances)

    def only(self, mw_ids: set[int]) -> MessengerIndex:
        """The index of some of the events, by mw_id."""
        numbers = self.events["mw_id"].to_numpy()
        kept = np.flatnonzero(np.isin(numbers, list(mw_ids)))
        maps = np.flatnonzero(np.isin(self.event, kept))
        return replace(
            self,
            events=self.events.take(pa.array(kept)),
            models=tuple(self.models[i] for i in kept),
            skymaps=SkyMapIndex.build([self.maps[i] for i in maps]),
            maps=tuple(self.maps[i] for i in maps),
            volumes=[self.volumes[i] for i in maps],
            event=np.searchsorted(kept, self.event[maps]),
            version=self.version[maps],
            newest=self.newest[maps],
            horizon=self.horizon[maps],
            small=self.small[kept],
            chances=tuple(self.chances[i] for i in kept),
        )

    def window(self) -> tuple[Float64, Float64]:
        """When counterparts of each event are first detected, MJD TAI: from, to."""
        since = self.events["eventMjdTai"].to_numpy()
        first = np.array([min((m.first_day for _, m in models), default=0.0) for models in self.models])
        last = np.array([max((m.last_day for _, m in models), default=0.0) for models in self.models])
        return since + first, since + last

    def may(self, first: Float64, last: Float64) -> Bool:
        """Which objects were seen when each map's event may have shown, shape (maps, objects).

        Parameters
        ----------
        first, last
            First and last detections, MJD TAI.
        """
        begin, end = (times[self.event][:, None] for times in self.window())
        since = self.events["eventMjdTai"].to_numpy()[self.event][:, None]
        seen = (last >= np.minimum(since, begin) - 1.0) & (first <= end)
        return np.asarray(seen & ((first >= begin) | self.small[self.event][:, None]))


def _usable(events: pa.Table, tests: bool) -> pa.Table:
    roles = ["observation", "test"] if tests else ["observation"]
    kinds = [kind for kind in events["kind"].unique().to_pylist() if is_messenger(kind)]
    usable = pc.and_(
        pc.is_in(events["role"].fill_null("observation"), value_set=pa.array(roles)),
        pc.is_in(events["kind"], value_set=pa.array(kinds, pa.string())),
    )
    return events.filter(pc.and_(usable, events["eventMjdTai"].is_valid()))


def _notices_of(versions: pa.Table) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """The notices with a region of each event, the newest last."""
    columns = [
        "origin",
        "eventName",
        "version",
        "skymap",
        "ra",
        "decl",
        "errorRadius",
        "errorMinor",
        "errorAngle",
    ]
    told = pc.fill_null(versions["noticeMjdTai"], -np.inf)
    place = versions.schema.get_field_index("noticeMjdTai")
    rows = versions.set_column(place, "noticeMjdTai", told)
    rows = rows.sort_by([(name, "ascending") for name in _NEWEST_LAST]).select(columns)
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows.to_pylist():
        if row["skymap"] is not None or row["errorRadius"] is not None:
            found.setdefault((row["origin"], row["eventName"]), []).append(row)
    return found


def _maps_of(
    event: Mapping[str, Any],
    notices: list[Mapping[str, Any]],
    read_map: ReadMap,
    draw: Callable[[Mapping[str, Any]], SkyMap],
) -> list[tuple[int, SkyMap]]:
    """The different maps of an event with the number of the notice that brought each; the newest last."""
    found: list[tuple[int, SkyMap]] = []
    before: object = None
    for row in notices or [{**event, "version": 0}]:
        said = row["skymap"] or tuple(
            row[name] for name in ("ra", "decl", "errorRadius", "errorMinor", "errorAngle")
        )
        if said == before:  # told again: it is as new as the newest notice that says so
            found[-1] = (row["version"], found[-1][1])
            continue
        skymap = None if row["skymap"] is None else read_map(row["skymap"])
        if skymap is not None:
            found.append((row["version"], skymap))
        elif row["errorRadius"] is not None and row["ra"] is not None:
            found.append((row["version"], draw(row)))
        else:
            continue
        before = said
    return found


def drawn_region(row: Mapping[str, Any]) -> SkyMap:
    """The map of an error circle or ellipse, of a row of `external_events` or `event_versions`."""
    major = row["errorRadius"]
    minor = major if row["errorMinor"] is None else row["errorMinor"]
    along, across = (math.hypot(axis / _P90, _FLOOR_DEG) for axis in (major, minor))
    return gaussian_skymap(row["ra"], row["decl"], along, across, row["errorAngle"] or 0.0)
