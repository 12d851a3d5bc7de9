"""Light curve features: objects a second on one core, and a fit's cost, beside the light-curve package.

    python benchmarks/features.py [--quick]

The figure is the stage `enrich` on batches of 6,000 objects of some 62 detections and 20 forced
measurements: columns in, Arrow columns out. It is given with the light curves' columns already in order,
and with that still to be done (as for the first stage that asks for them; here the rows are shuffled, the
worst case). CPU time of this process; the lowest and the median of the rounds. The reference is an
Extractor from light-curve (Rust, GPL) with those of our per-band statistics that it has, one call for all
curves, on the same curves already cut by band: less work than ours, so the ratio is a lower bound.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import light_curve
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.lightcurve import FeatureResources, enrich
from lasair_broker.packets import BANDS, AlertBatch, Payloads, SourceColumns, SourceTable
from lasair_broker.schema import arrow_schema

POINTS, FORCED = 62, 20
BATCH = 6000
Float64 = npt.NDArray[np.float64]


def transient(rng: np.random.Generator, times: Float64) -> Float64:
    """A Bazin-shaped outburst."""
    fall = 10 ** rng.uniform(-1.9, -0.9)
    rise = fall * rng.uniform(3, 12)
    since = times - times.min() - rng.uniform(5, 25)
    return 10 ** rng.uniform(3, 4.5) * np.exp(-fall * since - np.logaddexp(0, -rise * since))


def stochastic(rng: np.random.Generator, times: Float64) -> Float64:
    """A random walk around zero, as an active galaxy's difference flux."""
    steps = rng.normal(size=len(times)) * np.sqrt(np.diff(times, prepend=times[0]) + 0.01)
    return 300.0 * np.cumsum(steps)


def periodic(rng: np.random.Generator, times: Float64) -> Float64:
    """A sine, as a variable star's."""
    return 5000.0 * np.sin(2 * np.pi * times / 10 ** rng.uniform(-0.5, 1.5))


def source_table(
    name: str, counts: npt.NDArray[np.int64], columns: dict[str, npt.NDArray[np.float32]]
) -> SourceTable:
    """A table over arrays, its rows in the order in which messages would bring them: shuffled."""
    schema = arrow_schema(name)
    total = int(counts.sum())
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    shuffle = np.random.default_rng(3).permutation(total)
    place = np.empty(total, np.int64)
    place[shuffle] = np.arange(total)
    shuffled = {key: values[shuffle] for key, values in columns.items()}
    return SourceTable(schema, (SourceColumns(total, shuffled, {}, {"band": BANDS}),), place, offsets)


