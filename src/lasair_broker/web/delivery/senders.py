"""Every way of delivery of an installation."""

from __future__ import annotations

from lasair_broker.archive import Archive
from lasair_broker.settings import DeliverySettings
from lasair_broker.stream.delivery import (
    AppriseSender,
    Channel,
    Couriers,
    Deliveries,
    DeliveryMetrics,
    KafkaSender,
    Sender,
    WebhookSender,
)
from lasair_broker.web.delivery.mail import EmailSender
from lasair_broker.web.delivery.running import DjangoOutputs


def senders_for(settings: DeliverySettings) -> dict[Channel, Sender]:
    """The ways of delivery, by channel."""
    couriers = Couriers(settings.allowed_networks)
    return {
        Channel.KAFKA: KafkaSender(settings, DjangoOutputs().query),
        Channel.EMAIL: EmailSender(settings),
        Channel.DIGEST: EmailSender(settings, digest=True),
        Channel.WEBHOOK: WebhookSender(couriers),
        Channel.APPRISE: AppriseSender(couriers, settings.site_url),
    }


def deliveries(
    archive: Archive, settings: DeliverySettings, metrics: DeliveryMetrics | None = None
) -> Deliveries:
    """The delivery service of the outputs in the user database, ready to be started."""
    return Deliveries(archive, DjangoOutputs(settings.digest_hour), senders_for(settings), settings, metrics)
