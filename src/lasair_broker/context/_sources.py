"""The catalogues of an installation under the rules: which of their sources are near some objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import structlog

from lasair_broker.context._candidates import MAGNITUDES, Candidates, columns_needed
from lasair_broker.context._rules import Rules, Search, View
from lasair_broker.context.catalogues import COLUMNS, CatalogueError
from lasair_broker.context.catalogues._expressions import Expression, ExpressionError
from lasair_broker.context.errors import ContextError
from lasair_broker.lightcurve import Cosmology
from lasair_broker.sky import WatchlistIndex

__all__ = ["CatalogueLike", "Found", "Sources", "angular_kpc"]

_log = structlog.get_logger(__name__)

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_CANONICAL = (*COLUMNS, *(f"mag_{band}" for band in MAGNITUDES if band))
_ROWS_AT_ONCE = 1 << 19
_KPC_PER_MPC_ARCSEC = 1000.0 * np.pi / (180.0 * 3600.0)


class MatchesLike(Protocol):
    """Pairs of positions and rows, ascending by position."""

    @property
    def position(self) -> Int64: ...
    @property
    def row(self) -> Int64: ...
    @property
    def arcsec(self) -> Float64: ...


class CatalogueLike(Protocol):
    """What is asked of a catalogue; see `catalogues.Catalogue`."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def description(self) -> Any: ...
    @property
    def schema(self) -> pa.Schema: ...
    def __len__(self) -> int: ...
    def match(
        self,
        ra: npt.ArrayLike,
        decl: npt.ArrayLike,
        radius_arcsec: npt.ArrayLike,
        k: int | None = None,
        mjd: npt.ArrayLike | None = None,
    ) -> MatchesLike: ...
    def take(self, rows: npt.ArrayLike, columns: list[str] | None = None) -> pa.Table: ...


@dataclass(frozen=True)
class Found:
    """Sources near the objects of a batch.

    Attributes
    ----------
    candidates
        Sorted by position; each belongs to a view of at least one search.
    eligible
        For each search of `Sources.searches` the candidates that are in its view and within its radius.
    quality
        Weight of each candidate's catalogue.
    """

    candidates: Candidates
    eligible: Sequence[Int64]
    quality: Float64


