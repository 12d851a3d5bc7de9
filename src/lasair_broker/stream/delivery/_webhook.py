"""Hits by HTTP POST, signed as Standard Webhooks has it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson
from standardwebhooks.webhooks import Webhook

from ._couriers import Couriers
from ._outputs import Output
from ._parcel import Parcel
from ._sender import DeliveryError

__all__ = ["WebhookSender"]


class WebhookSender:
    """Posts up to a hundred hits at once as one event, "filter.hits".

    The event's `webhook-id` follows from the hits in it, so that the same event sent again has the same id.
    """

    most = 100
    pause = 0.0

    def __init__(self, couriers: Couriers) -> None:
        self._couriers = couriers

    def send(self, output: Output, parcel: Parcel, seconds: float) -> Mapping[str, str]:
        hits = b",".join(parcel.envelopes())
        data = orjson.dumps({"filterId": output.filter_id, "name": output.name})
        identity = hashlib.sha256("\n".join([str(output.output_id), *parcel.ids]).encode()).hexdigest()[:32]
        self._post(output, f"hits_{identity}", "filter.hits", b'%b,"hits":[%b]}' % (data[:-1], hits), seconds)
        return {}

    def summarise(self, output: Output, held_back: int, seconds: float) -> None:
        data = {
            "filterId": output.filter_id,
            "name": output.name,
            "heldBack": held_back,
            "hourlyLimit": output.hourly_limit,
            "upToHitId": output.cursor[1],
        }
        identity = f"summary_{output.output_id}_{output.cursor[1]}"
        self._post(output, identity, "filter.summary", orjson.dumps(data), seconds)

    def test(self, output: Output, seconds: float) -> str:
        data = orjson.dumps({"filterId": output.filter_id, "name": output.name})
        self._post(output, f"test_{time.time_ns()}", "filter.test", data, seconds)
        return 'the server took an event of type "filter.test"'

    def close(self) -> None:
        self._couriers.close()

    def _post(self, output: Output, identity: str, event: str, data: bytes, seconds: float) -> None:
        now = datetime.now(UTC)
        head = orjson.dumps({"type": event, "timestamp": now.isoformat()})
        body = (b'%b,"data":%b}' % (head[:-1], data)).decode()
        try:
            signature = Webhook(output.secret).sign(msg_id=identity, timestamp=now, data=body)
        except Exception:
            raise DeliveryError("its signing secret is unusable; give it a new one") from None
        headers = {
            "content-type": "application/json",
            "user-agent": "lasair-broker",
            "webhook-id": identity,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature,
        }
        order = {"kind": "webhook", "url": output.address, "body": body, "headers": headers}
        self._couriers.deliver(order, seconds)
