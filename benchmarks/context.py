"""How good the contextual classes are, and what the stage costs.

1. Classes against spectroscopic types: the known transients of the test data, classified with the catalogues
that
   are there (GLADE+, OpenNGC, VSX, GCVS, lists of cataclysmic variables and blazars), in a table of true
   kind by class. Beside it stands the rule everybody has at hand: the class of whatever source is nearest
   within 3″, else a supernova if a galaxy lies within 30″.
2. Cost: ten catalogues of together 10⁸ invented sources, 10,000 positions, half of them at sources; one
core. Beside
   it, simulated alerts go through the pipeline with and without the context stage.

    python benchmarks/context.py [--quick] [--only classes|cost] [--folder DIR]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from _real_catalogues import cataclysmic_and_active, glade_plus, open_ngc, variables
from lasair_broker.context import CLASSES, ContextLoader, classify
from lasair_broker.context.catalogues import CatalogueSet, Description, write_catalogue
from lasair_broker.packets import SchemaStore
from lasair_broker.packets.simulator import Simulation
from lasair_broker.stream import Pipeline, standard_stages

DATA = Path(os.environ.get("LASAIR_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")

KINDS = {
    "SN": {"Ia", "II", "II P", "IIn", "Ic", "Ib", "Ia-91T", "IIb", "Ib/c", "Ia Pec", "Ic BL", "BL", "SLSN-I",
           "I", "Ia-91bg", "CC", "Ibn", "SLSN-II", "Ia-02cx", "II L", "II Pec", "Ia CSM", "SLSN", "Ib Pec",
           "Ic Pec", "Ia-99aa", "Ca-rich", "Ib-Ca-rich", "Iax[02cx-like]", "Ia-09dc"},
    "TDE": {"TDE", "Low-mass TDE"},
    "AGN": {"QSO", "AGN", "Blazar", "BL Lac", "Blazer", "blazar", "Quasar", "NLSy1"},
    "CV": {"CV", "Nova", "nova"},
    "star": {"Flare", "flare", "YSO", "Star", "Variable Star", "VarStar", "RCrB", "dM", "M-star", "LPV",
             "ulens", "ULENS", "microlensing"},
    "GRB": {"LGRB", "Afterglow"},
}  # fmt: skip


def truth() -> tuple[
    npt.NDArray[Any], npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]
]:
    """Kind, position and redshift of the known transients whose type is sure."""
    t = pq.read_table(DATA / "catalogues" / "known_transients.parquet")
    of_type = {name: kind for kind, names in KINDS.items() for name in names}
    kind = np.array([of_type.get(name or "", "") for name in t.column("type").to_pylist()], object)
    ra, decl, z = (t.column(c).to_numpy(zero_copy_only=False) for c in ("ra_deg", "dec_deg", "z"))
    some = (kind != "") & np.isfinite(ra) & (np.abs(decl) <= 90.0)
    return kind[some], ra[some], decl[some], z[some]


def nearest_rule(catalogues: CatalogueSet, ra: Any, decl: Any) -> npt.NDArray[Any]:
    """The class of whatever is nearest within 3″, else SN with a galaxy within 30″, else ORPHAN."""
    means = {"glade_plus": "NT", "openngc": "NT", "vsx": "VS", "gcvs": "VS", "lac4": "AGN", "hsp3": "AGN"}
    out = np.full(len(ra), "ORPHAN", object)
    nearest = np.full(len(ra), 3.0)
    galaxy = np.zeros(len(ra), np.bool_)
    for name, catalogue in catalogues.items():
        meaning = means.get(name, "CV")
        if meaning == "NT":
            galaxy[catalogue.match(ra, decl, 30.0, k=1).position] = True
        found = catalogue.match(ra, decl, 3.0, k=1)
        closer = found.arcsec < nearest[found.position]
        out[found.position[closer]] = meaning
        nearest[found.position[closer]] = found.arcsec[closer]
    return np.where((out == "ORPHAN") & galaxy, "SN", out)


def table(kind: npt.NDArray[Any], said: npt.NDArray[Any]) -> None:
    columns = [name for name in (*CLASSES, "ORPHAN") if (said == name).any()]
    print(f"{'true':<6} {'number':>7}  " + "".join(f"{name:>9}" for name in columns))
    for true in KINDS:
        mine = said[kind == true]
        print(f"{true:<6} {len(mine):>7,}  " + "".join(f"{(mine == name).mean():>9.3f}" for name in columns))


def rules_with_lists(folder: Path) -> Path:
    """The shipped rules and the lists of cataclysmic variables and blazars that only the test data have."""
    rules = yaml.safe_load((files("lasair_broker.context") / "rules.yaml").read_text())
    for name, kind, meaning, radius in (
        ("symbiotic_and_cv", "cataclysmic variable", "CV", 2.5),
        ("magnetic_cv", "cataclysmic variable", "CV", 2.5),
        ("lac4", "AGN", "AGN", 3.0),
        ("hsp3", "AGN", "AGN", 3.0),
    ):
        rules["views"][name] = {"catalogue": name, "kind": kind}
        search = {"view": name, "radius": radius, "synonym_radius": radius, "synonym": meaning}
        rules["searches"][name] = search
    path = folder.parent / f"{folder.name}-rules.yaml"
    path.write_text(yaml.safe_dump(rules))
    return path


def classes(quick: bool) -> None:
    kind, ra, decl, z = truth()
    some = slice(None, None, 10) if quick else slice(None)
    kind, ra, decl, z = kind[some], ra[some], decl[some], z[some]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "catalogues"
        began = time.perf_counter()
        for make in (glade_plus, open_ngc, variables, cataclysmic_and_active):
            make(folder, DATA)
        print(f"catalogues written in {time.perf_counter() - began:.0f} s")
        said, _ = classify(ra, decl, None, ContextLoader(folder, rules_with_lists(folder)).current())
        found = np.array(said.column("classification").to_pylist(), object)
        print("\nLasair: share of each true kind (rows) that is given a class (columns)")
        table(kind, found)
        print("\nnearest source within 3″, else SN with a galaxy within 30″")
        table(kind, nearest_rule(CatalogueSet.open(folder), ra, decl))
        extragalactic = np.isin(kind, ("SN", "TDE", "GRB"))
        called_star = np.isin(found, ("VS", "CV", "HPMS", "BS"))
        wrong, every = (called_star & extragalactic).sum(), extragalactic.sum()
        print(f"\nsupernovae, TDEs and bursts called a star: {wrong} of {every:,}")
        stars = np.isin(kind, ("CV", "star"))
        hosted = np.isin(found, ("SN", "NT"))
        print(f"stars given a host galaxy: {(hosted & stars).sum()} of {stars.sum():,}")
        check_redshifts(kind, z, said)


def check_redshifts(kind: npt.NDArray[Any], z: Any, said: pa.Table) -> None:
    """Redshifts of the hosts against those of the supernovae themselves."""
    names = ("redshift", "hostProbability", "redshiftP16", "redshiftP84")
    of_host, probability, p16, p84 = (
        said.column(n).to_numpy(zero_copy_only=False).astype(np.float64) for n in names
    )
    some = (kind == "SN") & np.isfinite(z) & np.isfinite(of_host) & (z > 0)
    agrees = np.abs(of_host - z) < 0.005 + 0.05 * z
    by_spectrum = some & (np.array(said.column("redshiftKind").to_pylist(), object) == "spec")
    print("redshifts of host and supernova agree (|dz| < 0.005 + 0.05 z):")
    for title, which in (
        ("all", some),
        ("hosts with a spectrum", by_spectrum),
        ("these, with a probability above 0.9", by_spectrum & (probability > 0.9)),
    ):
        print(f"  {title:<38} {agrees[which].mean():.4f} of {which.sum():,}")
    within = (z >= p16) & (z <= p84)
    share = within[some].mean()
    print(f"that of the supernova lies between the 16th and 84th percentile: {share:.3f} (0.68 is right)")


def invented(folder: Path, rows: int) -> None:
    """Ten catalogues over the whole sky, five of stars and five of galaxies; beside them rules and places."""
    rng = np.random.default_rng(11)
    views: dict[str, Any] = {}
    searches: dict[str, Any] = {}
    places: list[npt.NDArray[np.float64]] = []
    for number in range(10):
        stars = number % 2 == 0
        name = f"{'stars' if stars else 'galaxies'}_{number}"
        ra, decl = 360.0 * rng.random(rows), np.degrees(np.arcsin(2.0 * rng.random(rows) - 1.0))
        columns: dict[str, Any] = {
            "ra": ra,
            "decl": decl,
            "mag_r": (16.0 + 8.0 * rng.random(rows)).astype(np.float32),
        }
        if not stars:
            major = 2.0 * 10.0 ** (0.6 * rng.random(rows))
            columns |= {
                "major_axis": major.astype(np.float32),
                "minor_axis": (major * (0.3 + 0.7 * rng.random(rows))).astype(np.float32),
                "position_angle": (180.0 * rng.random(rows)).astype(np.float32),
                "photoz": 0.02 + rng.random(rows),
                "photoz_error": np.full(rows, 0.05, np.float32),
            }
        description = Description.model_validate(
            {"title": name, "source": "invented", "licence": "none", "citation": "none", "axes": "isophote"}
            | {"columns": {c: c for c in columns}}
        )
        write_catalogue(folder, name, pa.table(columns), description)
        places.append(np.stack([ra[:1000], decl[:1000]]))
        views[name] = {"catalogue": name, "kind": "star" if stars else "galaxy"}
        searches[name] = (
            {"view": name, "radius": 3.0, "synonym": "VS"}
            if stars
            else {"view": name, "radius": 20.0, "synonym": "NT", "association": "SN", "host": True}
        )
    rules = folder.parent / "rules.yaml"
    np.save(folder.parent / "places.npy", np.concatenate(places, axis=1))
    rules.write_text(yaml.safe_dump({"name": "of the benchmark", "views": views, "searches": searches}))


def cost(quick: bool, keep: Path | None) -> None:
    rows = 20_000 if quick else 10_000_000
    with tempfile.TemporaryDirectory() as name:
        top = keep or Path(name)
        folder, rules = top / "catalogues", top / "rules.yaml"
        if not rules.exists():
            began = time.perf_counter()
            folder.mkdir(parents=True, exist_ok=True)
            invented(folder, rows)
            print(f"\nten catalogues written in {time.perf_counter() - began:.0f} s", flush=True)
        ra, decl = np.load(top / "places.npy")
        began = time.perf_counter()
        loader = ContextLoader(folder, rules)
        together = sum(map(len, CatalogueSet.open(folder).values()))
        print(f"ten catalogues of together {together:,} rows opened in {time.perf_counter() - began:.1f} s")
        rng = np.random.default_rng(12)
        n = 5000
        # Half lie at a source, as alerts mostly do; each round is of other places, so that no page is warm
        # by it.
        for number in range(3):
            here = rng.permutation(len(ra))[:n]
            lon = np.concatenate([ra[here] + 1e-4 * rng.random(n), 360.0 * rng.random(n)])
            lat = np.concatenate([decl[here] * 0.9999999, np.degrees(np.arcsin(2.0 * rng.random(n) - 1.0))])
            cpu, wall = time.thread_time(), time.perf_counter()
            _, matches = classify(lon, lat, None, loader.current())
            cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
            first = ", compiling" if number == 0 else ""
            each = f"{1e6 * cpu / (2 * n):.1f} µs CPU, {1e6 * wall / (2 * n):.1f} µs wall a position"
            print(f"round {number + 1}: {each}; {matches.num_rows / (2 * n):.2f} matches each{first}")
        pipeline_cost(loader, 400 if quick else 3000)


def pipeline_cost(loader: ContextLoader, count: int) -> None:
    """What the stages take of simulated alerts, with the context and without."""
    schemas = SchemaStore()
    simulation = Simulation(num_fields=1, num_nights=2, alerts_per_visit=count, batch_size=count)
    parts = []
    for _, part in simulation.visit_alerts():
        parts.append(part)
        if sum(len(p) for p in parts) >= count:
            break
    with_context = standard_stages(catalogues=loader)
    without = tuple(stage for stage in with_context if stage.name != "context")
    totals: dict[str, list[float]] = {"with": [], "without": []}
    stages: dict[str, float] = {}
    number = sum(len(p) for p in parts)
    for _ in range(4):
        for title, some in (("with", with_context), ("without", without)):
            pipeline = Pipeline(schemas, some)
            began = time.thread_time()
            for part in parts:
                pipeline.process(part)
            totals[title].append((time.thread_time() - began) / number)
            if title == "with":
                stages = {k: v.cpu_seconds / number for k, v in pipeline.times.report().items()}
    best = {title: statistics.median(times[1:]) for title, times in totals.items()}
    print(
        f"\n{number:,} simulated alerts, µs CPU an alert: {1e6 * best['with']:.0f} with the context, "
        f"{1e6 * best['without']:.0f} without ({best['with'] / best['without']:.2f} ×)"
    )
    print("of these: " + ", ".join(f"{name} {1e6 * took:.0f}" for name, took in stages.items()))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the transients, 200,000 invented rows"
    )
    parser.add_argument("--only", choices=("classes", "cost"))
    parser.add_argument(
        "--folder", type=Path, help="keep the invented catalogues here, or use those that are"
    )
    given = parser.parse_args()
    if given.only != "cost":
        classes(given.quick)
    if given.only != "classes":
        cost(given.quick, given.folder)


if __name__ == "__main__":
    main()
