"""Where packs are: a folder, or bucket and prefix of an object store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fsspec

from lasair_broker.settings import ArchiveSettings

from ..errors import ArchiveError
from ._bucket import BucketReader, BucketWriter
from ._interface import PackReader, PackWriter
from ._reader import FolderReader
from ._writer import FolderWriter

__all__ = ["PackPlace"]


@dataclass(frozen=True)
class PackPlace:
    """A place of packs.

    Attributes
    ----------
    where
        A folder, or an address such as ``s3://bucket/prefix``.
    cache, cache_bytes
        A folder for whole packs of an object store that are read, and how much it may hold.
    options
        What fsspec's file system of that address is told: endpoint and credentials.
    """

    where: str
    cache: Path = Path("lasair-pack-cache")
    cache_bytes: int = 4 * 1024**3
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, settings: ArchiveSettings) -> PackPlace:
        """The place that the settings name."""
        options: dict[str, Any] = {}
        if settings.packs.startswith("s3://"):
            options = {
                "endpoint_url": settings.s3_endpoint or None,
                "key": settings.s3_key or None,
                "secret": settings.s3_secret.get_secret_value() or None,
            }
        return cls(settings.packs, settings.pack_cache, settings.pack_cache_bytes, options)

    @property
    def is_remote(self) -> bool:
        """Whether it is an object store."""
        return "://" in self.where

    def reader(self) -> PackReader:
        """What reads packs here.

        Raises
        ------
        ArchiveError
            If there is nothing installed for such an address.
        """
        if not self.is_remote:
            return FolderReader(Path(self.where))
        return BucketReader(*self._store(), self.cache, self.cache_bytes)

    def writer(self, committed: Mapping[str, int], pack_bytes: int) -> PackWriter:
        """What writes packs here.

        Parameters
        ----------
        committed
            The committed length in bytes of each pack of a folder that shall be gone on with.
        pack_bytes
            A pack in a folder is closed when it has grown to this size.

        Raises
        ------
        ArchiveError
            If there is nothing installed for such an address.
        OSError
            If the folder cannot be made.
        """
        if not self.is_remote:
            return FolderWriter(Path(self.where), committed, pack_bytes)
        return BucketWriter(*self._store())

    def _store(self) -> tuple[Any, str]:
        try:
            files, root = fsspec.core.url_to_fs(self.where, use_listings_cache=False, **self.options)
        except (ImportError, ValueError) as error:
            raise ArchiveError(
                f"packs cannot be kept at {self.where}: {error}. For s3:// install lasair-broker[s3]."
            ) from None
        return files, root.rstrip("/")
