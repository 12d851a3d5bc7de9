"""Notices of other messengers."""

from __future__ import annotations

from pydantic import Field, SecretStr

from ._kafka import KafkaConnection
from ._section import Texts

__all__ = ["MessengersSettings"]


class MessengersSettings(KafkaConnection):
    """Gravitational waves, neutrinos, bursts: where notices are announced, and which are taken in."""

    topics: Texts = Field(
        (), description="Topics of notices to follow; one beginning with ^ is a pattern. None: not followed."
    )
    group: str = Field("lasair-notices", description="Consumer group.", min_length=1)
    client_id: str = Field("", description="Client of NASA's GCN (OAuth 2); none: user name and password.")
    client_secret: SecretStr = Field(SecretStr(""), description="Its secret.")
    token_url: str = Field(
        "https://auth.gcn.nasa.gov/oauth2/token", description="Where the client gets its tokens."
    )
    tests: bool = Field(False, description="Take in and match tests, injections and made-up events, too.")
    map_hosts: Texts = Field(
        (),
        description="Hosts from which maps are fetched that a notice only names by address; one beginning "
        "with a dot stands for all below it. None: no map is fetched.",
    )
    map_megabytes: int = Field(100, description="The largest map that is fetched.", ge=1, le=2000)
    map_seconds: float = Field(60.0, description="The longest that fetching a map may take.", gt=0)

    def librdkafka(self) -> dict[str, str | int | float | bool]:
        """The configuration of a librdkafka client, secrets in clear; `options` have the last word."""
        config: dict[str, str | int | float | bool] = {"group.id": self.group}
        if self.client_id:
            config |= {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "OAUTHBEARER",
                "sasl.oauthbearer.method": "oidc",
                "sasl.oauthbearer.client.id": self.client_id,
                "sasl.oauthbearer.client.secret": self.client_secret.get_secret_value(),
                "sasl.oauthbearer.token.endpoint.url": self.token_url,
            }
        given = super().librdkafka()
        if self.client_id and "security.protocol" not in self.options:
            given.pop("security.protocol")
        return config | given
