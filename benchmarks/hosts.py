"""How often the host galaxy is the right one, and whether its probability is to be believed.

Known transients with a stated host position are matched with GLADE+. A transient counts if GLADE+ has a
galaxy within 5″ of that position and the transient lies within 300″ of it; the answer is right if it is that
galaxy. The rules that others use (nearest galaxy, smallest projected distance, separation over semi-major
axis, and the directional light radius alone) choose among the same galaxies in the same run.

The four constants of `HostModel` come from one half of the transients; the other half has had no part in it,
and its figures stand apart. `--fit` finds them again, and those of the other half, each with the calibration
on the half that it has not seen. For the calibration, transients whose stated host
GLADE+ does not have count too: there the right answer is that no catalogued galaxy is the host. Left out are
those whose stated host lies off the centre of a catalogued galaxy but within its ellipse, for nobody knows
which is meant.

    python benchmarks/hosts.py [--quick] [--fit]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from astropy.coordinates import SkyCoord
from pyarrow import csv
from scipy.optimize import minimize

from _real_catalogues import glade_plus
from lasair_broker.context import (
    ContextLoader,
    ContextResources,
    HostModel,
    classify,
    directional_light_radius,
    host_probabilities,
    tangent_offset,
)
from lasair_broker.context.catalogues import CatalogueSet
from lasair_broker.sky import separation_arcsec

Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

DATA = Path(os.environ.get("LASAIR_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")
HOST_WITHIN, FARTHEST = 5.0, 300.0


@dataclass
class Truth:
    """Transients with a stated host: positions, the galaxy of GLADE+ (-1: not there), and which may be
    counted."""

    ra: Float64
    decl: Float64
    host: npt.NDArray[np.int64]
    separation: Float64
    unclear: Bool
    fitted: Bool


def names_of(catalogues: CatalogueSet, row: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Names, which are numbers here, of rows of GLADE+."""
    return catalogues["glade_plus"].take(row, ["name"]).column(0).cast(pa.int64()).to_numpy()


def read_truth(catalogues: CatalogueSet, limit: int | None) -> Truth:
    table = pq.read_table(DATA / "catalogues" / "known_transients.parquet")
    columns = ("ra_deg", "dec_deg", "host_ra_deg", "host_dec_deg")
    ra, decl, host_ra, host_decl = (table.column(c).to_numpy(zero_copy_only=False) for c in columns)
    # The same transients are on the same side in every run.
    half = np.random.default_rng(5).random(len(ra)) < 0.5
    some = np.flatnonzero(np.isfinite(ra + decl + host_ra + host_decl))[:limit]
    ra, decl, host_ra, host_decl, half = (v[some] for v in (ra, decl, host_ra, host_decl, half))
    glade = catalogues["glade_plus"]
    nearest = glade.match(host_ra, host_decl, HOST_WITHIN, k=1)
    host = np.full(len(ra), -1, np.int64)
    host[nearest.position] = names_of(catalogues, nearest.row)
    separation = separation_arcsec(ra, decl, host_ra, host_decl)
    host[separation > FARTHEST] = -1
    around = glade.match(host_ra, host_decl, FARTHEST)
    axis = glade.take(around.row, ["major_axis"]).column(0).to_numpy() / 2.0
    within = around.arcsec < np.maximum(axis, 2.0 * HOST_WITHIN)
    unclear = np.zeros(len(ra), np.bool_)
    unclear[around.position[within]] = True
    unclear &= host < 0
    return Truth(ra, decl, host, separation, unclear, half)


@dataclass
class Pairs:
    """Transients and the galaxies within 300″ of each."""

    transient: npt.NDArray[np.int64]
    galaxy: npt.NDArray[np.int64]
    arcsec: Float64
    ddlr: Float64
    axis: Float64
    ratio: Float64
    magnitude: Float64
    kpc: Float64


def pairs_of(truth: Truth, catalogues: CatalogueSet) -> Pairs:
    glade = catalogues["glade_plus"]
    found = glade.match(truth.ra, truth.decl, FARTHEST)
    names = ["ra", "decl", "mag_B", "major_axis", "minor_axis", "position_angle", "redshift"]
    table = glade.take(found.row, names)
    ra, decl, magnitude, major, minor, angle, z = (
        c.cast(pa.float64()).to_numpy(zero_copy_only=False) for c in table.columns
    )
    who = found.position
    east, north = tangent_offset(truth.ra[who], truth.decl[who], ra, decl)
    ddlr = directional_light_radius(east, north, major / 2.0, minor / major, angle)
    # Proportional to kpc for small redshifts, which is all that a comparison needs.
    kpc = found.arcsec * z / (1.0 + z) ** 2
    return Pairs(
        who, names_of(catalogues, found.row), found.arcsec, ddlr, major / 2.0, minor / major, magnitude, kpc
    )


