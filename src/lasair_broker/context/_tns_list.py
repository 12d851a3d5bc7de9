"""The public list of the Transient Name Server: the whole of it once, then what changed each day or hour."""

from __future__ import annotations

import fcntl
import io
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from lasair_broker.context._transients import TNS, crossmatch_rows
from lasair_broker.context.catalogues import add_catalogue, read_description
from lasair_broker.context.errors import ContextError, TnsListMissingError
from lasair_broker.schema import conform

__all__ = ["TnsBot", "TnsNews", "TnsReport", "read_tns_news", "tns_stamp", "update_tns"]

_KEPT = "tns_objects.parquet"
_UPDATED = "updated"
"""Column of the list kept: the revision that changed a row last, see `read_tns_news`."""

_COLUMNS = (
    "objid", "name_prefix", "name", "ra", "declination", "redshift", "type", "discoverydate", "discoverymag",
    "internal_names", "lastmodified",
)  # fmt: skip
_AS_CATALOGUE = {
    "ra": "ra", "declination": "decl", "name": "name", "name_prefix": "prefix", "type": "type",
    "redshift": "redshift", "discoverydate": "discovered", "discoverymag": "discovery_magnitude",
    "internal_names": "internal_names",
}  # fmt: skip
"""Columns of the list, and what the catalogue made of it calls them."""

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$"
_LONGEST = 2 * 1024**3
_SECONDS = 120.0
_LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class TnsBot:
    """Who asks: TNS gives its lists to registered bots only."""

    number: int
    name: str
    key: str


@dataclass(frozen=True)
class TnsReport:
    """What an update did.

    Attributes
    ----------
    new, changed, total
        Transients that are new, transients that changed, and how many there are now.
    faults
        What in the list could not be used, by row and column: rows without a position are left out, of others
        the value.
    """

    new: int
    changed: int
    total: int
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class TnsNews:
    """Transients that are new or have changed.

    Attributes
    ----------
    rows
        Rows of table `crossmatch_tns`.
    revision
        For each the revision of the list that changed it last: microseconds, later ones larger.
    newest
        The newest revision of the list; 0 if there is no list.
    """

    rows: pa.Table
    revision: npt.NDArray[np.int64]
    newest: int