class _Source:
    """One catalogue and the searches in it."""

    def __init__(
        self,
        number: int,
        catalogue: CatalogueLike,
        searches: Mapping[int, Search],
        rules: Rules,
        cosmology: Cosmology,
        previous: _Source | None,
    ) -> None:
        self.catalogue, self.number, self.searches = catalogue, number, searches
        self._motion = rules.nucleus.motion
        available = catalogue.schema.names
        self._views = {k: _where(rules.views[s.view], available, s.view) for k, s in searches.items()}
        every = list(dict.fromkeys([*available, *_CANONICAL]))
        asked = {name for where in self._views.values() if where for name in where.columns(every)}
        self._missing = sorted(asked - set(available))
        if any(search.errors for search in searches.values()):
            asked.add("position_error")
        self.columns = list(dict.fromkeys([*columns_needed(available), *sorted(asked & set(available))]))
        self._least = rules.synonym_radius
        self.radius = max(s.radius if s.crossmatch else min(s.radius, rules.wide) for s in searches.values())
        self.wide: WatchlistIndex | None
        if previous is not None and previous.catalogue.version == catalogue.version:
            self.wide = previous.wide  # rules and cosmology never change while this runs
        else:
            self.wide = self._reaching(rules, cosmology)

    def _reaching(self, rules: Rules, cosmology: Cosmology) -> WatchlistIndex | None:
        """Cones of the sources whose own extent, or 50 kpc at their distance, is wider than the common
        radius."""
        wide = {k: s for k, s in self.searches.items() if s.radius > self.radius}
        if not wide or not {"major_axis", "redshift", "photoz", "distance"} & set(self.columns):
            return None
        parts = []
        for first in range(0, len(self.catalogue), _ROWS_AT_ONCE):
            rows = np.arange(first, min(first + _ROWS_AT_ONCE, len(self.catalogue)))
            table = self.catalogue.take(rows, self.columns)
            some = self._candidates(rows, rows, np.zeros(len(rows)), table)
            inside = self._in_views(table, len(rows))
            reach = np.zeros(len(rows))
            for k, search in wide.items():
                own = np.nan_to_num(some.semi_major) * rules.hosts.light_radii
                if search.physical is not None:
                    scale = angular_kpc(some, cosmology)
                    with np.errstate(divide="ignore"):
                        own = np.fmax(own, search.physical / scale)
                own = np.minimum(np.nan_to_num(own), search.radius)
                reach = np.where(inside[k], np.maximum(reach, own), reach)
            far = np.flatnonzero(reach > self.radius)
            parts.append(
                pa.table(
                    {
                        "cone_id": rows[far],
                        "name": pa.array([""], pa.string()).take(pa.array(np.zeros(len(far), np.int64))),
                        "ra": some.ra[far],
                        "decl": some.decl[far],
                        "radius": reach[far],
                    }
                )
            )
        return WatchlistIndex.build({0: pa.concat_tables(parts)}) if parts else None

    def _candidates(self, position: Int64, row: Int64, arcsec: Float64, table: pa.Table) -> Candidates:
        axes = self.catalogue.description.axes
        return Candidates.of(position, self.number, row, arcsec, table, axes, self._motion)

    def _in_views(self, table: pa.Table, n: int) -> dict[int, npt.NDArray[np.bool_]]:
        columns = _as_arrays(table)
        for name in self._missing:
            text = name in COLUMNS and COLUMNS[name].type == pa.string()
            columns[name] = np.full(n, None if text else np.nan)
        out = {}
        for k, where in self._views.items():
            holds = True if where is None else where.evaluate(columns)
            out[k] = np.broadcast_to(np.asarray(holds, np.bool_), (n,))
        return out

    def find(
        self, ra: Float64, decl: Float64, mjd: Float64
    ) -> tuple[Candidates, dict[int, npt.NDArray[np.bool_]]]:
        """Candidates near positions, and which are of each search."""
        near = self.catalogue.match(ra, decl, self.radius, mjd=mjd)
        position, row, arcsec = near.position, near.row, near.arcsec
        if self.wide is not None:
            far = self.wide.match(ra, decl)
            other = far.arcsec > self.radius  # the nearer ones are there already
            rows = self.wide.take(far.row[other]).column("cone_id").to_numpy()
            position = np.concatenate([position, far.position[other]])
            row, arcsec = np.concatenate([row, rows]), np.concatenate([arcsec, far.arcsec[other]])
        table = self.catalogue.take(row, self.columns)
        found = self._candidates(position, row, arcsec, table)
        of_search = {
            k: inside & self._near(self.searches[k], arcsec, table)
            for k, inside in self._in_views(table, len(row)).items()
        }
        if not len(row):
            return found, of_search
        any_search = np.logical_or.reduce(list(of_search.values()))
        return found.take(any_search), {k: inside[any_search] for k, inside in of_search.items()}

    def _near(self, search: Search, arcsec: Float64, table: pa.Table) -> npt.NDArray[np.bool_]:
        """Which rows are as near as a search asks."""
        near: npt.NDArray[np.bool_] = arcsec <= search.radius
        if search.errors is not None and "position_error" in table.column_names:
            error = table.column("position_error").cast(pa.float64()).to_numpy(zero_copy_only=False)
            near &= ~(arcsec > np.fmax(search.errors * error, self._least)) | np.isnan(error)
        return near