def make_batch(
    rng: np.random.Generator, size: int
) -> tuple[Callable[[], AlertBatch], list[tuple[Float64, ...]]]:
    """A maker of fresh batches (nothing gathered yet) and the same detections cut by band."""
    rows: dict[str, list[npt.NDArray[np.float64]]] = {
        key: [] for key in ("midpointMjdTai", "psfFlux", "psfFluxErr", "band", "ra", "decl")
    }
    forced: dict[str, list[npt.NDArray[np.float64]]] = {
        key: [] for key in ("midpointMjdTai", "psfFlux", "psfFluxErr", "band")
    }
    groups: list[tuple[Float64, ...]] = []
    counts, forced_counts = [], []
    # A fifth of the objects are transients of up to 150 days, the others vary for the year that packets hold.
    kinds = rng.choice(3, size, p=[0.2, 0.4, 0.4])
    for kind in kinds:
        n = max(1, int(rng.poisson(POINTS)))
        span = rng.uniform(30, 150) if kind == 0 else 365.0
        times = 61000.0 + np.sort(np.round(rng.uniform(0, span, n)) + rng.uniform(0, 0.3, n))
        model = (transient, stochastic, periodic)[kind](rng, times)
        err = 50.0 + 0.01 * np.abs(model)
        flux = model + err * rng.normal(size=n)
        band = rng.choice(6, n, p=[0.06, 0.12, 0.28, 0.28, 0.16, 0.10])
        for key, values in {
            "midpointMjdTai": times,
            "psfFlux": flux,
            "psfFluxErr": err,
            "band": band,
            "ra": 150 + rng.normal(size=n) * 1e-5,
            "decl": 2 + rng.normal(size=n) * 1e-5,
        }.items():
            rows[key].append(values)
        counts.append(n)
        before = np.sort(61000.0 - rng.uniform(0, 60, FORCED))
        for key, values in {
            "midpointMjdTai": before,
            "psfFlux": 50 * rng.normal(size=FORCED),
            "psfFluxErr": np.full(FORCED, 50.0),
            "band": rng.choice(6, FORCED),
        }.items():
            forced[key].append(values)
        forced_counts.append(FORCED)
        for b in range(6):
            mine = band == b
            if mine.sum() >= 4:
                distinct = times[mine] + 1e-7 * np.arange(mine.sum())
                groups.append((distinct, flux[mine].copy(), err[mine].copy()))
    typed = {"band": np.int8, "psfFlux": np.float32, "psfFluxErr": np.float32}
    columns = {key: np.concatenate(v).astype(typed.get(key, np.float64)) for key, v in rows.items()}
    columns |= {key: np.full(len(columns["ra"]), 1e-5, np.float32) for key in ("raErr", "decErr")}
    columns |= {"reliability": rng.uniform(0, 1, len(columns["ra"])).astype(np.float32)}
    forced_columns = {key: np.concatenate(v).astype(typed.get(key, np.float64)) for key, v in forced.items()}
    objects = pa.table(
        {
            "diaObjectId": np.arange(size),
            "ra": np.full(size, 150.0),
            "decl": np.full(size, 2.0),
        }
    )
    empty = np.zeros(0, np.int64)

    def fresh() -> AlertBatch:
        return AlertBatch(
            survey="lsst",
            alerts=arrow_schema("alerts").empty_table(),
            objects=objects,
            diaSources=source_table("diaSources", np.array(counts), columns),
            diaForcedSources=source_table("diaForcedSources", np.array(forced_counts), forced_columns),
            diaNondetectionLimits=SourceTable.empty(arrow_schema("diaNondetectionLimits"), size),
            ssSources=arrow_schema("ssSources").empty_table(),
            ssObjects=arrow_schema("ssObjects").empty_table(),
            mpc_orbits=arrow_schema("mpc_orbits").empty_table(),
            payloads=Payloads(empty, empty, (), 0, "{}"),
        )

    return fresh, groups


def cpu_seconds(
    prepare: Callable[[], list[AlertBatch]], work: Callable[[AlertBatch], object], rounds: int
) -> tuple[float, float]:
    """Lowest and median CPU seconds of `work` over all batches."""
    taken = []
    for _ in range(rounds):
        batches = prepare()
        start = time.process_time()
        for batch in batches:
            work(batch)
        taken.append(time.process_time() - start)
    return min(taken), statistics.median(taken)


