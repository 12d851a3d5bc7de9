"""Maps that notices name by address only: which are missing, and how one is got and put to its event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.context.events._maps import FoundMap, keep_maps
from lasair_broker.context.events._store import attach_to_events
from lasair_broker.context.events._versions import attach_to_versions, read_versions
from lasair_broker.context.events.errors import EventError
from lasair_broker.http import HttpError, Patience, among, ask
from lasair_broker.sky import SkyMapError, read_skymap

__all__ = ["MapSource", "attach_map", "fetch_map", "missing_maps"]


@dataclass(frozen=True)
class MapSource:
    """From where maps may be fetched, and how much of one.

    Attributes
    ----------
    hosts
        Names of hosts; one that begins with a dot stands for all below it.
    most_bytes, seconds
        What one map may have, and take.
    """

    hosts: Sequence[str]
    most_bytes: int
    seconds: float

    def allows(self, address: str) -> bool:
        """Whether an address may be asked."""
        return among(address, self.hosts)


def missing_maps(folder: Path, most: int) -> list[str]:
    """Addresses of maps that are not here yet, those of the newest notices first.

    Raises
    ------
    EventError
        If what is stored is damaged.
    """
    rows = read_versions(folder)
    rows = rows.filter(pc.and_(rows["skymapUrl"].is_valid(), rows["skymap"].is_null()))
    rows = rows.sort_by([("arrivedMjdTai", "descending")])
    return list(dict.fromkeys(rows["skymapUrl"].to_pylist()))[:most]


def fetch_map(address: str, source: MapSource) -> FoundMap:
    """The map at an address.

    Raises
    ------
    EventError
        If the address, or one that it leads to, may not be asked, does not answer in time, has more than is
        allowed, or no map.
    """
    if not source.allows(address):
        raise EventError(f"{address} is at none of the hosts in messengers.map_hosts")
    try:
        answer = ask(address, source.allows, Patience(source.most_bytes, source.seconds), follow=True)
    except HttpError as error:
        raise EventError(str(error)) from None
    if not answer.ok:
        raise EventError(f"{address} answers {answer.status}")
    try:
        return FoundMap(read_skymap(answer.content))
    except SkyMapError as error:
        raise EventError(f"{address}: {error}") from None


def attach_map(folder: Path, address: str, found: FoundMap) -> int:
    """Put a map to the notices that name its address, and their events; how many notices.

    Raises
    ------
    EventError
        If what is stored is damaged.
    """
    keep_maps(folder, {found.name: found.content})
    values: dict[str, object] = {
        "skymap": found.name,
        "area50": found.skymap.area_deg2(0.5),
        "area90": found.skymap.area_deg2(0.9),
    }
    if found.distance is not None:
        values |= {"distance": found.distance, "distanceErr": found.distanceErr}
    versions = attach_to_versions(folder, address, values)
    # The events change last: that is what others look at to see whether there is something new.
    attach_to_events(folder, _newest_of(versions), address, values)
    return int(versions.num_rows)


def _newest_of(versions: pa.Table) -> set[tuple[str, str]]:
    return set(zip(versions["origin"].to_pylist(), versions["eventName"].to_pylist(), strict=True))
