"""The client."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.ipc
import requests

from lasair_broker.client._elsewhere import Elsewhere
from lasair_broker.client._elsewhere import part as _part
from lasair_broker.client._errors import LasairError
from lasair_broker.client._result import Result

__all__ = ["Lasair"]

_ARROW = "application/vnd.apache.arrow.stream"
_LONGEST_WAIT = 60.0
_TRIES = 3


class Lasair(Elsewhere):
    """A connection to a Lasair.

    Parameters
    ----------
    address
        Of the site, such as https://lasair.example.org.
    token
        From your account there, or `lasair user token`; without one only what is public is seen.
    timeout
        Seconds to wait for an answer.

    Every method raises `LasairError` if the server refuses, fails or does not answer. Where the server says
    when to ask again, reading waits for that, a minute at most.
    """

    def __init__(self, address: str, token: str | None = None, *, timeout: float = 310.0) -> None:
        self._base = address.rstrip("/") + "/api/v1/"
        self._timeout = timeout
        self._session = requests.Session()
        if token is not None:
            self._session.headers["Authorization"] = f"Token {token}"

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Reading

    def object(self, key: int | str) -> dict[str, Any]:
        """The newest state of an object, by number or name."""
        found = self._table("GET", f"objects/{_part(key)}/").to_list()
        return found[0]

    def objects(self, diaObjectIds: Sequence[int], columns: Sequence[str] | None = None) -> Result:
        """Many objects, at most 1000."""
        body: dict[str, Any] = {"diaObjectIds": [str(number) for number in diaObjectIds]}
        if columns is not None:
            body["columns"] = list(columns)
        return self._table("POST", "objects/", json=body)

    def of_object(self, key: int | str, table: str) -> Result:
        """The rows that a table (annotations, sherlock_crossmatches, …) has for an object."""
        return self._table("GET", f"objects/{_part(key)}/{_part(table)}/")

    def light_curve(
        self, key: int | str, table: str = "diaSources", columns: Sequence[str] | None = None
    ) -> Result:
        """The light curve of an object: its diaSources, diaForcedSources or diaNondetectionLimits.

        `columns` names those wanted; ["all"]: every one; by default times, places and fluxes.
        """
        return self._table("GET", f"objects/{_part(key)}/lightcurve/", params=_curve(table, columns))

    def light_curves(
        self, diaObjectIds: Sequence[int], table: str = "diaSources", columns: Sequence[str] | None = None
    ) -> Result:
        """The light curves of many objects, at most 1000, in order of object and time."""
        body = {"diaObjectIds": [str(number) for number in diaObjectIds]}
        return self._table("POST", "lightcurves/", params=_curve(table, columns), json=body)

    def comments(self, key: int | str) -> list[dict[str, Any]]:
        """The comments on an object that you see, oldest first."""
        return list(self.every(f"objects/{_part(key)}/comments"))

    def photometry(self, key: int | str) -> Result:
        """The points that users added to an object, of those that you see."""
        return self._table("GET", f"objects/{_part(key)}/photometry/")

    def follow(self, filter_id: int, after: str | None = None) -> Iterator[dict[str, Any]]:
        """The hits of a filter as they come; it needs an output to browsers. Goes on for ever.

        Parameters
        ----------
        after
            The `id` of the last hit that you have; by default the next hit is the first.
        """
        return self._events(f"filters/{int(filter_id)}/hits/events/", after)

    def follow_objects(self, after: str | None = None) -> Iterator[dict[str, Any]]:
        """Objects as their alerts come in, some at a time. Goes on for ever; `after` as for `follow`."""
        return self._events("stream/objects/", after)

    def cone(self, ra: float, decl: float, radius: float = 5.0) -> Result:
        """Objects within `radius` arcseconds of a position (ICRS, degrees), nearest first."""
        return self._table("GET", "cone/", params={"ra": ra, "decl": decl, "radius": radius})

    def query(
        self, adql: str, *, limit: int | None = None, values: Mapping[str, Any] | None = None
    ) -> Result:
        """The result of a query in ADQL; `values` are for the parameters that it names, as in ``:limit``."""
        body: dict[str, Any] = {"adql": adql, "values": dict(values or {})}
        if limit is not None:
            body["limit"] = limit
        return self._table("POST", "query/", json=body)

    def submit(
        self,
        adql: str,
        *,
        name: str = "",
        limit: int | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> int:
        """Have a query in ADQL run in the background, with larger limits; returns its number. `values` as for
        `query`."""
        body: dict[str, Any] = {"adql": adql, "name": name, "values": dict(values or {})}
        if limit is not None:
            body["limit"] = limit
        return int(self._json("POST", "jobs/", json=body)["id"])

    def result(self, job: int, *, wait: float = 3600.0) -> Result:
        """The result of a background query, waiting for it so many seconds.

        Raises
        ------
        LasairError
            Also if the query failed or was cancelled, or has not ended by then.
        """
        end, pause = time.monotonic() + wait, 0.1
        while (known := self._json("GET", f"jobs/{int(job)}/"))["phase"] in ("QUEUED", "EXECUTING"):
            if time.monotonic() > end:
                raise LasairError(f"query {job} has not ended after {wait:g} seconds; ask for it later")
            time.sleep(pause)
            pause = min(2.0 * pause, 5.0)
        if known["phase"] != "COMPLETED":
            raise LasairError(f"query {job} has no result ({known['phase']}): {known['error']}")
        return self._table("GET", f"jobs/{int(job)}/result/")

    def cancel(self, job: int) -> None:
        """Stop a background query."""
        self._json("POST", f"jobs/{int(job)}/cancel/")

    def cutout(self, diaSourceId: int, which: str, ending: str = "fits") -> bytes:
        """An image of a detection ("Difference", "Science" or "Template") as FITS, or as PNG."""
        return self._ask("GET", f"cutouts/{int(diaSourceId)}/{_part(which)}.{_part(ending)}").content

    def context(self, ra: float, decl: float) -> dict[str, Any]:
        """What catalogues know at a position (ICRS, degrees)."""
        return self._json("GET", "context/", params={"ra": ra, "decl": decl})

    def status(self) -> dict[str, Any]:
        """What the archive holds."""
        return self._json("GET", "status/")

    def account(self) -> dict[str, Any]:
        """Who you are, and what you may."""
        return self._json("GET", "account/")

    # What users make

    def every(self, kind: str) -> Iterator[dict[str, Any]]:
        """All of a kind that you see: "filters", "watchlists", "watchmaps", "annotators"; or all hits of one
        of them: "filters/7/hits"."""
        address: str | None = f"{self._base}{kind.strip('/')}/"
        params: dict[str, Any] = {"limit": 1000}
        while address is not None:
            page = self._at("GET", address, params=params).json()
            yield from page["results"]
            address, params = page["next"], {}

    def create_filter(self, name: str, adql: str, **more: Any) -> dict[str, Any]:
        """A new filter; `more` as the API's description has it: description, trigger, renotify,
        parameters (each with name, type, default, unit, description), …"""
        return self._json("POST", "filters/", json={"name": name, "adql": adql, **more})

    def preview_filter(self, filter_id: int, version: int = 1) -> dict[str, Any]:
        """What a version finds in the archive."""
        return self._json("POST", f"filters/{int(filter_id)}/versions/{int(version)}/preview/")

    def activate_filter(self, filter_id: int, version: int = 1) -> dict[str, Any]:
        """Run a version on the stream."""
        return self._json("POST", f"filters/{int(filter_id)}/versions/{int(version)}/activate/")

    def redeliver(
        self,
        filter_id: int,
        *,
        since: float | None = None,
        after: str | None = None,
        until: float | None = None,
        output_id: int | None = None,
        only_count: bool = False,
    ) -> int:
        """Have a filter's hits again at its outputs, with the ids they had; tells how many they are.

        Parameters
        ----------
        since, until
            MJD TAI of when hits were found; until now by default.
        after
            In place of `since`: where the last hit lies that you have, `id` of what `follow` gives, or
            "committedMjdTai/hitId" of a message.
        output_id
            Only at this output.
        only_count
            Count them, and send none.
        """
        wanted = {
            "since_mjd": since,
            "after": after,
            "until_mjd": until,
            "output_id": output_id,
            "only_count": only_count,
        }
        body = {name: value for name, value in wanted.items() if value is not None}
        return int(self._json("POST", f"filters/{int(filter_id)}/redeliver/", json=body)["hits"])

    def create_watchlist(
        self, name: str, file: str | Path | None = None, *, radius: float = 5.0, active: bool = False
    ) -> dict[str, Any]:
        """A new watchlist with the rows of a file (CSV, VOTable, FITS, Parquet); `radius` in arcseconds."""
        made = self._json("POST", "watchlists/", json={"name": name, "default_radius": radius})
        address = f"watchlists/{made['id']}/"
        if file is not None:
            content = Path(file).read_bytes()
            self._json("POST", f"{address}upload/", files={"file": (Path(file).name, content)})
        return self._json("PATCH", address, json={"active": active})

    def comment(
        self, key: int | str, text: str, *, visibility: str = "private", collaboration: str | None = None
    ) -> dict[str, Any]:
        """Comment on an object: `visibility` is private, group (of a collaboration) or public."""
        body = {"text": text, "visibility": visibility, "collaboration": collaboration}
        return self._json("POST", f"objects/{_part(key)}/comments/", json=body)

    def add_photometry(
        self,
        points: Sequence[Mapping[str, Any]] | str | Path,
        *,
        name: str,
        provenance: str,
        instrument: str | None = None,
        visibility: str = "private",
        collaboration: str | None = None,
    ) -> dict[str, Any]:
        """Add points to objects: rows, or a CSV file, with diaObjectId, mjd, scale, band, value, error, unit.

        All are taken, or an error names each fault (`LasairError.faults`).
        """
        given: dict[str, Any] = {"name": name, "provenance": provenance, "visibility": visibility}
        given |= {} if instrument is None else {"instrument": instrument}
        given |= {} if collaboration is None else {"collaboration": collaboration}
        if isinstance(points, str | Path):
            file = (Path(points).name, Path(points).read_bytes())
            return self._json("POST", "photometry/", data=given, files={"file": file})
        rows = [{**row, "diaObjectId": str(row["diaObjectId"])} for row in points]
        return self._json("POST", "photometry/", json={**given, "points": rows})

    def annotate(self, topic: str, annotations: Sequence[Mapping[str, Any]]) -> int:
        """Say something of objects: `diaObjectId` and `classification` of each, and what else it is. How many
        were taken: all, or an error tells why none."""
        rows = [{**row, "diaObjectId": str(row["diaObjectId"])} for row in annotations]
        said = self._json("POST", f"annotators/{_part(topic)}/annotations/", json={"annotations": rows})
        return int(said["count"])

    # HTTP

    def _table(self, method: str, path: str, **options: Any) -> Result:
        answer = self._ask(method, path, headers={"Accept": _ARROW}, **options)
        with pa.ipc.open_stream(answer.content) as reader:
            return Result(reader.read_all(), answer.headers.get("Lasair-Truncated") == "true")

    def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        found: dict[str, Any] = self._ask(method, path, **options).json()
        return found

    def _events(self, path: str, after: str | None) -> Iterator[dict[str, Any]]:
        """Server-sent events, each with its `id`; resumed when the connection ends."""
        while True:
            headers = {"Accept": "text/event-stream"} | ({} if after is None else {"Last-Event-ID": after})
            answer = self._ask("GET", path, headers=headers, stream=True)
            number = None
            try:
                for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
                    if line.startswith("id: "):
                        number = line[4:]
                    elif line.startswith("data: "):
                        yield {**json.loads(line[6:]), "id": number}
                        after = number
            except requests.RequestException:
                time.sleep(1.0)
            finally:
                answer.close()

    def _ask(self, method: str, path: str, **options: Any) -> requests.Response:
        return self._at(method, self._base + path, **options)

    def _at(self, method: str, address: str, **options: Any) -> requests.Response:
        for last in [False] * (_TRIES - 1) + [True]:
            try:
                answer = self._session.request(method, address, timeout=self._timeout, **options)
            except requests.RequestException as error:
                raise LasairError(f"{self._base} does not answer: {error}") from error
            if answer.ok:
                return answer
            wait = _seconds(answer.headers.get("Retry-After"))
            if last or method != "GET" or wait is None or wait > _LONGEST_WAIT:
                raise _error(answer, wait)
            time.sleep(wait)
        raise AssertionError("the last try returns or raises")


def _curve(table: str, columns: Sequence[str] | None) -> dict[str, str]:
    return {"table": table} | ({} if columns is None else {"columns": ",".join(columns)})


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() else None


def _error(answer: requests.Response, wait: float | None) -> LasairError:
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    detail = problem.get("detail") or answer.reason or "no reason given"
    faults = [(fault["field"], fault["message"]) for fault in problem.get("errors", [])]
    return LasairError(f"{answer.status_code}: {detail}", answer.status_code, faults, wait)
