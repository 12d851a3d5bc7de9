"""The web site and the API."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from ._section import Section, Texts

__all__ = ["SiteSettings"]


class SiteSettings(Section):
    """The web site and the API."""

    port: int | None = Field(
        None, description="TCP port; none: `lasair run` serves no site; 0: any free port.", ge=0, le=65535
    )
    address: str = Field("127.0.0.1", description="Address to listen at.")
    hosts: Texts = Field(
        (), description="Names under which it is reached, besides localhost; .example.org is any of a domain."
    )
    https: bool = Field(
        False, description="It is reached by https only, through a proxy that sets X-Forwarded-Proto."
    )
    proxies: int = Field(
        0,
        description="Proxies before it, each of which adds to X-Forwarded-For.",
        ge=0,
    )
    threads: int = Field(32, description="Requests answered at once by a process.", ge=2, le=1024)
    upload_bytes: int = Field(
        256 * 1024**2, description="Largest upload: of a watchlist, say (bytes).", ge=1024
    )
    anonymous_requests: int = Field(
        100, description="API requests an hour of an address, without logging in.", ge=1
    )
    user_requests: int = Field(1000, description="API requests an hour of a user.", ge=1)
    stream_metrics: str = Field(
        "",
        description="Address of the metrics of the stream that the status shows, http://worker:9105/metrics "
        "say; none: that of metrics.port, where the stream runs in the same process.",
        pattern=r"^(https?://\S+)?$",
    )
    sign_up: bool = Field(
        True,
        description="Anybody may open an account; needs a mail server (delivery.mail_host), to verify "
        "addresses.",
    )
    orcid_client: str = Field("", description="Client ID for logging in with ORCID; none: not offered.")
    orcid_secret: SecretStr = Field(SecretStr(""), description="Its secret.")
    github_client: str = Field("", description="Client ID for logging in with GitHub; none: not offered.")
    github_secret: SecretStr = Field(SecretStr(""), description="Its secret.")
    image_hosts: Texts = Field(
        (),
        description="Hosts that pages may load images of other surveys from, by https, such as "
        "alasky.cds.unistra.fr; *.example.org is any of a domain. None: pages ask nobody but this site.",
    )
    image_service: str = Field(
        "",
        description="Address of a service that cuts pictures out of other surveys as CDS's hips2fits does, "
        "https://alasky.cds.unistra.fr/hips-image-services/hips2fits say; its host must be among "
        "image_hosts.",
        pattern=r"^(https://[^\s?#]+)?$",
    )
    links: dict[str, str] = Field(
        default_factory=dict,
        description="More links of objects: addresses with {ra}, {decl}, {diaObjectId} or {objectName} in "
        "them, "
        "by name. One with the name of a link of ours replaces it; an empty address removes it.",
    )
    aladin: Path | None = Field(
        None,
        description="Folder with Aladin Lite (aladin.js), which is GPL and so does not come with Lasair; "
        "by default where `make aladin` puts it.",
    )
    power_requests: int = Field(100_000, description="API requests an hour of a power user.", ge=1)
    job_threads: int = Field(
        2, description="Background queries that a process of the site runs at once; 0: none.", ge=0, le=64
    )
    results: Path | None = Field(
        None,
        description="Folder of the results of background queries, which all processes of the site must see. "
        "Default: results beside an embedded archive, else lasair-results.",
    )
    results_days: float = Field(7.0, description="Days for which these are kept.", gt=0)

    @field_validator("links")
    @classmethod
    def _are_addresses(cls, value: dict[str, str]) -> dict[str, str]:
        for name, address in value.items():
            if address and not re.match(r"https?://", address, re.IGNORECASE):
                raise ValueError(f"the address of {name} must begin with https://")
        return value

    @field_validator("image_hosts")
    @classmethod
    def _are_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            if not re.fullmatch(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*(:\d{1,5})?", host, re.IGNORECASE):
                raise ValueError(f"{host} is no name of a host; write it without https:// and path")
        return value