class Sources:
    """The catalogues that are there, under the rules.

    Parameters
    ----------
    rules
        What to look for.
    catalogues
        Those that are there; the others' searches are left out.
    cosmology
        For the distance of galaxies with a redshift.
    previous
        What was there before, by the same rules: of catalogues that are the same what was computed is kept.

    Raises
    ------
    ContextError
        If a view asks for a column that its catalogue has not.
    """

    def __init__(
        self,
        rules: Rules,
        catalogues: Iterable[CatalogueLike],
        cosmology: Cosmology,
        previous: Sources | None = None,
    ) -> None:
        by_name = {catalogue.name: catalogue for catalogue in catalogues}
        self.rules = rules
        self.names = tuple(name for name in rules.catalogues if name in by_name)
        self.missing = tuple(name for name in rules.catalogues if name not in by_name)
        self.unused = tuple(sorted(set(by_name) - set(self.names)))
        self.searches = tuple(
            (name, search)
            for name, search in rules.searches.items()
            if rules.views[search.view].catalogue in by_name
        )
        self.versions = {name: by_name[name].version for name in self.names}
        self.digest = rules.digest(self.versions)
        self.titles = tuple(by_name[name].description.title for name in self.names)
        self._quality = np.array([by_name[name].description.quality for name in self.names], np.float64)
        self._failures: dict[str, CatalogueError] = {}
        self._sources: list[_Source] = []
        before = {source.catalogue.name: source for source in previous._sources} if previous else {}
        for number, name in enumerate(self.names):
            own = {
                k: search
                for k, (_, search) in enumerate(self.searches)
                if rules.views[search.view].catalogue == name
            }
            try:
                source = _Source(number, by_name[name], own, rules, cosmology, before.get(name))
            except CatalogueError as error:
                self._failures[name] = error
            else:
                self._sources.append(source)

    def take_failures(self) -> dict[str, CatalogueError]:
        """Catalogues that have failed in use, by name."""
        return dict(self._failures)

    def kind(self, search: int) -> str:
        """What the rows are that a search looks for."""
        return self.rules.views[self.searches[search][1].view].kind

    def find(self, ra: Float64, decl: Float64, mjd: Float64) -> Found:
        """Sources near positions (degrees) at times (MJD TAI; NaN: at the catalogues' epochs).

        A catalogue that fails (its files may vanish at any time) has no sources; `take_failures` tells.
        """
        parts, masks = [], []
        for source in self._sources:
            name = source.catalogue.name
            if name in self._failures:
                continue
            try:
                candidates, of_search = source.find(ra, decl, mjd)
            except CatalogueError as error:
                self._failures[name] = error
                continue
            parts.append(candidates)
            masks.append(of_search)
        joined = Candidates.joined(parts)
        starts = np.cumsum([0, *map(len, parts)])
        order = np.argsort(joined.position, kind="stable")
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        eligible: list[Int64] = [np.zeros(0, np.int64)] * len(self.searches)
        for start, of_search in zip(starts, masks, strict=False):
            for k, inside in of_search.items():
                eligible[k] = np.sort(place[start + np.flatnonzero(inside)])
        candidates = joined.take(order)
        quality = self._quality[candidates.catalogue] if len(candidates) else np.zeros(0)
        return Found(candidates, eligible, quality)


def angular_kpc(candidates: Candidates, cosmology: Cosmology) -> Float64:
    """Kiloparsec for each arcsecond at a galaxy's direct distance, or else its spectroscopic redshift; or
    NaN."""
    distance = candidates.distance
    by_redshift = np.isnan(distance) & np.isfinite(candidates.redshift)
    out = distance * _KPC_PER_MPC_ARCSEC
    z = candidates.redshift[by_redshift]
    # Angular diameter distance: that of luminosity over (1 + z)².
    out[by_redshift] = cosmology.luminosity_distance(z) / (1.0 + z) ** 2 * _KPC_PER_MPC_ARCSEC
    return out


def _where(view: View, available: list[str], name: str) -> Expression | None:
    if view.where is None:
        return None
    where = Expression(view.where)
    try:
        # A canonical column that a catalogue lacks is missing in every row; any other is a mistake.
        where.columns(list(dict.fromkeys([*available, *_CANONICAL])))
    except ExpressionError as error:
        raise ContextError(f"view {name} of catalogue {view.catalogue}: {error}") from None
    return where


def _as_arrays(table: pa.Table) -> dict[str, npt.NDArray[Any]]:
    """Columns as `Expression` takes them: doubles with NaN, text with None."""
    out: dict[str, npt.NDArray[Any]] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        number = not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type))
        out[name] = (column.cast(pa.float64()) if number else column).to_numpy(zero_copy_only=False)
    return out
