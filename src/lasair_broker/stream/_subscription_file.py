"""What the stream is asked, in a YAML file: for tests, and for an installation with no site.

    filters:
      - id: 1                      # its number, which its hits carry
        version: 2                 # default 1; a new wording is a new version
        name: young and blue
        adql: SELECT diaObjectId, ra, decl FROM objects WHERE nDiaSources < 4
        trigger: alert             # or annotation, both, context, any
        renotify: {days: 7, columns: [nDiaSources]}    # or {once: true}; default: every match
      - id: 2
        name: in my list
        selected: objects.diaObjectId, watchlist_hits.arcsec      # Lasair's form
        tables: objects, watchlist:1
        conditions: objects.nDiaSources > :least
        parameters:                # values that the query names
          - {name: least, type: number, default: 3}    # or text, boolean, moment; with unit, description
    watchlists:
      - {id: 1, file: blazars.csv, radius: 5}          # arcseconds, for rows without one
    watchmaps:
      - {id: 1, file: fields.fits}

Files are looked for beside the YAML file. It is read again when it changes; if it is wrong then, what was
read before stays in force, and the log says why. Whoever writes the file may read everything in the archive.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import structlog
import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)

from lasair_broker.query import ARCHIVE, Parameter, ParameterType, Query, QueryError, parse, triple
from lasair_broker.schema import arrow_schema
from lasair_broker.sky import Moc, MocError, UploadError, WatchlistIndex, WatchmapIndex, read_watchlist

from ._subscriptions import ActiveFilter, ActiveFilters, ActiveLists, FilterRun, Renotify, TriggeredBy

__all__ = [
    "SubscriptionFile",
    "SubscriptionFileError",
    "WrittenFilter",
    "WrittenParameter",
    "WrittenRenotify",
]

_log = structlog.get_logger(__name__)


class SubscriptionFileError(ValueError):
    """A file of subscriptions cannot be used; the message names the file and the place in it."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WrittenRenotify(_Entry):
    """When a filter in a file tells of an object again; see `Renotify`."""

    once: bool = False
    days: float | None = Field(None, gt=0)
    columns: tuple[str, ...] = ()


class WrittenParameter(_Entry):
    """A value that a filter in a file names; see `query.Parameter`."""

    name: str
    type: ParameterType
    default: Annotated[
        StrictBool | StrictInt | StrictFloat | StrictStr,
        BeforeValidator(lambda value: value.isoformat() if isinstance(value, datetime.date) else value),
    ]
    unit: str = ""
    description: str = ""

    def parameter(self) -> Parameter:
        """As the query language has it.

        Raises
        ------
        QueryError
            If the value is not of the type.
        """
        return Parameter(self.name, self.type, self.default, self.unit, self.description)


class WrittenFilter(_Entry):
    """A filter in a file; what it is for and the note on its version are for people."""

    id: int = Field(ge=0)
    version: int = Field(1, ge=1)
    name: str
    description: str = ""
    comment: str = ""
    adql: str = ""
    selected: str = ""
    tables: str = "objects"
    conditions: str = ""
    trigger: Literal["alert", "annotation", "both", "context", "any"] = "alert"
    renotify: WrittenRenotify = WrittenRenotify()
    parameters: tuple[WrittenParameter, ...] = ()

    @model_validator(mode="after")
    def _one_wording(self) -> WrittenFilter:
        if bool(self.adql) == bool(self.selected):
            raise ValueError("give either adql, or selected (with tables and conditions)")
        return self

    def query(self) -> Query:
        parameters = [each.parameter() for each in self.parameters]
        if self.adql:
            return parse(self.adql, ARCHIVE, parameters)
        return triple(self.selected, self.tables, self.conditions, ARCHIVE, parameters)


class _List(_Entry):
    id: int = Field(ge=0)
    file: Path
    radius: float = 5.0


class _Map(_Entry):
    id: int = Field(ge=0)
    file: Path


class _Contents(_Entry):
    filters: tuple[WrittenFilter, ...] = ()
    watchlists: tuple[_List, ...] = ()
    watchmaps: tuple[_Map, ...] = ()

    @model_validator(mode="after")
    def _numbers_once(self) -> _Contents:
        for what in ("filters", "watchlists", "watchmaps"):
            numbers = [entry.id for entry in getattr(self, what)]
            twice = {number for number in numbers if numbers.count(number) > 1}
            if twice:
                raise ValueError(f"{what}: {min(twice)} is there twice; give each its own id")
        return self


