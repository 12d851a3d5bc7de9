"""The surveys' Kafka."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr

from ._section import Section, Texts

__all__ = ["KafkaConnection", "KafkaSettings"]

_SECRET_OPTION = re.compile(r"password|secret|\.pem$|token|jaas", re.IGNORECASE)


def _hide_secrets(options: object) -> object:
    """Wrap the values of options that hold passwords or keys, so that no log or repr shows them."""
    if not isinstance(options, Mapping):
        return options
    return {
        name: SecretStr(str(value))
        if _SECRET_OPTION.search(str(name)) and not isinstance(value, SecretStr)
        else value
        for name, value in options.items()
    }


LibrdkafkaOptions = Annotated[dict[str, SecretStr | bool | int | float | str], BeforeValidator(_hide_secrets)]


class KafkaConnection(Section):
    """How to reach a Kafka. Anything librdkafka can be told goes into `options`."""

    bootstrap: str = Field("", description="Brokers to ask first: host:port[,host:port...].")
    username: str = Field("", description="SASL user name.")
    password: SecretStr = Field(SecretStr(""), description="SASL password.")
    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        "SCRAM-SHA-512", description="SASL mechanism, used when there is a user name."
    )
    tls: bool = Field(False, description="Encrypt the connection.")
    ca_file: Path | None = Field(None, description="Certificates of the authorities to trust, PEM.")
    options: LibrdkafkaOptions = Field(
        default_factory=dict, description="librdkafka's own settings, passed on as they are."
    )

    def librdkafka(self) -> dict[str, str | int | float | bool]:
        """The configuration of a librdkafka client, secrets in clear; `options` have the last word."""
        protocol = ("SASL_" if self.username else "") + ("SSL" if self.tls else "PLAINTEXT")
        config: dict[str, str | int | float | bool] = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": protocol,
        }
        if self.username:
            config["sasl.mechanism"] = self.mechanism
            config["sasl.username"] = self.username
            config["sasl.password"] = self.password.get_secret_value()
        if self.ca_file is not None:
            config["ssl.ca.location"] = str(self.ca_file)
        for name, value in self.options.items():
            config[name] = value.get_secret_value() if isinstance(value, SecretStr) else value
        return config


class KafkaSettings(KafkaConnection):
    """The surveys' Kafka, and what is read from it."""

    topics: Texts = Field((), description="Topics to read; one beginning with ^ is a pattern.")
    group: str = Field(
        "lasair", description="Consumer group; its members share the partitions.", min_length=1
    )
    start: Literal["beginning", "end"] = Field(
        "beginning", description="Where to start a partition that the archive has no position for."
    )
    connect_wait: float = Field(
        60.0, description="Seconds to wait at the start for a broker that does not answer.", gt=0
    )
