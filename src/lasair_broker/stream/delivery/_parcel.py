"""Some hits of one filter, ready to be written for whoever gets them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import orjson
import pyarrow as pa

from lasair_broker.packets import mjd_tai_to_utc

from ._outputs import Cursor

__all__ = ["Parcel", "utc_of"]


def utc_of(mjd_tai: Sequence[float]) -> list[datetime]:
    """The UTC of times in MJD TAI, to the microsecond."""
    return [mjd_tai_to_utc(moment) for moment in mjd_tai]


@dataclass(frozen=True)
class Parcel:
    """Hits of one filter, oldest first.

    Attributes
    ----------
    hits
        Rows of table `filter_hits`.
    alerts
        For each hit the JSON of what is known of its object; empty if that was not asked for.
    """

    hits: pa.Table
    alerts: Sequence[bytes] = ()

    def __len__(self) -> int:
        return int(self.hits.num_rows)

    @cached_property
    def ids(self) -> list[str]:
        """The hits' ids."""
        return list(self.hits.column("hitId").to_pylist())

    @cached_property
    def diaObjectIds(self) -> list[int]:
        """Their objects."""
        return list(self.hits.column("diaObjectId").to_pylist())

    @cached_property
    def versions(self) -> list[int]:
        """The versions of the filter that they passed."""
        return list(self.hits.column("filterVersion").to_pylist())

    @cached_property
    def places(self) -> tuple[Cursor, ...]:
        """Their places in the order of delivery."""
        return tuple(zip(self.hits.column("committedMjdTai").to_pylist(), self.ids, strict=True))

    @cached_property
    def utc(self) -> list[str]:
        """When they were found, as ``YYYY-mm-dd HH:MM:SS``."""
        times = utc_of(self.hits.column("committedMjdTai").to_numpy())
        return [time.strftime("%Y-%m-%d %H:%M:%S") for time in times]

    @cached_property
    def contents(self) -> list[str]:
        """Their selected columns, each a JSON object."""
        return [content or "{}" for content in self.hits.column("content").to_pylist()]

    def values(self) -> list[dict[str, Any]]:
        """Their selected columns, with integers as exact as they came."""
        return [orjson.loads(content) for content in self.contents]

    def messages(self) -> list[bytes]:
        """For each hit the JSON object that Lasair's consumers expect: the selected columns, `UTC`, and
        `alert` if that was asked for.

        Written by joining texts, so that what the filter gave reaches the consumer to the last digit.
        """
        alerts = [b',"alert":' + alert for alert in self.alerts] or [b""] * len(self)
        opened = [content.rstrip()[:-1].encode() for content in self.contents]
        return [
            b'%b%b"UTC":"%b"%b}' % (content, _comma(content), utc.encode(), alert)
            for content, utc, alert in zip(opened, self.utc, alerts, strict=True)
        ]

    def envelopes(self) -> list[bytes]:
        """For each hit a JSON object with its identity beside its content, for webhooks and browsers.

        `diaObjectId` is text: a browser's numbers have 53 bits, ours 63.
        """
        alerts = [b',"alert":' + alert for alert in self.alerts] or [b""] * len(self)
        return [
            orjson.dumps({"hitId": hit, "diaObjectId": str(object_id), "filterVersion": version, "UTC": utc})[
                :-1
            ]
            + b',"content":'
            + content.encode()
            + alert
            + b"}"
            for hit, object_id, version, utc, content, alert in zip(
                self.ids, self.diaObjectIds, self.versions, self.utc, self.contents, alerts, strict=True
            )
        ]

    def select(self, start: int, stop: int) -> Parcel:
        """The hits from `start` up to `stop`."""
        return Parcel(self.hits.slice(start, stop - start), self.alerts[start:stop])


def _comma(opened: bytes) -> bytes:
    """What comes between an opened JSON object and its next member."""
    return b"" if opened.strip() == b"{" else b","
