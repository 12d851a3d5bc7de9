"""Other people's servers that the site asks, or sends to, for its users."""

from __future__ import annotations

import re

from pydantic import Field, SecretStr, field_validator

from ._section import Section, Texts

__all__ = ["PhotometrySettings", "SendingSettings"]


class PhotometrySettings(Section):
    """Services of other surveys from which the site fetches photometry for users; each is off without its
    address."""

    ztf: str = Field(
        "",
        description="ZTF's light curves at IRSA, https://irsa.ipac.caltech.edu/cgi-bin/ZTF/nph_light_curves "
        "say.",
    )
    atlas: str = Field(
        "",
        description="ATLAS' forced photometry, https://fallingstar-data.com/forcedphot say; needs a token.",
    )
    atlas_token: SecretStr = Field(SecretStr(""), description="Token of the site's account at ATLAS.")
    panstarrs: str = Field(
        "",
        description="Pan-STARRS' catalogues at MAST, https://catalogs.mast.stsci.edu/api/v0.1/panstarrs say.",
    )
    seconds: float = Field(60.0, description="The longest that one answer may take.", gt=0, le=600)
    megabytes: int = Field(20, description="The largest answer that is taken.", ge=1, le=500)
    an_hour: int = Field(
        20, description="So often may a user have photometry fetched from each service in an hour.", ge=1
    )
    poll_seconds: float = Field(
        10.0, description="After so long a task at a service is looked after again.", gt=0, le=600
    )
    hours: float = Field(6.0, description="A task at a service that has not ended by then is given up.", gt=0)

    @field_validator("ztf", "atlas", "panstarrs")
    @classmethod
    def _are_safe(cls, value: str) -> str:
        local = re.match(r"http://(localhost|127\.0\.0\.1|\[::1\])[:/]", value)
        if value and not local and not re.fullmatch(r"https://[^\s?#@]+", value):
            raise ValueError("must be an address that begins with https://, without ? and #")
        return value


class SendingSettings(Section):
    """TOMs and SkyPortals to which users may send objects."""

    hosts: Texts = Field(
        (),
        description="Their hosts, such as fritz.science; one beginning with a dot stands for all below it. "
        "None: nothing is sent.",
    )
    seconds: float = Field(60.0, description="The longest that one answer may take.", gt=0, le=600)
    megabytes: int = Field(20, description="The largest answer that is taken.", ge=1, le=500)
    an_hour: int = Field(60, description="So often may a user send to each destination in an hour.", ge=1)
