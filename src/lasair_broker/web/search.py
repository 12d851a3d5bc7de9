"""Finding objects by what people have of them: numbers, names, positions; one, or a list of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lasair_broker.query import PUBLIC, parse
from lasair_broker.web.archive import archive, ask
from lasair_broker.web.errors import Invalid
from lasair_broker.web.positions import Position, position

MOST_LINES = 1000
MOST_POSITIONS = 200
MOST_OF_POSITION = 100
COLUMNS = (
    "diaObjectId",
    "objectName",
    "survey",
    "ra",
    "decl",
    "nDiaSources",
    "lastDiaSourceMjdTai",
    "tns_name",
)
_LARGEST_ID = 2**63 - 1
_SUGGESTED = 8

_TNS = re.compile(r"^(?:(?:AT|SN|TDE|FRB|TNS)[\s-]*)?((?:1[89]|20)\d\d)([A-Za-z]{1,7})$", re.IGNORECASE)
_ZTF = re.compile(r"^ZTF(\d\d)([a-z]{7})$", re.IGNORECASE)


@dataclass(frozen=True)
class Line:
    """One thing that is looked for.

    Attributes
    ----------
    text
        As it was written.
    position, diaObjectId, name
        What it is taken for: one of these.
    """

    text: str
    position: Position | None = None
    diaObjectId: int | None = None
    name: str = ""


@dataclass(frozen=True)
class Found:
    """What was found.

    Attributes
    ----------
    lines
        What was looked for.
    rows
        Columns COLUMNS of the objects, each with `asked`, the text that found it, and separationArcsec from a
        position.
    bodies
        Designations of bodies of the solar system that were named.
    missing
        Texts for which there is nothing.
    """

    lines: Sequence[Line]
    rows: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def understood(text: str) -> list[Line]:
    """What a text looks for: a line each, or numbers and names separated by commas, semicolons or blanks.

    Raises
    ------
    Invalid
        If it is empty, too long, or has a position that cannot be.
    """
    split = re.split(r"[\r\n;]+", text.replace("\0", ""))
    written = [line for line in (each.strip(" ,\t") for each in split) if line]
    lines = [part for line in written for part in _parts(line)]
    if not lines:
        raise Invalid({"q": "Give a number, a name or a position, or a list of them, a line each."})
    if len(lines) > MOST_LINES:
        raise Invalid({"q": f"There are {len(lines):,} lines; at most {MOST_LINES:,} are taken at once."})
    found = [_understood(line) for line in lines]
    if sum(line.position is not None for line in found) > MOST_POSITIONS:
        raise Invalid({"q": f"At most {MOST_POSITIONS} positions are taken at once; a watchlist takes more."})
    return found


def look_for(lines: Sequence[Line]) -> Found:
    """The objects that lines look for, in the order of the lines."""
    found = Found(lines)
    ids = {line.diaObjectId for line in lines if line.diaObjectId is not None}
    by_id = _by_id(sorted(ids)) if ids else {}
    bodies = _bodies([line.name for line in lines if line.name])
    names = {spelt for line in lines if line.name for spelt in _spellings(line.name)}
    by_name = _by_name(sorted(names)) if names else {}
    for line in lines:
        if line.position is not None:
            rows = _near(line.position)
        elif line.diaObjectId is not None:
            rows = by_id.get(line.diaObjectId, [])
        else:
            rows = [row for spelt in _spellings(line.name) for row in by_name.get(spelt.lower(), [])]
        if line.name in bodies:
            found.bodies.append(line.name)
        elif not rows:
            found.missing.append(line.text)
        seen: set[int] = set()
        for row in rows:
            if row["diaObjectId"] not in seen:
                seen.add(row["diaObjectId"])
                found.rows.append({"separationArcsec": None, **row, "asked": line.text})
    return found


def suggested(text: str) -> list[dict[str, Any]]:
    """A few objects whose number or name begins with a text."""
    begun = text.strip()[:32]
    if len(begun) < 3 or not re.fullmatch(r"[\w .+-]+", begun):
        return []
    terms = []
    if begun.isascii() and begun.isdecimal():
        # The numbers of 17 to 19 digits that begin so.
        for digits in (17, 18, 19):
            left = digits - len(begun)
            low, high = (
                int(begun) * 10**left if left >= 0 else 0,
                (int(begun) + 1) * 10**left if left >= 0 else 0,
            )
            if 0 < low <= _LARGEST_ID:
                terms.append(f"diaObjectId BETWEEN {low} AND {min(high - 1, _LARGEST_ID)}")
    for spelt in _spellings(begun):
        quoted = spelt.replace("'", "''")
        if re.match(r"(1[89]|20)\d\d", spelt):
            terms.append(f"tns_name LIKE '{quoted}%'")
        elif not spelt.isdecimal():
            terms.append(f"objectName LIKE '{quoted}%'")
    if not terms:
        return []
    where = " OR ".join(dict.fromkeys(terms))
    query = f"SELECT TOP {_SUGGESTED} {', '.join(COLUMNS)} FROM objects WHERE {where}"  # noqa: S608 - our own language, which is parsed
    rows: list[dict[str, Any]] = ask(None, parse(query, PUBLIC), limit=_SUGGESTED)[0].to_pylist()
    return rows


def _parts(line: str) -> Iterable[str]:
    """The numbers and names in a line, if it has nothing else; else the line, which is one thing."""
    parts = [part.strip() for part in line.split(",") if part.strip()]
    if len(parts) > 1 and all(map(_one_name, parts)):
        return parts
    words = line.replace(",", " ").split()
    return words if len(words) > 1 and all(map(_one_name, words)) else [line]


def _one_name(text: str) -> bool:
    return bool(
        _ZTF.match(text) or _TNS.match(text) or (text.isascii() and text.isdecimal() and len(text) > 9)
    )


def _understood(text: str) -> Line:
    if text.isascii() and text.isdecimal():
        number = int(text[:20])
        if 0 < number <= _LARGEST_ID:
            return Line(text, diaObjectId=number)
    place = position(text)
    return Line(text, position=place) if place is not None else Line(text, name=text[:200])


def _spellings(name: str) -> list[str]:
    """How names are spelt that were written like this."""
    tns, ztf = _TNS.match(name), _ZTF.match(name)
    if tns:
        letters = tns[2].upper() if len(tns[2]) == 1 else tns[2].lower()
        return [f"{tns[1]}{letters}"]
    if ztf:
        return [f"ZTF{ztf[1]}{ztf[2].lower()}"]
    if re.match(r"ztf\d", name, re.IGNORECASE):
        return [f"ZTF{name[3:].lower()}"]
    return [name]


def _by_id(ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    rows = archive().rows_of_objects("objects", ids, COLUMNS).to_pylist()
    return {row["diaObjectId"]: [row] for row in rows}


def _by_name(names: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Rows by each of their names in small letters."""
    quoted = _quoted(names)
    query = parse(
        f"SELECT {', '.join(COLUMNS)} FROM objects "  # noqa: S608 - our own language, which is parsed
        f"WHERE objectName IN ({quoted}) OR tns_name IN ({quoted})",
        PUBLIC,
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for row in archive().query(query.render(archive().engine), max_rows=MOST_LINES * 2).to_pylist():
        for name in {row["objectName"], row["tns_name"]} - {None}:
            found.setdefault(name.lower(), []).append(row)
    return found


def _bodies(names: Sequence[str]) -> set[str]:
    """Those of these names that are designations of bodies with detections here."""
    if not names:
        return set()
    query = parse(
        f"SELECT DISTINCT designation FROM ssSources WHERE designation IN ({_quoted(names)})",  # noqa: S608 - as above
        PUBLIC,
    )
    found = archive().query(query.render(archive().engine), max_rows=MOST_LINES)
    return set(found["designation"].to_pylist())


def _quoted(names: Sequence[str]) -> str:
    return ", ".join("'" + name.replace("'", "''") + "'" for name in names)


def _near(place: Position) -> list[dict[str, Any]]:
    found = archive().cone(place.ra, place.decl, place.radius, COLUMNS)
    rows: list[dict[str, Any]] = found.slice(0, MOST_OF_POSITION).to_pylist()
    return rows
