"""Delivery: from hits in the archive to the people and programs that wait for them, at least once.

`Deliveries` is the service. What it delivers to and keeps account in is an `Outputs`, which `web` implements;
how, are `Sender`s by `Channel`.
"""

from typing import TYPE_CHECKING

from lasair_broker.deferred import import_when_used

if TYPE_CHECKING:
    from ._apprise import AppriseSender
    from ._couriers import Couriers
    from ._deliveries import Deliveries
    from ._events import HitWatch, cursor_of, event_id, events
    from ._kafka import KafkaSender
    from ._latency import LATENCY_BOUNDS, Latency, latencies
    from ._metrics import DeliveryMetrics
    from ._outputs import Again, Channel, Cursor, Kind, LightCurve, Outcome, Output, Outputs
    from ._parcel import Parcel, utc_of
    from ._sender import DeliveryError, Sender
    from ._topics import KafkaAccess
    from ._webhook import WebhookSender
    from ._words import few_lines, number, summary

__all__ = [
    "LATENCY_BOUNDS",
    "Again",
    "AppriseSender",
    "Channel",
    "Couriers",
    "Cursor",
    "Deliveries",
    "DeliveryError",
    "DeliveryMetrics",
    "HitWatch",
    "KafkaAccess",
    "KafkaSender",
    "Kind",
    "Latency",
    "LightCurve",
    "Outcome",
    "Output",
    "Outputs",
    "Parcel",
    "Sender",
    "WebhookSender",
    "cursor_of",
    "event_id",
    "events",
    "few_lines",
    "latencies",
    "number",
    "summary",
    "utc_of",
]

import_when_used(__name__)
