"""Where writer schemas come from: folders, a registry, and Rubin's own package if it is installed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ._registry import NotInRegistryError, Registry, RegistryError
from ._schema_files import SchemaFileError, load_schema, scan_folder
from .avro import Codec, ContainerReader

__all__ = ["SchemaStore", "UnknownSchemaError"]

_ASK_AGAIN_AFTER = 60.0
"""Seconds after which an id that could not be had is sought again; a stream must not wait each time."""


class UnknownSchemaError(LookupError):
    """No place has this schema; the message says where it was sought and what to do."""


class SchemaStore:
    """Writer schemas by Confluent schema id or LSST version.

    A message's id is sought in the folders first, in their order, then in the registry, then in the installed
    package ``lsst-alert-packet``. For folders MAJOR/MINOR and for the package the id is LSST's convention,
    100 × MAJOR + MINOR (1101 is version 11.1).

    Parameters
    ----------
    folders
        Folders laid out as MAJOR/MINOR/*.avsc, or holding files named <id>.avsc or <id>.json.
    registry_url
        Address of a Confluent-compatible registry; None or "" if there is none.
    registry_username, registry_password
        For HTTP basic authentication with the registry.
    use_installed
        Whether to look in the package ``lsst-alert-packet``, if it is there.
    cache_folder
        Where schemas from the registry are kept between runs; None keeps them in memory only.
    timeout, attempts
        Seconds for one request to the registry, and how often it is tried.

    Raises
    ------
    SchemaFileError
        If one of `folders` is not a folder.
    """

    def __init__(
        self,
        folders: Sequence[str | Path] = (),
        registry_url: str | None = None,
        use_installed: bool = True,
        *,
        registry_username: str = "",
        registry_password: str = "",
        cache_folder: str | Path | None = None,
        timeout: float = 10.0,
        attempts: int = 3,
    ) -> None:
        self._folders = [Path(folder) for folder in folders]
        self._files: dict[int, Path] = {}
        for folder in self._folders:
            for schema_id, place in scan_folder(folder).items():
                self._files.setdefault(schema_id, place)
        self._registry: Registry | None = None
        if registry_url:
            kept = None if cache_folder is None else Path(cache_folder)
            self._registry = Registry(
                registry_url, registry_username, registry_password, kept, timeout, attempts
            )
        self._use_installed = use_installed
        self._installed: dict[int, Path] | None = None
        self._by_id: dict[int, dict[str, Any]] = {}
        self._codec_by_id: dict[int, Codec] = {}
        self._codecs: dict[str, Codec] = {}
        self._missing: dict[int, tuple[float, str]] = {}
        self.containers = ContainerReader()

    def by_confluent_id(self, schema_id: int) -> dict[str, Any]:
        """The schema of a Confluent-framed message's id, as parsed JSON.

        Raises
        ------
        UnknownSchemaError
            If nobody has it. Further calls within a minute raise at once.
        """
        schema = self._by_id.get(schema_id)
        if schema is not None:
            return schema
        failed = self._missing.get(schema_id)
        if failed is not None and time.monotonic() - failed[0] < _ASK_AGAIN_AFTER:
            raise UnknownSchemaError(failed[1])
        try:
            schema = self._find(schema_id)
        except UnknownSchemaError as error:
            self._missing[schema_id] = (time.monotonic(), str(error))
            raise
        self._missing.pop(schema_id, None)
        self._by_id[schema_id] = schema
        return schema

    def lsst(self, version: str | tuple[int, int]) -> dict[str, Any]:
        """LSST's alert schema of a version such as "11.1" or (11, 1), from the folders or the package.

        Raises
        ------
        UnknownSchemaError
            If neither has it.
        """
        parts = version.split(".") if isinstance(version, str) else [str(part) for part in version]
        if len(parts) != 2 or not all(part.isdecimal() for part in parts):
            raise UnknownSchemaError(f"{version!r} is not an LSST schema version such as 11.1")
        schema_id = 100 * int(parts[0]) + int(parts[1])
        place = self._files.get(schema_id) or self._installed_files().get(schema_id)
        if place is None:
            raise UnknownSchemaError(
                f"no LSST schema {'.'.join(parts)}: have {', '.join(self.lsst_versions()) or 'none'}; "
                "install the extra lsst-schemas or name a folder of schemas"
            )
        return self._load(place)

    def lsst_versions(self) -> list[str]:
        """The LSST schema versions that folders and the installed package have, oldest first."""
        ids = sorted({i for i, p in self._files.items() if p.is_dir()} | set(self._installed_files()))
        return [f"{schema_id // 100}.{schema_id % 100}" for schema_id in ids]

    def codec_by_confluent_id(self, schema_id: int) -> Codec:
        """The codec of `by_confluent_id`; made once.

        Raises
        ------
        UnknownSchemaError
            If nobody has the schema.
        SchemaError
            If it is malformed.
        """
        codec = self._codec_by_id.get(schema_id)
        if codec is None:
            codec = self.codec(json.dumps(self.by_confluent_id(schema_id)))
            self._codec_by_id[schema_id] = codec
        return codec

    def codec(self, schema_json: str) -> Codec:
        """The codec of a schema given as JSON text; made once.

        Raises
        ------
        SchemaError
            If it is malformed.
        """
        codec = self._codecs.get(schema_json)
        if codec is None:
            codec = self._codecs[schema_json] = Codec(schema_json)
        return codec

    def _find(self, schema_id: int) -> dict[str, Any]:
        place = self._files.get(schema_id)
        sought = [f"{len(self._folders)} folders"] if self._folders else []
        try:
            if place is not None:
                return self._load(place)
            if self._registry is not None:
                try:
                    return self._registry.schema(schema_id)
                except NotInRegistryError:
                    sought.append(f"registry {self._registry.url}")
                except RegistryError as error:
                    sought.append(f"registry ({error})")
            place = self._installed_files().get(schema_id)
            if place is not None:
                return self._load(place)
        except SchemaFileError as error:
            raise UnknownSchemaError(f"schema {schema_id}: {error}") from error
        if self._use_installed:
            sought.append(
                "installed lsst-alert-packet" if self._installed else "lsst-alert-packet (not installed)"
            )
        raise UnknownSchemaError(
            f"schema {schema_id} is unknown: sought in {', '.join(sought) or 'no place'}; name a registry, "
            f"put {schema_id}.avsc into a folder of schemas, or install the extra lsst-schemas, then retry"
        )

    def _load(self, place: Path) -> dict[str, Any]:
        try:
            return load_schema(place)
        except SchemaFileError as error:
            raise UnknownSchemaError(str(error)) from error

    def _installed_files(self) -> dict[int, Path]:
        """What the package lsst-alert-packet offers; its data is read, its code (GPL) is not imported."""
        if self._installed is None:
            self._installed = {}
            if self._use_installed:
                try:
                    files = importlib.metadata.files("lsst-alert-packet") or []
                except importlib.metadata.PackageNotFoundError:
                    files = []
                place = next((file for file in files if file.suffix == ".avsc"), None)
                if place is not None:
                    # .../schema/MAJOR/MINOR/lsst.vMAJOR_MINOR.alert.avsc
                    self._installed = scan_folder(Path(str(place.locate())).parents[2])
        return self._installed