def chosen(score: Float64, pairs: Pairs, n: int) -> npt.NDArray[np.int64]:
    """The galaxy with the lowest score for each transient, -1 if it has no galaxy."""
    order = np.lexsort((np.nan_to_num(score, nan=np.inf), pairs.transient))
    who, first = np.unique(pairs.transient[order], return_index=True)
    out = np.full(n, -1, np.int64)
    out[who] = pairs.galaxy[order[first]]
    return out


def fit(truth: Truth, pairs: Pairs, half: Bool) -> HostModel:
    """The constants that make the truth of a half most probable."""
    use = half & ~truth.unclear
    right = truth.host[pairs.transient] == pairs.galaxy

    def cost(p: Float64) -> float:
        model = HostModel(float(np.exp(p[0])), *map(float, p[1:]))
        host, none = host_probabilities(
            pairs.transient, pairs.ddlr, pairs.magnitude, pairs.axis, pairs.ratio, len(truth.ra), model
        )
        probability = np.where(truth.host < 0, none, 0.0)
        probability[pairs.transient[right]] = host[right]
        return float(-np.log(probability[use] + 1e-9).sum())

    start = np.array([-0.6, 0.6, 0.5, -4.0])
    found = minimize(
        cost, start, method="Nelder-Mead", options={"maxiter": 600, "xatol": 1e-3, "fatol": 1e-2}
    )
    return HostModel(float(np.exp(found.x[0])), *(float(x) for x in found.x[1:]))


def calibration(probability: Float64, right: Bool) -> float:
    """Print how often what is said to have a probability is true; returns the expected calibration error."""
    edges = np.array([0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 1.0])
    part = np.clip(np.digitize(probability, edges) - 1, 0, len(edges) - 2)
    error = 0.0
    print("   said        mean said   true    ± by chance  number")
    for k in range(len(edges) - 1):
        here = part == k
        if here.any():
            said, true = probability[here].mean(), right[here].mean()
            chance = np.sqrt(said * (1.0 - said) / here.sum())
            row = (
                f"{edges[k]:.2f}-{edges[k + 1]:.2f}   {said:9.4f} {true:9.4f} {chance:8.4f} {here.sum():11,}"
            )
            print("   " + row)
            error += abs(said - true) * here.sum() / len(probability)
    return error


def both_ways(truth: Truth, pairs: Pairs) -> None:
    """Fit on either half; print the calibration on the other."""
    n = len(truth.ra)
    for title, half in (("one half", truth.fitted), ("the other half", ~truth.fitted)):
        model = fit(truth, pairs, half)
        print(f"\nfitted on {title}: {model}")
        host, _ = host_probabilities(
            pairs.transient, pairs.ddlr, pairs.magnitude, pairs.axis, pairs.ratio, n, model
        )
        choice, most = chosen(-host, pairs, n), np.zeros(n)
        np.maximum.at(most, pairs.transient, host)
        some = ~half & ~truth.unclear & (most > 1e-3)
        error = calibration(most[some], (choice == truth.host)[some])
        print(f"expected calibration error on the rest {error:.4f}")


