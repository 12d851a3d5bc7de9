"""How hits get to users."""

from __future__ import annotations

import ipaddress
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from ._kafka import KafkaConnection
from ._section import Texts

__all__ = ["DeliverySettings"]


class DeliverySettings(KafkaConnection):
    """How hits get to users: our own Kafka (which `bootstrap` and its like name), mail, and the rest."""

    topic_partitions: int = Field(1, description="Partitions of a topic that is made.", ge=1, le=1000)
    topic_replication: int = Field(
        -1, description="Copies of a topic that is made; -1: what the brokers have as their default.", ge=-1
    )
    topic_days: float = Field(7.0, description="Days for which a topic that is made keeps its hits.", gt=0)
    mail_host: str = Field("", description="Mail server (SMTP); none: e-mail outputs fail, and say so.")
    mail_port: int = Field(25, description="Its port.", ge=1, le=65535)
    mail_username: str = Field("", description="User name at the mail server.")
    mail_password: SecretStr = Field(SecretStr(""), description="Password at the mail server.")
    mail_security: Literal["none", "starttls", "tls"] = Field(
        "none", description="How the connection to the mail server is encrypted."
    )
    mail_from: str = Field("lasair@localhost", description="Sender of e-mails.")
    digest_hour: int = Field(13, description="Hour (UTC) at which daily digests are sent.", ge=0, le=23)
    site_url: str = Field(
        "", description="Address of the site, https://…; links in e-mails begin with it. None: no links."
    )
    allowed_networks: Texts = Field(
        (),
        description="Private networks that webhooks and notifications may reach all the same (CIDR).",
    )
    workers: int = Field(8, description="Outputs served at once.", ge=1, le=256)
    budget: float = Field(
        30.0, description="Seconds an attempt at one output may take before it counts as failed.", gt=0
    )

    @field_validator("allowed_networks")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network)
        return value
