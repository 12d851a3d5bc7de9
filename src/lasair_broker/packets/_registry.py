"""Writer schemas from a registry that speaks Confluent's REST interface."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import ssl
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from ._schema_files import join_schemas
from .avro import SchemaError

__all__ = ["NotInRegistryError", "Registry", "RegistryError"]

_RETRY = frozenset({408, 425, 429, 500, 502, 503, 504})


class RegistryError(Exception):
    """A registry that did not give a schema; the message says which and why."""


class NotInRegistryError(RegistryError):
    """The registry answered, and has no schema of this id."""


class Registry:
    """One registry.

    Parameters
    ----------
    url
        Its address, http or https; a path before /schemas is kept.
    username, password
        For HTTP basic authentication; an empty name means none.
    cache_folder
        Where schemas are kept for good, since an id never changes its meaning; None keeps none.
    timeout
        Seconds one request may take.
    attempts
        How often a request is made before it counts as failed; the pause between doubles from 0.2 s.
    """

    def __init__(
        self,
        url: str,
        username: str = "",
        password: str = "",
        cache_folder: Path | None = None,
        timeout: float = 10.0,
        attempts: int = 3,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"schema registry: {url!r} is not an http or https address")
        self.url = url.rstrip("/")
        self._parts = parts
        self._timeout = timeout
        self._attempts = attempts
        self._headers = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}
        if username:
            token = base64.b64encode(f"{username}:{password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {token}"
        self._cache: Path | None = None
        if cache_folder is not None:
            self._cache = cache_folder / hashlib.sha256(self.url.encode()).hexdigest()[:16]

    def schema(self, schema_id: int) -> dict[str, Any]:
        """The schema of id `schema_id` with the schemas it refers to joined into it.

        Raises
        ------
        NotInRegistryError
            If the registry does not know the id.
        RegistryError
            If it cannot be reached or answers nonsense.
        """
        kept = None if self._cache is None else self._cache / f"{schema_id}.avsc"
        if kept is not None and kept.exists():
            try:
                schema = json.loads(kept.read_text(encoding="utf-8"))
                if isinstance(schema, dict):
                    return schema
            except ValueError:
                kept.unlink(missing_ok=True)
        schema = self._joined(self._get(f"/schemas/ids/{schema_id}"), schema_id, set())
        if kept is not None:
            self._keep(kept, schema)
        return schema

    def _joined(self, answer: Any, schema_id: int, seen: set[tuple[str, int]]) -> dict[str, Any]:
        try:
            kind = answer.get("schemaType", "AVRO")
            schema = json.loads(answer["schema"])
            references = [(str(r["subject"]), int(r["version"])) for r in answer.get("references", ())]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise RegistryError(f"{self.url}: answer for schema {schema_id} is not a schema") from error
        if kind != "AVRO" or not isinstance(schema, dict):
            raise RegistryError(f"{self.url}: schema {schema_id} is not an Avro record")
        others = []
        for subject, version in references:
            if (subject, version) in seen:
                continue
            seen.add((subject, version))
            path = f"/subjects/{quote(subject, safe='')}/versions/{version}"
            others.append(self._joined(self._get(path), schema_id, seen))
        try:
            return join_schemas(schema, others) if others else schema
        except SchemaError as error:
            raise RegistryError(f"{self.url}: schema {schema_id}: {error}") from error

    def _get(self, path: str) -> Any:
        """The JSON at `path`, asked for again after a pause while the failure may pass."""
        reason = ""
        for attempt in range(self._attempts):
            if attempt:
                time.sleep(0.2 * 2 ** (attempt - 1))
            try:
                status, body = self._request(path)
            except (OSError, http.client.HTTPException) as error:
                reason = f"{type(error).__name__}: {error}"
                continue
            if status == 200:
                try:
                    return json.loads(body)
                except ValueError as error:
                    raise RegistryError(f"{self.url}{path}: answer is not JSON") from error
            if status == 404:
                raise NotInRegistryError(f"{self.url}{path}: not found")
            reason = f"HTTP status {status}"
            if status in (401, 403):
                reason += ", check the user name and password of the registry"
            if status not in _RETRY:
                break
        raise RegistryError(f"{self.url}{path}: {reason}")

    def _request(self, path: str) -> tuple[int, bytes]:
        host, port = self._parts.hostname or "", self._parts.port
        connection: http.client.HTTPConnection
        if self._parts.scheme == "https":
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(host, port, timeout=self._timeout, context=context)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=self._timeout)
        try:
            connection.request("GET", self._parts.path.rstrip("/") + path, headers=self._headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _keep(self, place: Path, schema: dict[str, Any]) -> None:
        """Write the schema whole or not at all: another worker may be doing the same."""
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_suffix(f".{os.getpid()}.partial")
        partial.write_text(json.dumps(schema), encoding="utf-8")
        partial.replace(place)