def redshifts_of_bts(resources: ContextResources) -> None:
    """Do the redshifts of supernovae of the Bright Transient Survey agree with those of the hosts found?"""
    table = csv.read_csv(DATA / "labelled" / "ztf_bts_labels.csv")
    text = [[str(value) for value in table.column(name).to_pylist()] for name in ("RA", "Dec")]
    place = SkyCoord(*text, unit=("hourangle", "deg"))
    z = pc.cast(table.column("redshift"), pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    supernova = np.array([str(name).startswith(("SN", "SLSN")) for name in table.column("type").to_pylist()])
    said, _ = classify(place.ra.deg, place.dec.deg, None, resources)
    names = ("redshift", "hostProbability", "ddlr")
    host_z, probability, ddlr = (
        said.column(n).to_numpy(zero_copy_only=False).astype(np.float64) for n in names
    )
    measured = np.array([kind == "spec" for kind in said.column("redshiftKind").to_pylist()])
    agrees = np.abs(host_z - z) < 0.005 + 0.05 * z
    print("\nredshifts of ZTF BTS supernovae and of hosts with a spectrum agree (|dz| < 0.005 + 0.05 z):")
    for title, some in (("light radius < 4", ddlr < 4.0), ("probability > 0.9", probability > 0.9)):
        told = []
        for most in (0.02, 0.05, 0.1, 1.0):
            here = some & supernova & measured & (z > 0.0) & (z < most)
            told.append(f"z < {most}: {agrees[here].mean():.4f} of {here.sum():,}")
        print(f"  {title:<18} " + "; ".join(told))


def redshifts_of_known(resources: ContextResources) -> None:
    """Of all known transients with a redshift: do hosts agree, and how often do 16 to 84 % hold it?"""
    table = pq.read_table(DATA / "catalogues" / "known_transients.parquet")
    ra, decl, z = (table.column(c).to_numpy(zero_copy_only=False) for c in ("ra_deg", "dec_deg", "z"))
    use = np.isfinite(ra + decl) & (z > 0.0)
    z = z[use]
    said, _ = classify(ra[use], decl[use], None, resources)
    host_z, probability, low, high = (
        said.column(name).to_numpy(zero_copy_only=False).astype(np.float64)
        for name in ("redshift", "hostProbability", "redshiftP16", "redshiftP84")
    )
    kind = np.array([str(k) for k in said.column("redshiftKind").to_pylist()])
    agrees, held = np.abs(host_z - z) < 0.005 + 0.05 * z, (z >= low) & (z <= high)
    print("\nall known transients with a redshift, probability of the host above 0.9:")
    for title in ("spec", "phot"):
        some = (probability > 0.9) & (kind == title)
        print(
            f"  {title}: {some.sum():,}, agree {agrees[some].mean():.4f}, "
            f"within the 16th to 84th percentile {held[some].mean():.4f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the first 1,500 transients only")
    parser.add_argument("--fit", action="store_true", help="find the constants of HostModel again")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        glade_plus(Path(folder), DATA)
        catalogues = CatalogueSet.open(folder)
        truth = read_truth(catalogues, 1500 if given.quick else None)
        pairs = pairs_of(truth, catalogues)
        n, known = len(truth.ra), truth.host >= 0
        print(f"{n:,} transients with a stated host; GLADE+ has {known.sum():,} of these hosts")
        print(f"{truth.unclear.sum():,} are left out of the calibration: nobody knows which galaxy is meant")
        if given.fit:
            both_ways(truth, pairs)
        resources = ContextLoader(Path(folder)).current()
        classify(truth.ra[:8], truth.decl[:8], None, resources)  # compiles
        began = time.perf_counter()
        said, _ = classify(truth.ra, truth.decl, None, resources)
        took = time.perf_counter() - began
        ours = np.array([-1 if name is None else int(name) for name in said.column("hostId").to_pylist()])
        methods = {
            "nearest": chosen(pairs.arcsec, pairs, n),
            "smallest kpc": chosen(pairs.kpc, pairs, n),
            "separation over semi-major axis": chosen(pairs.arcsec / pairs.axis, pairs, n),
            "directional light radius": chosen(pairs.ddlr, pairs, n),
            "Lasair": ours,
        }
        held = known & ~truth.fitted
        bins = ((0, 5), (5, 20), (20, 60), (60, 300))
        print(
            "\nright hosts                        all    held out   "
            + "   ".join(f"{a}-{b}″" for a, b in bins)
        )
        for name, choice in methods.items():
            right = choice == truth.host
            by_bin = [right[known & (truth.separation >= a) & (truth.separation < b)].mean() for a, b in bins]
            print(
                f"{name:<32} {right[known].mean():.4f}  {right[held].mean():.4f}    "
                + "  ".join(f"{x:.3f}" for x in by_bin)
            )
        right = ours == truth.host
        probability = np.nan_to_num(
            said.column("hostProbability").to_numpy(zero_copy_only=False).astype(np.float64)
        )
        some = (ours >= 0) & ~truth.unclear & ~truth.fitted
        print("\nprobability of the best host, held-out half, hosts that GLADE+ has not included:")
        print(f"expected calibration error {calibration(probability[some], right[some]):.4f}")
        sure = some & (probability > 0.9)
        print(f"said with more than 0.9: {sure.sum():,}, of these right {right[sure].mean():.4f}")
        redshifts_of_bts(resources)
        redshifts_of_known(resources)
        print(f"\n{took / n * 1e6:.1f} µs a transient, classes, hosts and redshifts included")


if __name__ == "__main__":
    main()
