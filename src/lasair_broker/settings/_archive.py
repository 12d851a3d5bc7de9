"""Where everything is kept, and for how long."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, field_validator

from ._section import Section

__all__ = ["ArchiveSettings"]


class ArchiveSettings(Section):
    """Where everything is kept."""

    url: str = Field(
        "lasair-data",
        description="A folder for the embedded archive, or postgresql://user@host/database, as libpq reads "
        "it. A password is better kept in libpq's password file.",
        min_length=1,
    )
    packs: Annotated[str, BeforeValidator(str)] = Field(
        "lasair-packs",
        description="Packs of images and raw alerts: a folder that all machines of a site see, or "
        "s3://bucket/prefix. An embedded archive has them in its own folder.",
        min_length=1,
    )
    snapshot: Path | None = Field(
        None,
        description="Folder on a fast local disk for a columnar snapshot of an archive in PostgreSQL, from "
        "which searches that no index serves are answered; `lasair archive snapshot` keeps it. Each machine "
        "may have its own.",
    )
    pack_bytes: int = Field(
        512 * 1024**2,
        description="A pack file of images or raw alerts is closed when it has grown to this size (bytes).",
        ge=1024**2,
    )
    pack_cache: Path = Field(
        Path("lasair-pack-cache"),
        description="Folder of this machine for packs from S3 that are read as a whole.",
    )
    pack_cache_bytes: int = Field(
        4 * 1024**3, description="How much of them is kept there (bytes).", ge=1024**2
    )
    s3_endpoint: str = Field(
        "",
        description="Address of an S3 that is not Amazon's, https://…; none: as AWS_ENDPOINT_URL says.",
        pattern=r"^(https?://\S+)?$",
    )
    s3_key: str = Field("", description="Key of S3; none: as AWS' variables, files or machine roles say.")
    s3_secret: SecretStr = Field(SecretStr(""), description="Its secret.")
    keep_images_days: dict[str, float] = Field(
        default_factory=dict,
        description="Days after which `lasair archive tidy` takes the cut-outs out of stored alerts, by "
        "survey; a survey that is not named keeps them.",
    )
    keep_alerts_days: dict[str, float] = Field(
        default_factory=dict,
        description="Days after which `lasair archive tidy` drops the packets of alerts, by survey. What was "
        "read from them stays in the tables.",
    )
    memory_limit: str = Field(
        "500MB",
        description="How much memory the embedded engine may take, or the one that reads the snapshot.",
        pattern=r"^\d+(\.\d+)?\s?([KMGT]i?B)$",
    )
    threads: int = Field(
        1,
        description="Threads of the embedded engine that share a statement. Statements run side by side "
        "anyway; more threads shorten searches and slow down the stream.",
        ge=1,
    )

    @field_validator("keep_images_days", "keep_alerts_days")
    @classmethod
    def _are_days_of_surveys(cls, value: dict[str, float]) -> dict[str, float]:
        for survey, days in value.items():
            if survey not in ("lsst", "ztf"):
                raise ValueError(f"there is no survey {survey}: lsst or ztf")
            if not 1 <= days < 100_000:
                raise ValueError(f"{survey} must keep its for at least 1 day, not {days:g}")
        return value
