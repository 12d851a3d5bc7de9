"""The context stage: what is known at the place of each object, and how much dust lies before it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import structlog

from lasair_broker.context._associate import associate
from lasair_broker.context._candidates import Candidates
from lasair_broker.context._dust import Dust
from lasair_broker.context._made_with import made_with
from lasair_broker.context._merge import groups
from lasair_broker.context._redshift import host_redshifts, mixture_percentiles
from lasair_broker.context._rules import Merging
from lasair_broker.context._solar_system import in_solar_system
from lasair_broker.context._sources import CatalogueLike, Sources
from lasair_broker.context._tables import classifications, crossmatches
from lasair_broker.context._transients import KnownTransients, known_transients
from lasair_broker.context._verdict import judge
from lasair_broker.context.catalogues import CatalogueError
from lasair_broker.context.errors import ContextError
from lasair_broker.lightcurve import Cosmology
from lasair_broker.packets import AlertBatch

__all__ = ["ContextResources", "classify", "classify_objects", "compile_kernels", "enrich"]

Float64 = npt.NDArray[np.float64]

_NO_CATALOGUES = "there are no catalogues; import some: lasair catalogue add NAME SOURCE"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ContextResources:
    """What `enrich` needs beside the batch.

    Attributes
    ----------
    sources
        Catalogues under the rules; None if there is none that a rule names.
    dust
        A map of reddening.
    cosmology
        For distances.
    tns
        The public list of the Transient Name Server, as a catalogue.
    """

    sources: Sources | None
    dust: Dust
    cosmology: Cosmology = field(default_factory=Cosmology)
    tns: CatalogueLike | None = None


def enrich(batch: AlertBatch, resources: ContextResources) -> AlertBatch:
    """Add reddening to `objects`, and the tables `sherlock_classifications` and `sherlock_crossmatches`.

    Parameters
    ----------
    batch
        Needs `diaObjectId`, `ra` and `decl` (degrees) in its objects; with `lastDiaSourceMjdTai` there, or
        else the times of its alerts, stars with proper motion are matched where they stood then.
    resources
        Catalogues, rules and dust.

    Returns
    -------
    The batch with `ebv`, `ebvErr` and `ebvSource`. With catalogues, with both tables: every object is
    classified anew each time it is seen, by its newest position and the newest catalogues. Objects whose
    newest detection belongs to a body of the solar system are not classified.
    """
    ra, decl = (_floats(batch.objects, name) for name in ("ra", "decl"))
    batch = batch.with_object_columns(_dust(ra, decl, resources.dust))
    if resources.sources is None and resources.tns is None:
        return batch
    rows = np.flatnonzero(~in_solar_system(batch))
    ids = batch.objects.column("diaObjectId").combine_chunks().take(pa.array(rows))
    ra, decl, mjd = ra[rows], decl[rows], _times(batch)[rows]
    known = _known(resources.tns, ra, decl)
    if resources.tns is not None:
        back = np.full(batch.objects.num_rows, -1, np.int64)
        back[rows] = np.arange(len(rows))
        names = known.name.take(pa.array(back, mask=back < 0))
        rows_of_tns = made_with(known.rows, resources.tns.version)
        batch = batch.with_object_columns({"tns_name": names}).with_table("crossmatch_tns", rows_of_tns)
    if resources.sources is None:
        return batch
    verdicts, matches = _classified(
        ids, ra, decl, mjd, known.redshift, resources.sources, resources.cosmology
    )
    verdicts = made_with(verdicts, resources.sources.digest)
    return batch.with_table("sherlock_crossmatches", matches).with_table("sherlock_classifications", verdicts)


def classify_objects(objects: pa.Table, resources: ContextResources) -> tuple[pa.Table, pa.Table]:
    """What the stage would say now of objects as they are.

    Parameters
    ----------
    objects
        Columns diaObjectId, ra, decl (degrees) and lastDiaSourceMjdTai; none of them linked to a body of the
        solar system.

    Returns
    -------
    Rows of `sherlock_classifications`, one for each object, and of `sherlock_crossmatches`.

    Raises
    ------
    ContextError
        If there are no catalogues.
    """
    if resources.sources is None:
        raise ContextError(_NO_CATALOGUES)
    ra, decl, mjd = (_floats(objects, name) for name in ("ra", "decl", "lastDiaSourceMjdTai"))
    ids = objects.column("diaObjectId").combine_chunks()
    own = _known(resources.tns, ra, decl).redshift
    return _classified(ids, ra, decl, mjd, own, resources.sources, resources.cosmology)


def classify(
    ra: npt.ArrayLike, decl: npt.ArrayLike, mjd: npt.ArrayLike | None, resources: ContextResources
) -> tuple[pa.Table, pa.Table]:
    """What is known at positions that belong to no object.

    Parameters
    ----------
    ra, decl
        ICRS, degrees, shape (n,).
    mjd
        Times (MJD TAI) at which stars with proper motion are to be matched, one for all or shape (n,); None:
        at the epochs of their catalogues.

    Returns
    -------
    Rows of `sherlock_classifications`, one for each position, and of `sherlock_crossmatches`; in the place of
    `diaObjectId` stands the number of the position, from 0.

    Raises
    ------
    ContextError
        If there are no catalogues.
    """
    if resources.sources is None:
        raise ContextError(_NO_CATALOGUES)
    lon, lat = (np.atleast_1d(np.asarray(v, np.float64)) for v in (ra, decl))
    time = np.broadcast_to(np.asarray(np.nan if mjd is None else mjd, np.float64), lon.shape)
    ids = pa.array(np.arange(len(lon)))
    own = _known(resources.tns, lon, lat).redshift
    return _classified(ids, lon, lat, time, own, resources.sources, resources.cosmology)


def compile_kernels() -> None:
    """Compile this package's kernels, or load them, so that no alert waits for that."""
    two, none = np.zeros(2, np.int64), np.full(2, np.nan)
    places = pa.table({"ra": [0.0, 1.0], "decl": [0.0, 0.0]})
    candidates = Candidates.of(two, 0, two, np.zeros(2), places).take(np.arange(2))
    groups(candidates, np.ones(2), np.zeros(2, np.bool_), Merging())
    known = host_redshifts(np.array([0.1, 0.2]), none, none, none, none, none, Cosmology())
    mixture_percentiles(two, np.full(2, 0.5), known, 1)


