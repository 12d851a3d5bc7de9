"""Maps that notices name by address only: which are missing, and how one is got and put to its event."""

from __future__ import annotations

import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.context.events._maps import FoundMap, keep_maps
from lasair_broker.context.events._store import attach_to_events
from lasair_broker.context.events._versions import attach_to_versions, read_versions
from lasair_broker.context.events.errors import EventError
from lasair_broker.sky import SkyMapError, read_skymap

__all__ = ["MapSource", "attach_map", "fetch_map", "missing_maps"]

_PART = 1 << 20


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
        try:
            parts = urllib.parse.urlsplit(address)
            host = (parts.hostname or "").lower().rstrip(".")
        except ValueError:
            return False
        if parts.scheme not in ("http", "https") or not host or parts.username or parts.password:
            return False
        return any(
            host.endswith(one.lower()) if one.startswith(".") else host == one.lower() for one in self.hosts
        )


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
    until = time.monotonic() + source.seconds
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(), _Redirects(source))
    request = urllib.request.Request(address, headers={"User-Agent": "lasair"})  # noqa: S310 - http(s) only, see allows
    parts: list[bytes] = []
    try:
        with opener.open(request, timeout=source.seconds) as answer:
            while part := answer.read1(_PART):
                parts.append(part)
                if sum(map(len, parts)) > source.most_bytes:
                    raise EventError(f"{address} has more than {source.most_bytes:,} bytes")
                if time.monotonic() > until:
                    raise EventError(f"{address} took more than {source.seconds:g} s")
    except urllib.error.HTTPError as error:
        raise EventError(f"{address} answers {error.code} {error.reason}") from None
    except (OSError, HTTPException) as error:
        raise EventError(f"cannot reach {address}: {getattr(error, 'reason', None) or error}") from None
    try:
        return FoundMap(read_skymap(b"".join(parts)))
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


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to hosts that are allowed only."""

    def __init__(self, source: MapSource) -> None:
        self._source = source

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not self._source.allows(newurl):
            raise EventError(f"{req.full_url} leads to {newurl}, which is at no host in messengers.map_hosts")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
