"""Writer schemas from folders, from the installed package, and from a registry that is a real HTTP server."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from fastavro.schema import fullname, load_schema, parse_schema, to_parsing_canonical_form

from lasair_broker.packets import SchemaFileError, SchemaStore, UnknownSchemaError

SMALL = {"type": "record", "name": "alert", "fields": [{"name": "n", "type": "long"}]}


class Registry:
    """A schema registry on a free port; `answers` gives status and body for each path."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, bytes]]] = {}
        self.asked: list[str] = []
        self.headers: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                outer.headers.append(self.headers.get("Authorization"))
                answers = outer.answers.get(self.path, [(404, b'{"error_code": 40403}')])
                status, body = answers.pop(0) if len(answers) > 1 else answers[0]
                if status == 0:
                    time.sleep(1.5)
                self.send_response(status or 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def offer(self, path: str, schema: Any, **more: Any) -> None:
        body = json.dumps({"schema": json.dumps(schema), **more}).encode()
        self.answers[path] = [(200, body)]


@pytest.fixture
def registry() -> Iterator[Registry]:
    server = Registry()
    yield server
    server.server.shutdown()
    server.server.server_close()


def store(registry: Registry, **options: Any) -> SchemaStore:
    return SchemaStore((), registry.url, use_installed=False, attempts=3, **options)


def test_a_schema_from_the_registry_is_asked_for_once(registry: Registry) -> None:
    registry.offer("/schemas/ids/7", SMALL)
    schemas = store(registry)
    assert schemas.by_confluent_id(7) == SMALL
    assert schemas.by_confluent_id(7) == SMALL
    assert schemas.codec_by_confluent_id(7) is schemas.codec_by_confluent_id(7)
    assert registry.asked == ["/schemas/ids/7"]
    assert registry.headers == [None]


def test_the_path_of_the_registry_is_kept(registry: Registry) -> None:
    registry.offer("/api/v2/schemas/ids/7", SMALL)
    schemas = SchemaStore((), registry.url + "/api/v2/", use_installed=False)
    assert schemas.by_confluent_id(7) == SMALL


def test_schemas_are_kept_on_disk(registry: Registry, tmp_path: Path) -> None:
    registry.offer("/schemas/ids/7", SMALL)
    assert store(registry, cache_folder=tmp_path).by_confluent_id(7) == SMALL
    registry.answers.clear()
    assert store(registry, cache_folder=tmp_path).by_confluent_id(7) == SMALL
    assert registry.asked == ["/schemas/ids/7"]
    # Another registry has its own meaning of 7.
    with pytest.raises(UnknownSchemaError):
        SchemaStore((), registry.url + "/x", use_installed=False, cache_folder=tmp_path).by_confluent_id(7)


def test_a_broken_copy_on_disk_is_fetched_again(registry: Registry, tmp_path: Path) -> None:
    registry.offer("/schemas/ids/7", SMALL)
    store(registry, cache_folder=tmp_path).by_confluent_id(7)
    (copy,) = tmp_path.rglob("7.avsc")
    copy.write_text("{")
    assert store(registry, cache_folder=tmp_path).by_confluent_id(7) == SMALL
    assert json.loads(copy.read_text()) == SMALL


def test_password(registry: Registry) -> None:
    registry.offer("/schemas/ids/7", SMALL)
    login = {"registry_username": "ada", "registry_password": "sesam:öffne"}
    store(registry, **login).by_confluent_id(7)
    assert registry.headers == ["Basic " + base64.b64encode("ada:sesam:öffne".encode()).decode()]


def test_a_registry_out_of_breath_is_asked_again(registry: Registry) -> None:
    registry.offer("/schemas/ids/7", SMALL)
    registry.answers["/schemas/ids/7"][:0] = [(503, b""), (500, b"")]
    assert store(registry).by_confluent_id(7) == SMALL
    assert len(registry.asked) == 3


def test_a_slow_registry_is_asked_again(registry: Registry) -> None:
    registry.offer("/schemas/ids/7", SMALL)
    registry.answers["/schemas/ids/7"].insert(0, (0, b""))
    assert store(registry, timeout=0.3).by_confluent_id(7) == SMALL


@pytest.mark.parametrize(
    ("status", "body", "words", "requests"),
    [
        (404, b"{}", "registry", 1),
        (503, b"", "HTTP status 503", 3),
        (401, b"", "user name and password", 1),
        (200, b"<html>", "not JSON", 1),
        (200, b"[]", "not a schema", 1),
        (200, b'{"schema": "{"}', "not a schema", 1),
        (200, b'{"schema": "\\"long\\""}', "not an Avro record", 1),
        (200, b'{"schema": "{}", "schemaType": "PROTOBUF"}', "not an Avro record", 1),
    ],
)
def test_what_the_registry_cannot_give(
    registry: Registry, status: int, body: bytes, words: str, requests: int
) -> None:
    registry.answers["/schemas/ids/7"] = [(status, body)]
    schemas = store(registry)
    with pytest.raises(UnknownSchemaError, match=words):
        schemas.by_confluent_id(7)
    assert len(registry.asked) == requests
    # A stream must not wait for the registry at each message.
    with pytest.raises(UnknownSchemaError, match="schema 7"):
        schemas.by_confluent_id(7)
    assert len(registry.asked) == requests


def test_after_a_while_the_registry_is_asked_again(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    schemas = store(registry)
    with pytest.raises(UnknownSchemaError):
        schemas.by_confluent_id(7)
    registry.offer("/schemas/ids/7", SMALL)
    later = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert schemas.by_confluent_id(7) == SMALL


def test_no_registry_listening() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    schemas = SchemaStore((), f"http://127.0.0.1:{port}", use_installed=False, attempts=2)
    with pytest.raises(UnknownSchemaError, match="Connection"):
        schemas.by_confluent_id(7)


def test_schemas_that_refer_to_others(registry: Registry) -> None:
    inner = {
        "type": "record",
        "name": "source",
        "namespace": "x",
        "fields": [{"name": "t", "type": "double"}],
    }
    outer: dict[str, Any] = {
        "type": "record",
        "name": "alert",
        "namespace": "x",
        "fields": [
            {"name": "a", "type": "source"},
            {"name": "b", "type": {"type": "array", "items": "x.source"}},
        ],
    }
    references = [{"name": "x.source", "subject": "x/source", "version": 4}]
    registry.offer("/schemas/ids/7", outer, references=references)
    registry.offer("/subjects/x%2Fsource/versions/4", inner)
    schemas = store(registry)
    whole = {**outer, "fields": [{"name": "a", "type": inner}, outer["fields"][1]]}
    assert schemas.codec_by_confluent_id(7).fingerprint == schemas.codec(json.dumps(whole)).fingerprint
    assert registry.asked == ["/schemas/ids/7", "/subjects/x%2Fsource/versions/4"]


def test_a_reference_to_nothing(registry: Registry) -> None:
    registry.offer("/schemas/ids/7", SMALL, references=[{"name": "x", "subject": "x", "version": 1}])
    with pytest.raises(UnknownSchemaError, match="schema 7"):
        store(registry).by_confluent_id(7)


@pytest.mark.parametrize("url", ["ftp://host", "nowhere", "http://"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ValueError, match="registry"):
        SchemaStore((), url)


VERSIONS = ["7.4", "8.0", "9.0", "10.0", "11.0", "11.1"]


@pytest.mark.parametrize("version", VERSIONS)
def test_versions_in_a_folder_are_joined(version: str, data_folder: Path, schemas: SchemaStore) -> None:
    folder = data_folder / "lsst/schemas"
    local = SchemaStore([folder], use_installed=False)
    major, minor = (int(part) for part in version.split("."))
    path = folder / str(major) / str(minor) / f"lsst.v{major}_{minor}.alert.avsc"
    expected = to_parsing_canonical_form(load_schema(path))
    joined = local.by_confluent_id(100 * major + minor)
    assert to_parsing_canonical_form(parse_schema(joined)) == expected
    assert local.lsst(version) == local.lsst((major, minor)) == joined
    assert fullname(joined) == f"lsst.v{major}_{minor}.alert"
    # What Rubin ships is the same.
    assert (
        schemas.codec_by_confluent_id(100 * major + minor).fingerprint
        == local.codec(json.dumps(joined)).fingerprint
    )


def test_versions_offered(data_folder: Path, schemas: SchemaStore) -> None:
    assert SchemaStore([data_folder / "lsst/schemas"], use_installed=False).lsst_versions() == VERSIONS
    assert set(VERSIONS) < set(schemas.lsst_versions())
    with pytest.raises(UnknownSchemaError, match=r"10\.0"):
        schemas.lsst("12.3")
    with pytest.raises(UnknownSchemaError, match="not an LSST schema version"):
        schemas.lsst("new")


def test_files_named_by_id(tmp_path: Path) -> None:
    (tmp_path / "12.avsc").write_text(json.dumps(SMALL))
    (tmp_path / "13.json").write_text(json.dumps({"id": 13, "schema": json.dumps(SMALL)}))
    (tmp_path / "notes.json").write_text("[")
    (tmp_path / "14.avsc").write_text("{")
    (tmp_path / "15.avsc").write_text("[]")
    schemas = SchemaStore([tmp_path], use_installed=False)
    assert schemas.by_confluent_id(12) == schemas.by_confluent_id(13) == SMALL
    for number in (14, 15):
        with pytest.raises(UnknownSchemaError, match=rf"{number}\.avsc"):
            schemas.by_confluent_id(number)


def test_a_folder_comes_before_the_registry_and_the_first_folder_before_the_second(
    registry: Registry, tmp_path: Path
) -> None:
    registry.offer("/schemas/ids/1", {**SMALL, "name": "third"})
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.avsc").write_text(json.dumps({**SMALL, "name": name}))
    schemas = SchemaStore([tmp_path / "first", tmp_path / "second"], registry.url, use_installed=False)
    assert schemas.by_confluent_id(1)["name"] == "first"
    assert registry.asked == []


def test_the_registry_comes_before_the_installed_package(registry: Registry) -> None:
    registry.offer("/schemas/ids/1101", SMALL)
    schemas = SchemaStore((), registry.url)
    assert schemas.by_confluent_id(1101) == SMALL
    # What the registry does not have, the package may.
    assert schemas.by_confluent_id(1000) == schemas.lsst("10.0")


def test_broken_folders(tmp_path: Path, data_folder: Path) -> None:
    with pytest.raises(SchemaFileError, match="not a folder"):
        SchemaStore([tmp_path / "none"])
    version = tmp_path / "11" / "0"
    shutil.copytree(data_folder / "lsst/schemas/11/0", version)
    version.chmod(0o755)
    (version / "lsst.v11_0.diaSource.avsc").unlink()
    with pytest.raises(UnknownSchemaError, match="diaSource"):
        SchemaStore([tmp_path], use_installed=False).by_confluent_id(1100)
    (version / "lsst.v11_0.alert.avsc").unlink()
    with pytest.raises(UnknownSchemaError, match="alert"):
        SchemaStore([tmp_path], use_installed=False).by_confluent_id(1100)
