"""Sanity on light curves with known classes: real ones of ZTF, and the PLAsTiCC simulation of LSST."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from curve_batches import Curve, Point, batch_of

from lasair_broker.lightcurve import FeatureResources, enrich
from lasair_broker.schema import arrow_schema

DATA = (
    Path(os.environ.get("LASAIR_TEST_DATA", str(Path(__file__).parents[3] / "shared" / "data"))) / "labelled"
)


def plasticc(target: int, number: int) -> tuple[pd.DataFrame, list[Curve]]:
    """Objects of a class and their light curves: detections, and the other measurements as forced."""
    objects = pd.read_parquet(DATA / "plasticc_train_objects.parquet")
    chosen = objects[objects.target == target].iloc[:number]
    points = pd.read_parquet(DATA / "plasticc_train_lightcurves.parquet")
    by_object = dict(list(points[points.object_id.isin(chosen.object_id)].groupby("object_id")))
    to_njy = 10 ** (0.4 * (31.4 - 27.5))
    curves = []
    for row in chosen.itertuples():
        curve = Curve(ra=row.ra, decl=row.decl)
        for p in by_object[row.object_id].itertuples():
            point = Point(p.mjd, "ugrizy"[p.passband], p.flux * to_njy, p.flux_err * to_njy)
            (curve.detections if p.detected_bool else curve.forced).append(point)
        curves.append(curve)
    return chosen, curves


def columns(table: pa.Table, *names: str) -> list[np.ndarray]:
    return [table[name].to_numpy() for name in names]


def test_type_ia_supernovae_have_the_rates_and_temperatures_of_supernovae() -> None:
    objects, curves = plasticc(90, 600)
    ebv = pa.array(objects.mwebv.to_numpy(), pa.float32())
    table = enrich(batch_of(curves, objects={"ebv": ebv}), FeatureResources()).objects
    rise, fall, kelvin, peak_mjd = columns(table, "BBBRiseRate", "BBBFallRate", "BBBTemp", "BBBPeakMJD")
    enough = np.array([len(c.detections) >= 8 and len({p.band for p in c.detections}) >= 2 for c in curves])
    assert enough.sum() > 250
    fitted = enough & np.isfinite(peak_mjd)
    assert fitted.sum() > 0.75 * enough.sum()
    # Time scales of weeks, and the colour temperature of a photosphere, redshifted and reddened.
    assert np.mean((rise[fitted] > 0.05) & (rise[fitted] < 2)) > 0.85
    assert np.mean((fall[fitted] > 0.01) & (fall[fitted] < 0.2)) > 0.85
    assert np.mean((kelvin[fitted] > 2.5) & (kelvin[fitted] < 20)) > 0.85
    truth = objects.true_peakmjd.to_numpy()
    times = [[p.time for p in c.detections] or [np.nan] for c in curves]
    around = np.array([min(t) < peak - 5 and max(t) > peak + 5 for t, peak in zip(times, truth, strict=True)])
    assert (fitted & around).sum() > 100
    # The truth is the peak in rest-frame B, days before that of the surface in r.
    assert np.median(np.abs(peak_mjd - truth)[fitted & around]) < 4


def test_absolute_magnitudes_of_type_ia_supernovae() -> None:
    """At their true redshift and extinction, the brightest seen is near -19."""
    objects, curves = plasticc(90, 600)
    hosts = pa.Table.from_pylist(
        [
            {"diaObjectId": k + 1, "classification": "SN", "z": float(z)}
            for k, z in enumerate(objects.true_z.to_numpy())
        ],
        schema=arrow_schema("sherlock_classifications"),
    )
    batch = batch_of(
        curves,
        objects={"ebv": pa.array(objects.mwebv.to_numpy(), pa.float32())},
        tables={"sherlock_classifications": hosts},
    )
    magnitude, error = columns(enrich(batch, FeatureResources()).objects, "absMag", "absMagErr")
    well = np.isfinite(magnitude) & (error < 0.1) & (objects.true_z.to_numpy() < 0.4)
    assert well.sum() > 50
    assert -19.8 < np.median(magnitude[well]) < -18.3


@pytest.mark.parametrize(("target", "kind"), [(92, "RR Lyrae"), (16, "eclipsing binary"), (88, "AGN")])
def test_variables_are_seldom_taken_for_transients(target: int, kind: str) -> None:
    _, curves = plasticc(target, 150)
    table = enrich(batch_of(curves), FeatureResources()).objects
    (chi2,) = columns(table, "BBBReducedChi2")
    assert np.mean(np.isfinite(chi2)) < 0.1, kind


def test_ztf_supernovae() -> None:
    """Real light curves of the Bright Transient Survey, magnitudes made fluxes."""
    labels = pd.read_csv(DATA / "ztf_bts_labels.csv")
    points = pd.read_parquet(DATA / "ztf_bts_lightcurves.parquet")
    chosen = set(labels[labels.type == "SN Ia"].ZTFID)
    curves = []
    for name, rows in points.groupby("ztf_name"):
        if name in chosen and len(curves) < 300:
            flux = 10 ** (0.4 * (31.4 - rows.ant_mag.to_numpy()))
            errors = flux * rows.ant_magerr.to_numpy() * np.log(10) / 2.5
            bands = rows.ant_passband.str.lower()
            curves.append(Curve([Point(*p) for p in zip(rows.ant_mjd, bands, flux, errors, strict=True)]))
    table = enrich(batch_of(curves, "ztf"), FeatureResources()).objects
    peak_mjd, kelvin, fall, most = columns(table, "BBBPeakMJD", "BBBTemp", "BBBFallRate", "peakMJD")
    fitted = np.isfinite(peak_mjd)
    assert fitted.sum() > 0.4 * len(curves)
    assert np.mean((kelvin[fitted] > 3) & (kelvin[fitted] < 25)) > 0.85
    assert np.mean((fall[fitted] > 0.01) & (fall[fitted] < 0.2)) > 0.9
    assert np.median(np.abs(peak_mjd[fitted] - most[fitted])) < 4