def update_tns(source: str, catalogues: Path, bot: TnsBot | None = None) -> TnsReport:
    """Take a list of TNS in, and put the catalogue `tns` made of all lists so far into use.

    Lists may come in any order and more than once: of two rows of one transient the later modified counts.

    Parameters
    ----------
    source
        ``tns_public_objects.csv``, with or without ``.zip``, whole or of a day or an hour: a file, or an
        https address.
    catalogues
        Folder of the catalogues.
    bot
        Needed for TNS's own address.

    Raises
    ------
    ContextError
        If the list cannot be got or read; what is in use remains in use.
    CatalogueError
        If there is no room, say.
    """
    new, faults = _usable(_read(source, bot), source)
    catalogues.mkdir(parents=True, exist_ok=True)
    kept = catalogues / _KEPT
    with _locked(kept):
        old = _kept(kept) if kept.exists() else _with_revisions(new.slice(0, 0), 0)
        merged = _merged(old.drop_columns([_UPDATED]), new)
        place = pc.index_in(merged["objid"], value_set=old["objid"].combine_chunks())
        is_new = pc.is_null(place)
        is_changed = pc.and_(
            pc.invert(is_new),
            _differs(merged, old.take(place)),
        )
        touched = pc.or_(is_new, is_changed)
        in_use = kept.exists() and (catalogues / TNS).is_dir()
        if not merged.num_rows or (in_use and not pc.any(touched, min_count=0).as_py()):
            return TnsReport(0, 0, merged.num_rows, faults)
        # Whatever the clock does, later changes have larger numbers.
        revision = max(time.time_ns() // 1000, 1 + (pc.max(old[_UPDATED]).as_py() or 0))
        updated = pc.if_else(touched, revision, old[_UPDATED].take(place))
        merged = merged.append_column(_UPDATED, updated)
        beside = kept.with_suffix(".new")
        pq.write_table(merged, beside)
        add_catalogue(catalogues, TNS, str(beside), read_description(TNS))
        # Kept only now: if the import fails, the next update begins from where this one did.
        os.replace(beside, kept)  # noqa: PTH105 - Path.replace would do the same
    new_ones, changed = (pc.sum(pc.cast(which, pa.int64())).as_py() or 0 for which in (is_new, is_changed))
    return TnsReport(new_ones, changed, merged.num_rows, faults)


def tns_stamp(catalogues: Path) -> tuple[int, int, int] | None:
    """Something that changes when the list does; None if there is none. Cheap enough to be asked often."""
    try:
        status = (catalogues / _KEPT).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def read_tns_news(catalogues: Path, after: int) -> TnsNews:
    """Transients that are new or have changed since a revision of the list.

    The catalogue `tns` then already has them: it is put into use before the list is kept.

    Raises
    ------
    ContextError
        If the list is damaged.
    """
    path = catalogues / _KEPT
    if not path.exists():
        return TnsNews(conform(pa.table({}), "crossmatch_tns"), np.zeros(0, np.int64), 0)
    kept = _kept(path)
    wanted = pc.and_(pc.greater(kept[_UPDATED], after), pc.is_valid(kept["name"]))
    news = kept.filter(wanted).combine_chunks()
    rows = crossmatch_rows(news.select(list(_AS_CATALOGUE)).rename_columns(list(_AS_CATALOGUE.values())))
    return TnsNews(rows, news[_UPDATED].to_numpy(), pc.max(kept[_UPDATED]).as_py() or 0)


@contextmanager
def _locked(kept: Path) -> Iterator[None]:
    """Only one at a time changes the list."""
    with kept.with_name(f".{kept.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _kept(path: Path) -> pa.Table:
    try:
        table = pq.read_table(path)
        wanted = [*_COLUMNS, *(name for name in (_UPDATED,) if name in table.column_names)]
        table = table.select(wanted)
    except (pa.ArrowInvalid, pa.ArrowKeyError, KeyError, OSError) as error:
        raise ContextError(
            f"{path} is damaged: {error}; remove it and take the whole list in again: lasair tns update"
        ) from None
    return table if _UPDATED in table.column_names else _with_revisions(table, 1)


def _with_revisions(table: pa.Table, revision: int) -> pa.Table:
    return table.append_column(_UPDATED, pa.repeat(pa.scalar(revision, pa.int64()), table.num_rows))


def _merged(old: pa.Table, new: pa.Table) -> pa.Table:
    """One row a transient, the one that was modified last; of equals the newer list's."""
    both = pa.concat_tables([old, new])
    both = both.append_column("order", pa.array(range(both.num_rows)))
    both = both.sort_by([("lastmodified", "ascending"), ("order", "ascending")])
    both = both.set_column(both.schema.get_field_index("order"), "order", pa.array(range(both.num_rows)))
    last = both.group_by("objid").aggregate([("order", "max")]).column("order_max")
    return both.take(last).sort_by("objid").drop_columns(["order"])


def _differs(rows: pa.Table, others: pa.Table) -> pa.ChunkedArray:
    """Which rows say anything else than the others."""
    same = pa.chunked_array([pa.repeat(True, rows.num_rows)])
    for name in _COLUMNS:
        now, was = rows[name], others[name]
        equal = pc.fill_null(pc.equal(now, was), False)
        same = pc.and_(same, pc.or_(equal, pc.and_(now.is_null(), was.is_null())))
    return pc.invert(same)


def _read(source: str, bot: TnsBot | None) -> pa.Table:
    content = _fetched(source, bot) if source.startswith(("https://", "http://")) else _file(source)
    if content[:4] == b"PK\x03\x04":
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                inside = [info for info in archive.infolist() if info.filename.endswith(".csv")]
                if len(inside) != 1 or inside[0].file_size > _LONGEST:
                    raise ContextError(f"{source} holds {len(inside)} CSV files; a list of TNS is one")
                content = archive.read(inside[0])
        except zipfile.BadZipFile as error:
            raise ContextError(f"{source} is a damaged zip file: {error}; fetch it again") from None
    head = content[:4096].split(b"\n", 2)
    # The line of names is the first or, after one with the dates that the list covers, the second.
    skipped = 0 if b"objid" in head[0] else 1
    if len(head) <= skipped or b"objid" not in head[skipped]:
        raise ContextError(f"{source} is no list of TNS: neither line 1 nor line 2 names a column objid")
    options = csv.ConvertOptions(
        column_types={name: pa.string() for name in _COLUMNS},
        include_columns=list(_COLUMNS),
        strings_can_be_null=True,
        null_values=[""],
    )
    parse = csv.ParseOptions(newlines_in_values=True)
    try:
        table = csv.read_csv(io.BytesIO(content), csv.ReadOptions(skip_rows=skipped), parse, options)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise ContextError(f"{source} cannot be read as a list of TNS: {error}") from None
    missing = pc.sum(pc.is_null(table.column("objid"))).as_py() or 0
    if missing:
        raise ContextError(f"{source} has {missing} rows without objid: it is not whole; fetch it again")
    return table


def _usable(table: pa.Table, source: str) -> tuple[pa.Table, tuple[str, ...]]:
    """Rows with a position, and numbers where there should be some; and what is wrong with the others.

    One broken row must not keep the others from being known.
    """
    faults: list[str] = []
    good = np.ones(table.num_rows, np.bool_)
    for name, least, most, what in (
        ("ra", 0.0, 360.0, "right ascension of 0 to 360 degrees"),
        ("declination", -90.0, 90.0, "declination of -90 to 90 degrees"),
    ):
        values = _numbers(table[name])
        bad = ~((values >= least) & (values <= most))
        faults += _told(table[name], bad & good, f"{source}, row {{}}, column {name}: {{!r}} is no {what}")
        good &= ~bad
    for name in ("redshift", "discoverymag"):
        given = pc.not_equal(pc.fill_null(pc.utf8_trim_whitespace(table[name]), ""), "").to_numpy()
        bad = given & np.isnan(_numbers(table[name]))
        faults += _told(table[name], bad & good, f"{source}, row {{}}, column {name}: {{!r}} is no number")
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pc.if_else(pa.array(bad), None, table[name]))
    return table.filter(pa.array(good)), tuple(faults)


def _numbers(text: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Finite numbers, NaN for what is none."""
    trimmed = pc.utf8_trim_whitespace(text)
    numeric = pc.fill_null(pc.match_substring_regex(trimmed, _NUMBER), False)
    values = pc.cast(pc.if_else(numeric, trimmed, None), pa.float64())
    return np.asarray(values.to_numpy(), np.float64)


def _told(text: pa.ChunkedArray, bad: npt.NDArray[np.bool_], words: str) -> list[str]:
    """Of each bad value where it is and what it says."""
    return [words.format(row + 1, (text[row].as_py() or "")[:40]) for row in np.flatnonzero(bad).tolist()]


def _file(source: str) -> bytes:
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise ContextError(f"cannot read {source}: {error.strerror}") from None


def _fetched(address: str, bot: TnsBot | None) -> bytes:
    if not address.startswith("https://") and urllib.parse.urlsplit(address).hostname not in _LOCAL:
        raise ContextError(f"{address} would send the key of the bot in clear: use https")
    if bot is None:
        raise ContextError("TNS gives its lists to bots only: set tns.bot_id, tns.bot_name and tns.api_key")
    marker = json.dumps({"tns_id": bot.number, "type": "bot", "name": bot.name})
    form = urllib.parse.urlencode({"api_key": bot.key}).encode()
    request = urllib.request.Request(address, form, {"User-Agent": f"tns_marker{marker}"})  # noqa: S310 - http(s) only, see _read
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - as above
            content: bytes = answer.read(_LONGEST)
            return content
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.NOT_FOUND:
            raise TnsListMissingError(f"{address} answers 404: there is no such list") from None
        raise ContextError(f"{address} answers {error.code} {error.reason}") from None
    except (urllib.error.URLError, TimeoutError) as error:
        raise ContextError(f"cannot reach {address}: {getattr(error, 'reason', error)}") from None