class SubscriptionFile:
    """The `Subscriptions` that a YAML file describes.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    SubscriptionFileError
        If it cannot be used.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._lock = threading.Lock()
        self._filters = ActiveFilters()
        self._lists = ActiveLists()
        self._entries: tuple[tuple[_List, ...], tuple[_Map, ...], tuple[object, ...]] | None = None
        self._told: set[tuple[int, int, str]] = set()
        self._seen = self._stamp()
        self._read()

    def filters(self) -> ActiveFilters:
        with self._lock:
            self._read_if_changed()
            return self._filters

    def lists(self) -> ActiveLists:
        with self._lock:
            self._read_if_changed()
            return self._lists

    def annotations(self, after: int, most: int) -> tuple[pa.Table, int]:
        return arrow_schema("annotations").empty_table(), after

    def filter_failed(self, filter_id: int, version: int, message: str) -> None:
        with self._lock:
            if (filter_id, version, message) in self._told:
                return
            self._told.add((filter_id, version, message))
        _log.warning("a filter fails", filter=filter_id, version=version, reason=message)

    def filters_recovered(self, filters: Sequence[tuple[int, int]]) -> None:
        with self._lock:
            self._told = {told for told in self._told if told[:2] not in filters}

    def filters_ran(self, runs: Sequence[FilterRun]) -> None:
        pass  # it has no place for it; the metrics tell

    def _read_if_changed(self) -> None:
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self._read()
        except SubscriptionFileError as error:
            _log.error("the subscriptions stay as they were", reason=str(error))

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

    def _read(self) -> None:
        contents = _contents(self._path)
        filters = tuple(_active(self._path, entry) for entry in contents.filters)
        lists = self._lists_of(contents)
        self._filters, self._lists = ActiveFilters(filters), lists

    def _lists_of(self, contents: _Contents) -> ActiveLists:
        folder = self._path.parent
        files = [each.file for each in contents.watchlists] + [each.file for each in contents.watchmaps]
        stamps = tuple(_stamp_of(folder / file) for file in files)
        entries = (contents.watchlists, contents.watchmaps, stamps)
        if entries == self._entries:
            return self._lists
        watchlists = {entry.id: _rows(folder / entry.file, entry.radius) for entry in contents.watchlists}
        watchmaps = {entry.id: _moc(folder / entry.file) for entry in contents.watchmaps}
        self._entries = entries
        return ActiveLists(WatchlistIndex.build(watchlists), WatchmapIndex.build(watchmaps))


def _contents(path: Path) -> _Contents:
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
        return _Contents.model_validate(read or {})
    except OSError as error:
        raise SubscriptionFileError(f"cannot read {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SubscriptionFileError(f"{path} is not YAML: {error}") from None
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, problem['loc'])) or 'the file'}: {problem['msg']}"
            for problem in error.errors(include_url=False)
        ]
        raise SubscriptionFileError(f"{path}: " + "; ".join(problems)) from None


def _active(path: Path, entry: WrittenFilter) -> ActiveFilter:
    try:
        query = entry.query()
    except QueryError as error:
        raise SubscriptionFileError(f"{path}: filter {entry.id} ({entry.name}): {error}") from None
    rule = Renotify(entry.renotify.once, entry.renotify.days, entry.renotify.columns)
    return ActiveFilter(entry.id, entry.version, entry.name, query, TriggeredBy(entry.trigger), rule)


def _rows(path: Path, radius: float) -> pa.Table:
    try:
        upload = read_watchlist(path.read_bytes(), default_radius=radius)
    except OSError as error:
        raise SubscriptionFileError(f"cannot read {path}: {error.strerror}") from None
    except UploadError as error:
        raise SubscriptionFileError(f"{path}: {error}") from None
    if upload.problems:
        raise SubscriptionFileError(f"{path}: {upload.num_problems} faults, the first: {upload.problems[0]}")
    return upload.rows.add_column(0, "cone_id", pa.array(np.arange(upload.rows.num_rows, dtype=np.int64)))


def _moc(path: Path) -> Moc:
    try:
        return Moc.read(path.read_bytes())
    except OSError as error:
        raise SubscriptionFileError(f"cannot read {path}: {error.strerror}") from None
    except MocError as error:
        raise SubscriptionFileError(f"{path}: {error}") from None


def _stamp_of(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
