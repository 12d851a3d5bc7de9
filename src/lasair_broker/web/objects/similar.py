"""Objects that behave like one: the nearest to it in the classifier's embedding, or among features of all."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lasair_broker.classify import EARLY, EMBEDDING
from lasair_broker.query import PUBLIC, parse
from lasair_broker.web.archive import archive

FEATURES = {
    "peakPsfFlux": "log",
    "nDiaSources": "log",
    "absMag": "linear",
    "BBBRiseRate": "log",
    "BBBFallRate": "log",
    "BBBTemp": "log",
    "peakPairColourMag": "linear",
    "colourSlope": "linear",
    "fracNegative": "linear",
    "g_excessVariance": "linear",
    "r_excessVariance": "linear",
    "g_skew": "linear",
    "r_skew": "linear",
    "r_stetsonK": "linear",
    "r_vonNeumann": "linear",
    "r_magSlope": "linear",
}
"""The features that are compared, and whether as they are or by their logarithm."""

_MOST_FEATURES = 8
"""Each asks that an object has it too; with more, few objects have them all."""

_KEPT_SECONDS = 3600.0
_SHOWN = (
    "diaObjectId",
    "objectName",
    "ra",
    "decl",
    "nDiaSources",
    "lastDiaSourceMjdTai",
    "absMag",
    "tns_name",
)
_lock = threading.Lock()
_spreads: tuple[float, dict[str, float]] = (-math.inf, {})


@dataclass(frozen=True, slots=True)
class Similar:
    """What is like an object.

    Attributes
    ----------
    features
        The features that were compared; fewer than two: there is nothing to compare.
    rows
        Columns of `objects` and `distance`: the root of the mean square of the differences in these features,
        each in units of its spread over all objects (of the embedding: those in training). Nearest first.
    """

    features: list[str]
    rows: list[dict[str, Any]]


def similar_to(known: Mapping[str, Any], count: int = 12) -> Similar:
    """The objects nearest to one in our classifier's embedding, or in features if that has not seen it.

    Parameters
    ----------
    known
        Its row in `objects`, with the columns of `FEATURES`.
    count
        How many objects.
    """
    return _in_embedding(known, count) or _in_features(known, count)


_COORDINATES = [f"embedding{k + 1}" for k in range(EMBEDDING)]


def _in_embedding(known: Mapping[str, Any], count: int) -> Similar | None:
    """By what one set of trees makes of objects: those of the same survey and of the same range of ages."""
    own = archive().rows_of_objects(
        "classifications", [known["diaObjectId"]], ("model", "version", "age", *_COORDINATES)
    )
    row = next((r for r in own.to_pylist() if r["embedding1"] is not None and r["age"] is not None), None)
    if row is None:
        return None
    terms = " + ".join(f"POWER(c.{name} - ({row[name]!r}), 2)" for name in _COORDINATES)
    shown = ", ".join(f"o.{name}" for name in _SHOWN)
    model, version, survey = (_quoted(word) for word in (row["model"], row["version"], known["survey"]))
    query = parse(
        f"SELECT TOP {int(count)} {shown}, SQRT(({terms}) / {EMBEDDING}) AS distance "  # noqa: S608 - our own language, which is parsed; values are numbers and quoted texts
        "FROM classifications c JOIN objects o ON o.diaObjectId = c.diaObjectId "
        f"WHERE c.model = {model} AND c.version = {version} AND c.embedding1 IS NOT NULL "
        f"AND c.age {'<=' if row['age'] <= EARLY else '>'} {EARLY} "
        f"AND c.diaObjectId <> {int(known['diaObjectId'])} AND o.survey = {survey} ORDER BY distance",
        PUBLIC,
    )
    rows = archive().query(query.render(archive().engine), timeout=20.0).to_pylist()
    return Similar(_COORDINATES, rows)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _in_features(known: Mapping[str, Any], count: int) -> Similar:
    spreads = spread_of_features()
    usable = [
        name for name in FEATURES if _of(name, known[name]) is not None and spreads.get(name, 0.0) > 0.0
    ]
    chosen = usable[:_MOST_FEATURES]
    if len(chosen) < 2:
        return Similar(chosen, [])
    terms = []
    for name in chosen:
        term = f"(({_written(name)}) - ({_of(name, known[name])!r})) / {spreads[name]!r}"
        terms.append(f"POWER({term}, 2)")
    present = " AND ".join(
        f"{name} > 0" if FEATURES[name] == "log" else f"{name} IS NOT NULL" for name in chosen
    )
    query = parse(
        f"SELECT TOP {int(count)} {', '.join(_SHOWN)}, "  # noqa: S608 - our own language; values are numbers
        f"SQRT(({' + '.join(terms)}) / {len(chosen)}) AS distance FROM objects WHERE {present} "
        f"AND diaObjectId <> {int(known['diaObjectId'])} AND survey = '{known['survey']}' ORDER BY distance",
        PUBLIC,
    )
    return Similar(chosen, archive().query(query.render, timeout=20.0).to_pylist())


def spread_of_features() -> dict[str, float]:
    """The standard deviation of each of `FEATURES` over all objects; kept for an hour."""
    global _spreads
    with _lock:
        read, spreads = _spreads
        if time.monotonic() - read > _KEPT_SECONDS:
            parts = []
            for name, how in FEATURES.items():
                # The variance by moments: the language has no function for it.
                usable = f"CASE WHEN {name} > 0 THEN {_written(name)} END" if how == "log" else name
                parts.append(f"AVG({usable}) AS {name}_mean, AVG(POWER({usable}, 2)) AS {name}_square")
            query = parse(f"SELECT {', '.join(parts)} FROM objects", PUBLIC)  # noqa: S608 - our own language; names are ours
            row = archive().query(query.render, timeout=20.0).to_pylist()[0]
            spreads = {name: _spread(row[f"{name}_mean"], row[f"{name}_square"]) for name in FEATURES}
            _spreads = (time.monotonic(), spreads)
        return spreads


def forget() -> None:
    """Read the spreads anew when they are next needed."""
    global _spreads
    with _lock:
        _spreads = (-math.inf, {})


def _spread(mean: float | None, square: float | None) -> float:
    return 0.0 if mean is None or square is None else math.sqrt(max(0.0, square - mean * mean))


def _written(name: str) -> str:
    return f"LOG({name})" if FEATURES[name] == "log" else name


def _of(name: str, value: float | None) -> float | None:
    """A feature as it is compared; None if it is missing or has no logarithm."""
    if value is None or not math.isfinite(value):
        return None
    if FEATURES[name] == "log":
        return math.log(value) if value > 0 else None
    return float(value)
