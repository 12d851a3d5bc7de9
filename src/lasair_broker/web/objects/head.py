"""The head of an object's page: its names, classes and place, and what else the page needs at once."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from lasair_broker.classify import taxonomy
from lasair_broker.packets import mjd_tai_now
from lasair_broker.query import PUBLIC, parse
from lasair_broker.settings import load
from lasair_broker.web.archive import archive
from lasair_broker.web.errors import NotFound
from lasair_broker.web.objects.curves import FIT_COLUMNS
from lasair_broker.web.objects.links import links_of
from lasair_broker.web.objects.places import Place

_LARGEST_ID = 2**63 - 1
_IMPROBABLE = 0.01  # a class below this is not shown
HEAD_COLUMNS = (
    *("diaObjectId", "objectName", "survey", "ra", "decl", "ebv", "tns_name"),
    *("firstDiaSourceMjdTai", "lastDiaSourceMjdTai", "nDiaSources", "latestR", "medianR"),
    *("peakPsfFlux", "peakMJD", "peakBand", "absMag"),
)
_SAID = ("classification", "description", "redshift", "redshiftKind")
_PARTNER = ("partnerDiaObjectId", "partnerSurvey", "partnerName", "partnerRank", "separationArcsec")
CLASS_NAMES = {
    "VS": "variable star",
    "HPMS": "star of high proper motion",
    "CV": "cataclysmic variable",
    "BS": "near a bright star",
    "AGN": "active galactic nucleus",
    "NT": "nuclear transient",
    "SN": "supernova candidate",
    "ORPHAN": "no host in the catalogues",
    "UNCLEAR": "unclear",
}


@dataclass(frozen=True, slots=True)
class Probability:
    """How probable a class is, as a model has it."""

    model: str
    version: str
    node: str
    probability: float
    computedMjdTai: float


@dataclass(frozen=True, slots=True)
class Head:
    """What stands at the top of the page of an object.

    Attributes
    ----------
    row
        `HEAD_COLUMNS` of its row in `objects`.
    sherlock, tns
        Class, sentence and redshift of its row of `sherlock_classifications`; the row of `crossmatch_tns` of
        its name. None without one.
    partners
        Number, name and separation of its partners, the most likely first.
    classes
        Of each model the newest probabilities, the highest first.
    links
        Name and address of pages elsewhere.
    days_ago
        Since the newest detection.
    """

    row: Mapping[str, Any]
    sherlock: Mapping[str, Any] | None
    tns: Mapping[str, Any] | None
    partners: list[dict[str, Any]]
    classes: list[Probability]
    links: list[tuple[str, str]]
    days_ago: float | None

    @property
    def name(self) -> str:
        """The name that people read."""
        return self.row["objectName"] or str(self.row["diaObjectId"])

    @property
    def place(self) -> Place:
        """Where it is."""
        return Place(self.row["ra"], self.row["decl"])

    @property
    def redshift(self) -> float | None:
        """Of the object, or else of its host."""
        return self.sherlock["redshift"] if self.sherlock else None

    @property
    def class_name(self) -> str:
        """The contextual class in words."""
        return CLASS_NAMES.get(self.sherlock["classification"] or "", "") if self.sherlock else ""


def key_of(text: str) -> int | str:
    """The number or the name that an address gives.

    Raises
    ------
    NotFound
        If no object can be so called.
    """
    if text.isascii() and text.isdecimal():
        if len(text) > 19 or int(text) > _LARGEST_ID:
            raise NotFound(f"there is no object {text[:40]}")
        return int(text)
    return text


def state_of(text: str, columns: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Columns of the row in `objects` of the object of this number or name; None: all.

    Raises
    ------
    NotFound
        If there is none.
    """
    found = archive().object(key_of(text), columns)
    if not found.num_rows:
        raise NotFound(f"there is no object {text[:40]} in the archive")
    row: dict[str, Any] = found.to_pylist()[0]
    return row


def head_of(text: str) -> Head:
    """What the top of the page shows of an object; it is the same for everybody."""
    row = state_of(text, HEAD_COLUMNS)
    key = [row["diaObjectId"]]
    newest = row["lastDiaSourceMjdTai"]
    # Of tables of sixty columns the page needs a few, and what it does not read costs nothing.
    said = archive().rows_by_table(
        key, {"sherlock_classifications": _SAID, "partners": _PARTNER, "classifications": CLASS_COLUMNS}
    )
    return Head(
        row=row,
        sherlock=first_row(said["sherlock_classifications"]),
        tns=tns_row(row["tns_name"]),
        partners=said["partners"].sort_by("partnerRank").to_pylist(),
        classes=newest_classes(said["classifications"]),
        links=links_of(row, load().site.links),
        days_ago=None if newest is None else max(0.0, mjd_tai_now() - newest),
    )


def tns_row(name: str | None) -> dict[str, Any] | None:
    """What TNS says of the transient of this name."""
    if not name:
        return None
    quoted = name.replace("'", "''")
    query = parse(f"SELECT * FROM crossmatch_tns WHERE tns_name = '{quoted}'", PUBLIC)  # noqa: S608 - our own language, which is parsed, with a quoted text
    return first_row(archive().query(query.render(archive().engine), max_rows=1))


CLASS_COLUMNS = ("model", "version", "computedMjdTai", *taxonomy().nodes)
"""The columns of `classifications` that `newest_classes` needs."""


def newest_classes(rows: pa.Table) -> list[Probability]:
    """Of each model the lowest classes it tells of that are not improbable, the most probable first."""
    return [
        Probability(row["model"], row["version"], node, row[node], row["computedMjdTai"] or 0.0)
        for row in sorted(rows.to_pylist(), key=operator.itemgetter("model"))
        for node in sorted(_lowest_told(row), key=lambda name: -row[name])
        if row[node] >= _IMPROBABLE
    ]


def _lowest_told(row: Mapping[str, Any]) -> list[str]:
    """Nodes with a probability of which none below has one: those that a model tells of."""
    tree = taxonomy()
    told = [name for name in tree.nodes if row[name] is not None]
    above = {node for name in told for node in tree.ancestors(name)[1:]}
    return [name for name in told if name not in above]


def chart_columns() -> tuple[str, ...]:
    """The columns of `objects` that the chart's data need."""
    return (*HEAD_COLUMNS, *FIT_COLUMNS)


def first_row(rows: pa.Table) -> dict[str, Any] | None:
    """The first row; None if there is none."""
    found: list[dict[str, Any]] = rows.slice(0, 1).to_pylist()
    return found[0] if found else None