def report(what: str, seconds: tuple[float, float], size: int) -> None:
    """One line: objects a second and microseconds an object, at the lowest and the median CPU time."""
    low, middle = seconds
    print(
        f"{what:44s} best {size / low:9,.0f} objects/s {1e6 * low / size:6.1f} us"
        f"   median {size / middle:9,.0f} objects/s {1e6 * middle / size:6.1f} us"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer objects and rounds")
    quick = parser.parse_args().quick
    size, rounds = (1000, 5) if quick else (BATCH, 11)
    rng = np.random.default_rng(1)
    fresh, groups = make_batch(rng, size)
    plain, fitting = FeatureResources(fits=False), FeatureResources()

    start = time.process_time()
    gathered = fresh()
    result = enrich(gathered, fitting).objects
    print(f"first call: compiles, unless cached          {time.process_time() - start:6.1f} s")
    enrich(gathered, plain)

    without = cpu_seconds(lambda: [gathered], lambda b: enrich(b, plain), rounds)
    from_order = cpu_seconds(lambda: [fresh()], lambda b: enrich(b, plain), rounds)
    with_fits = cpu_seconds(lambda: [gathered], lambda b: enrich(b, fitting), rounds)
    columns = len(result.column_names) - 3
    report(f"features without fits, {columns} columns", without, size)
    report("  and putting the columns in order", from_order, size)
    report("  with gated fits (a fifth are transients)", with_fits, size)
    surfaces = len(result["BBBReducedChi2"].drop_null())
    in_bands = sum(len(result[f"{b}_bazinReducedChi2"].drop_null()) for b in BANDS)
    print(f"    accepted: {surfaces} surface fits, {in_bands} single-band fits of {size} objects")

    extractor = light_curve.Extractor(
        light_curve.ExcessVariance(),
        light_curve.Skew(),
        light_curve.Kurtosis(),
        light_curve.StetsonK(),
        light_curve.EtaE(),
        light_curve.ReducedChi2(),
        light_curve.LinearFit(),
        light_curve.WeightedMean(),
        light_curve.StandardDeviation(),
        light_curve.Amplitude(),
        light_curve.MaximumSlope(),
        light_curve.MeanVariance(),
    )
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        extractor.many(groups, sorted=True, check=False, n_jobs=1, fill_value=np.nan)
        taken.append(time.process_time() - start)
    theirs = min(taken), statistics.median(taken)
    report("light-curve Extractor, 12 of its features", theirs, size)
    best, middle = (t / w for t, w in zip(theirs, without, strict=True))
    print(f"ratio (ours without fits / light-curve)      best {best:.1f}   median {middle:.1f}")
    _fits(rng, rounds)


def _fits(rng: np.random.Generator, rounds: int) -> None:
    """A single-band fit beside light-curve's BazinFit, on simulated outbursts of 10 to 40 points."""
    curves = []
    for _ in range(500):
        n = int(rng.integers(10, 41))
        times = 61000.0 + np.sort(rng.uniform(0, 100, n))
        model = transient(rng, times)
        err = model.max() / rng.uniform(10, 60) + 0.02 * model
        curves.append((times, model + err * rng.normal(size=n), err))
    counts = np.array([len(t) for t, _, _ in curves])
    flat = {
        "midpointMjdTai": np.concatenate([t for t, _, _ in curves]),
        "psfFlux": np.concatenate([f for _, f, _ in curves]).astype(np.float32),
        "psfFluxErr": np.concatenate([e for _, _, e in curves]).astype(np.float32),
        "band": np.full(int(counts.sum()), 2, np.int8),
    }
    empty = np.zeros(0, np.int64)
    batch = AlertBatch(
        survey="lsst",
        alerts=arrow_schema("alerts").empty_table(),
        objects=pa.table({"diaObjectId": np.arange(500), "ra": np.zeros(500), "decl": np.zeros(500)}),
        diaSources=source_table("diaSources", counts, flat),
        diaForcedSources=SourceTable.empty(arrow_schema("diaForcedSources"), 500),
        diaNondetectionLimits=SourceTable.empty(arrow_schema("diaNondetectionLimits"), 500),
        ssSources=arrow_schema("ssSources").empty_table(),
        ssObjects=arrow_schema("ssObjects").empty_table(),
        mpc_orbits=arrow_schema("mpc_orbits").empty_table(),
        payloads=Payloads(empty, empty, (), 0, "{}"),
    )
    with_fits = cpu_seconds(lambda: [batch], lambda b: enrich(b, FeatureResources()), rounds)
    without = cpu_seconds(lambda: [batch], lambda b: enrich(b, FeatureResources(fits=False)), rounds)
    reduced = enrich(batch, FeatureResources()).objects["r_bazinReducedChi2"].drop_null().to_numpy()
    ours = (with_fits[1] - without[1]) / len(curves)
    bazin = light_curve.BazinFit("lmsder")
    start = time.process_time()
    their_chi2 = np.array([bazin(t, f, e)[-1] for t, f, e in curves])
    theirs = (time.process_time() - start) / len(curves)
    good, their_good = np.sum(reduced < 2) / len(curves), np.mean(their_chi2 < 2)
    print(f"Bazin fit of one band                        {1e6 * ours:6.1f} us   chi2/dof < 2: {good:.1%}")
    their = f"{1e6 * theirs:6.1f} us   chi2/dof < 2: {their_good:.1%}"
    print(f"light-curve BazinFit lmsder                  {their}")
    print(f"ratio (ours / light-curve)                   {theirs / ours:6.1f}")


if __name__ == "__main__":
    main()
