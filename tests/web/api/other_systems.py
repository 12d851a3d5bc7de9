"""A server that stands for a SkyPortal (at /portal) and a TOM (at /tom), and keeps what it is sent."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "ea70a5f0-b321-43c6"  # noqa: S105  # of a server that is none
PAGE = 2
"""Rows of a page of the TOM's lists."""


class Systems:
    """The server, and what the two keep.

    Attributes
    ----------
    sources, photometry
        Of SkyPortal: by id; rows that are told apart by time, instrument, filter, flux and error.
    targets, products
        Of the TOM: by number; those of a product are the rows of its file.
    trouble
        A status for all answers but those to a GET; or elsewhere, page, silent.
    """

    def __init__(self) -> None:
        self.sources: dict[str, dict[str, Any]] = {}
        self.photometry: dict[tuple[Any, ...], str] = {}
        self.instruments: list[dict[str, Any]] = [
            {"id": 4, "name": "LSSTCam", "filters": ["lsstu", "lsstg", "lsstr", "lssti", "lsstz", "lssty"]},
            {"id": 7, "name": "ATLAS", "filters": ["atlaso", "atlasc"]},
            {"id": 9, "name": "Spectrograph", "filters": None},
        ]
        self.targets: dict[int, dict[str, Any]] = {n: {"name": f"other {n}"} for n in (1, 2, 3)}
        self.products: dict[int, dict[str, Any]] = {}
        self.asked: list[tuple[str, str]] = []
        self.trouble: int | str | None = None
        self.over = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

            def log_message(self, *_: Any) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        self.asked.append((request.command, parts.path))
        if self.trouble == "silent":
            self.over.wait()
            return None
        if self.trouble == "elsewhere":
            request.send_response(307)
            request.send_header("Location", "http://127.0.0.1:9/steal")
            return request.end_headers()
        if self.trouble == "page":
            return self._say(request, b"<html>Log in</html>")
        portal = parts.path.startswith("/portal/")
        if request.headers.get("Authorization", "").lower() != f"token {TOKEN}":
            return self._say(
                request, {"status": "error", "message": "Invalid token", "detail": "Invalid token."}, 401
            )
        if isinstance(self.trouble, int) and request.command != "GET":
            return self._say(request, {"status": "error", "message": "<b>no</b> room"}, self.trouble)
        if portal:
            status, said = self._portal(request.command, parts.path.removeprefix("/portal/api/"), body)
        else:
            media = request.headers.get("Content-Type", "")
            path, asked = parts.path.removeprefix("/tom/api/"), parse_qs(parts.query)
            status, said = self._tom(request.command, path, asked, body, media)
        return self._say(request, said, status)

    def _portal(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        def good(data: Any) -> tuple[int, Any]:
            return 200, {"status": "success", "data": data}

        given = json.loads(body) if body else {}
        if (method, path) == ("GET", "groups"):
            return good({"user_groups": [{"id": 1, "name": "Supernovae"}], "all_groups": []})
        if (method, path) == ("GET", "instrument"):
            return good(self.instruments)
        if (method, path) == ("POST", "sources"):
            self.sources[given["id"]] = given
            return good({"id": given["id"], "saved_to_groups": [1]})
        if (method, path) == ("PUT", "photometry"):
            if given["obj_id"] not in self.sources:
                return 400, {"status": "error", "message": "Invalid object ID"}
            assert (given["zp"], given["magsys"]) == (31.4, "ab")
            known = next(each for each in self.instruments if each["id"] == given["instrument_id"])
            columns = [given[name] for name in ("mjd", "filter", "flux", "fluxerr")]
            for row in zip(*columns, strict=True):
                assert row[1] in known["filters"]
                self.photometry[(given["instrument_id"], *row)] = given["obj_id"]
            return good({"ids": [], "upload_id": "x"})
        if match := re.fullmatch(r"sources/([^/]+)", path):
            known = self.sources.get(unquote(match[1]))
            if known is None:
                return 400, {"status": "error", "message": "Source not found"}
            known |= given if method == "PATCH" else {}
            return good(known)
        return 404, {"status": "error", "message": "Invalid API endpoint"}

    def _tom(
        self, method: str, path: str, asked: dict[str, list[str]], body: bytes, media: str
    ) -> tuple[int, Any]:
        def listed(rows: list[dict[str, Any]]) -> tuple[int, Any]:
            page = int(asked.get("page", ["1"])[0])
            more = f"{self.address}/tom/api/{path}?page={page + 1}" if len(rows) > page * PAGE else None
            return 200, {"count": len(rows), "next": more, "results": rows[(page - 1) * PAGE : page * PAGE]}

        wanted = (asked.get("name") or asked.get("target_name") or [""])[0]
        if (method, path) == ("GET", "targets/"):
            return listed([{"id": n, **t} for n, t in self.targets.items() if wanted in t["name"]])
        if (method, path) == ("POST", "targets/"):
            number = max(self.targets) + 1
            self.targets[number] = json.loads(body)
            return 201, {"id": number, **self.targets[number], "message": "Target successfully uploaded."}
        if (method, path) == ("GET", "dataproducts/"):
            rows = [{"id": n, **p} for n, p in self.products.items()]
            return listed([row for row in rows if wanted in self.targets[row["target"]]["name"]])
        if (method, path) == ("POST", "dataproducts/"):
            return self._product(message_from_bytes(f"Content-Type: {media}\r\n\r\n".encode() + body))
        if (match := re.fullmatch(r"targets/(\d+)/", path)) and method == "PATCH":
            self.targets[int(match[1])] |= json.loads(body)
            return 200, {"id": int(match[1]), **self.targets[int(match[1])]}
        if (match := re.fullmatch(r"dataproducts/(\d+)/", path)) and method == "DELETE":
            del self.products[int(match[1])]
            return 204, b""
        return 404, {"detail": "Not found."}

    def _product(self, form: Any) -> tuple[int, Any]:
        fields = {
            part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
            for part in form.get_payload()
        }
        product = fields["product_id"].decode()
        if any(known["product_id"] == product for known in self.products.values()):
            return 400, {"product_id": ["data product with this product id already exists."]}
        rows = list(csv.DictReader(io.StringIO(fields["file"].decode())))
        number = max(self.products, default=0) + 1
        kept = {"product_id": product, "target": int(fields["target"]), "rows": rows}
        self.products[number] = {**kept, "data_product_type": fields["data_product_type"].decode()}
        return 201, {"id": number, "message": "Data product successfully uploaded."}

    @staticmethod
    def _say(request: BaseHTTPRequestHandler, said: Any, status: int = 200) -> None:
        content = said if isinstance(said, bytes) else json.dumps(said).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)


@contextmanager
def other_systems() -> Iterator[Systems]:
    """The server, as long as it is needed."""
    made = Systems()
    thread = threading.Thread(target=made.http.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.over.set()
        made.http.shutdown()
        made.http.server_close()
        thread.join()