def _classified(
    ids: pa.Array,
    ra: Float64,
    decl: Float64,
    mjd: Float64,
    own_redshift: Float64,
    sources: Sources,
    cosmology: Cosmology,
) -> tuple[pa.Table, pa.Table]:
    found = sources.find(ra, decl, mjd)
    said = associate(found, ra, decl, sources, cosmology)
    verdict = judge(found, said, len(ra), cosmology, own_redshift)
    matches = crossmatches(ids, ra, decl, found, said, verdict, sources)
    return classifications(ids, matches, found, said, verdict, sources), matches


def _known(tns: CatalogueLike | None, ra: Float64, decl: Float64) -> KnownTransients:
    """What TNS knows; if its list fails in use, as if there were none."""
    try:
        return known_transients(tns, ra, decl)
    except CatalogueError as error:
        _log.error("the list of TNS cannot be read; going on without it", reason=str(error))
        return known_transients(None, ra, decl)


def _dust(ra: Float64, decl: Float64, dust: Dust) -> dict[str, pa.Array]:
    found = dust(ra, decl)
    known = np.isfinite(found.ebv)
    return {
        "ebv": pa.array(found.ebv.astype(np.float32), mask=~known),
        "ebvErr": pa.array(found.error.astype(np.float32), mask=~np.isfinite(found.error)),
        "ebvSource": pa.array([found.source], pa.string()).take(
            pa.array(np.zeros(len(ra), np.int32), mask=~known)
        ),
    }


def _floats(table: pa.Table, name: str) -> Float64:
    values: Float64 = table.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return values


def _times(batch: AlertBatch) -> Float64:
    """When each object was seen last, MJD TAI; NaN if nothing tells."""
    newest = np.full(batch.objects.num_rows, np.nan)
    offsets = batch.diaSources.offsets
    if len(batch.diaSources):
        time = batch.diaSources.numpy("midpointMjdTai")
        some = offsets[1:] > offsets[:-1]
        newest[some] = time[offsets[1:][some] - 1]  # rows of an object are in the order of time
    if "lastDiaSourceMjdTai" in batch.objects.column_names:
        newest = np.fmax(newest, _floats(batch.objects, "lastDiaSourceMjdTai"))
    return newest
