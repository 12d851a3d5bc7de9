"""A server that stands for IRSA, MAST and ATLAS: it speaks as they do, of a made-up source."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "the-token-of-this-site"  # noqa: S105  # of a server that is none

_IRSA_HEAD = (
    "oid,expid,hjd,mjd,mag,magerr,catflags,filtercode,ra,dec,chi,sharp,filefracday,field,ccdid,qid,limitmag,"
    "magzp,magzprms,clrcoeff,clrcounc,exptime,airmass,programid"
)
_ATLAS_HEAD = (
    "###MJD          m      dm   uJy   duJy F err chi/N   RA       Dec        x        y     maj  min   phi"
    "  apfit mag5sig Sky   Obs"
)


def irsa(ra: float, decl: float, flags: tuple[int, ...] = (0, 0, 32768)) -> str:
    """ZTF's light curve of a source: an epoch for each of `flags`."""
    lines = [
        f"686103400034440,{46445000 + i},2458202.{i}09,{58202 + i}.5,{16.5 + 0.1 * i:.3f},0.012,{flag},"
        f"z{'gr'[i % 2]},{ra:.7f},{decl:.7f},0.8,-0.07,20180325{i}00000,686,9,1,20.1,26.2,0.03,-0.04,1e-05,"
        "30,1.2,1"
        for i, flag in enumerate(flags)
    ]
    return "\n".join([_IRSA_HEAD, *lines, ""])


def panstarrs() -> str:
    """Three detections of Pan-STARRS, and one that its mask spoils, and one without flux."""
    return (
        "filterID,obsTime,psfFlux,psfFluxErr,psfQfPerfect\n"
        "1,55300.25,0.0001,0.000002,0.999\n"
        "5,56300.25,0.0002,0.000004,0.95\n"
        "3,56301.25,0.00015,0.000002,0.9989\n"
        "3,56302.25,0.00015,0.000002,0.3\n"
        "2,56303.25,-999.0,-999.0,0.99\n"
    )


def atlas() -> str:
    """Three measurements of ATLAS, and one whose fit failed."""
    rest = "1.18  323.37  -0.82  6212.49  9132.04  2.8  2.6  38.2  -0.427 19.33 20.11 02a57232o0580o"
    rows = (
        "57232.581 18.03 0.08 223 16 o 0",
        "57232.595 18.11 0.09 207 18 c 0",
        "57233.581 -17.0 0.08 -50 16 o 0",
        "57234.581 14.03 0.08 9999 16 o 1",
    )
    return "\n".join([_ATLAS_HEAD, *(f"{row} {rest}" for row in rows), ""])


class Services:
    """The server; what it was asked, and what is to go wrong.

    Attributes
    ----------
    trouble
        What answers are instead, by "irsa", "mast" or "atlas": a status, or one of huge, silent, elsewhere,
        garbage, page, none, ruined.
    steps
        How often ATLAS is asked in vain for a task.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, list[str]]]] = []
        self.trouble: dict[str, str | int] = {}
        self.steps = 2
        self.flags: tuple[int, ...] = (0, 0, 32768)
        self.over = threading.Event()
        self.looked = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            do_POST = do_DELETE = do_GET

            def log_message(self, *_: Any) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"

    @property
    def settings(self) -> dict[str, Any]:
        """What the operator of a site sets."""
        return {
            "ztf": f"{self.address}/cgi-bin/ZTF/nph_light_curves",
            "panstarrs": f"{self.address}/api/v0.1/panstarrs",
            "atlas": f"{self.address}/forcedphot",
            "atlas_token": TOKEN,
            "poll_seconds": 0.05,
        }

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        length = int(request.headers.get("Content-Length", 0))
        given = parse_qs(request.rfile.read(length).decode() if length else parts.query)
        self.asked.append((request.command, parts.path, given))
        which = {"cgi-bin": "irsa", "api": "mast"}.get(parts.path.split("/")[1], "atlas")
        trouble = self.trouble.get(which)
        if isinstance(trouble, int):
            said = b'{"detail": "Request was throttled. Expected available in 3 seconds."}'
            return self._send(request, said, trouble)
        if trouble == "elsewhere":
            request.send_response(302)
            request.send_header("Location", "http://169.254.169.254/latest/meta-data/")
            return request.end_headers()
        if trouble == "silent":
            self.over.wait()
            return None
        if trouble is not None:
            bodies = {
                "huge": b"0" * 2_000_000,
                "garbage": b"\xff\xfe\x00",
                "page": b"<html>Sorry",
                "none": b"",
            }
            if trouble in bodies:
                return self._send(request, bodies[str(trouble)])
        if which == "irsa":
            _, ra, decl, _ = given["POS"][0].split()
            text = irsa(float(ra), float(decl), self.flags)
            return self._send(request, (text.replace("0.012", "x") if trouble == "ruined" else text).encode())
        if which == "mast":
            return self._send(request, panstarrs().encode())
        return self._atlas(request, parts.path)

    def _atlas(self, request: BaseHTTPRequestHandler, path: str) -> None:
        if path.startswith("/forcedphot/static/"):
            return self._send(request, atlas().encode())
        if request.headers.get("Authorization") != f"Token {TOKEN}":
            return self._send(request, b'{"detail": "Invalid token."}', 401)
        task = f"{self.address}/forcedphot/queue/1234/"
        if request.command == "POST":
            self.looked = 0
            return self._send(request, json.dumps({"url": task, "id": 1234}).encode(), 201)
        if request.command == "DELETE":
            return self._send(request, b"", 204)
        self.looked += 1
        known: dict[str, Any] = {"url": task, "starttimestamp": None, "finishtimestamp": None, "queuepos": 3}
        known |= {"result_url": None, "error_msg": None}
        if self.looked > 1:
            known |= {"starttimestamp": "2026-01-01T00:00:00Z", "queuepos": None}
        if self.trouble.get("atlas") == "failed":
            known |= {"finishtimestamp": "2026-01-01T00:00:01Z", "error_msg": "No data returned"}
        elif self.looked > self.steps:
            result = f"{self.address}/forcedphot/static/results/job1234.txt"
            known |= {"finishtimestamp": "2026-01-01T00:01:00Z", "result_url": result}
        return self._send(request, json.dumps(known).encode())

    @staticmethod
    def _send(request: BaseHTTPRequestHandler, content: bytes, status: int = 200) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)


@contextmanager
def photometry_services() -> Iterator[Services]:
    """The server, as long as it is needed."""
    made = Services()
    thread = threading.Thread(target=made.http.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.over.set()
        made.http.shutdown()
        made.http.server_close()
        thread.join()
