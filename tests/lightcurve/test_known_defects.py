"""Each defect known of the features in today's Lasair, as a test that it is not here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from curve_batches import Curve, Point, batch_of
from lightcurve_reference import BANDS, WAVELENGTH, luminosity_distance, planck_ratio

from lasair_broker.lightcurve import FeatureResources, enrich
from lasair_broker.schema import arrow_schema


def features(curve: Curve, ebv: float | None = None, host: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The features of one object, with what the context stage would have said of it."""
    tables = {}
    if host is not None:
        schema = arrow_schema("sherlock_classifications")
        row = {"diaObjectId": 1, **host}
        tables["sherlock_classifications"] = pa.Table.from_pylist([row], schema=schema)
    objects = {"ebv": pa.array([ebv], pa.float32())}
    return dict(enrich(batch_of([curve], "lsst", objects, tables), FeatureResources()).objects.to_pylist()[0])


def blackbody_pair(first: str, second: str, kelvin: float) -> Curve:
    """Two detections of a blackbody 15 minutes apart."""
    flux = {b: 5000.0 * planck_ratio(WAVELENGTH["lsst"][b], 0.62232, kelvin) for b in BANDS}
    return Curve(
        [Point(61000.0, first, flux[first], 10.0), Point(61000.0 + 15 / 1440, second, flux[second], 10.0)]
    )


@pytest.mark.parametrize("order", ["gr", "rg"])
@pytest.mark.parametrize("kelvin", [3.0, 9.0, 25.0])
def test_pair_colour_in_either_order_of_the_bands(order: str, kelvin: float) -> None:
    row = features(blackbody_pair(*order, kelvin))
    expected = -2.5 * math.log10(planck_ratio(0.48269, 0.62232, kelvin))
    assert row["latestPairColourBands"] == "g-r"
    assert row["latestPairColourMag"] == pytest.approx(expected, abs=1e-6)
    assert row["latestPairColourTemp"] == pytest.approx(kelvin, rel=1e-4)
    assert row["latestPairMJD"] == pytest.approx(61000.0 + 7.5 / 1440, abs=1e-9)


def test_pair_colours_have_errors() -> None:
    row = features(blackbody_pair("r", "g", 9.0))
    assert row["latestPairColourMagErr"] == pytest.approx(
        2.5 / math.log(10) * math.hypot(1 / 500, 1 / 487), rel=0.1
    )
    assert 0.0 < row["latestPairColourTempErr"] < 0.2


def test_pair_temperature_is_corrected_for_extinction() -> None:
    curve = blackbody_pair("g", "r", 9.0)
    for point in curve.detections:
        dust = {"g": 3.237, "r": 2.273}[point.band] * 0.2
        point.flux *= 10 ** (-0.4 * dust)
    assert features(curve)["latestPairColourTemp"] < 7.5
    assert features(curve, ebv=0.2)["latestPairColourTemp"] == pytest.approx(9.0, rel=1e-4)


def test_penultimate_pair_is_the_one_before() -> None:
    curve = Curve(blackbody_pair("r", "g", 9.0).detections + blackbody_pair("i", "z", 5.0).detections)
    for point in curve.detections[2:]:
        point.time += 3.0
    row = features(curve)
    assert (row["latestPairColourBands"], row["penultimatePairColourBands"]) == ("i-z", "g-r")
    assert row["penultimatePairColourTemp"] == pytest.approx(9.0, rel=1e-4)


def quiet(number: int = 8) -> list[Point]:
    """A baseline of alternating flux whose sample standard deviation is larger than its errors."""
    return [Point(61000.0 + 5 * k, "r", 1000.0 + 20 * (-1) ** k, 10.0) for k in range(number)]


def test_jump_includes_the_newest_detection() -> None:
    sigma = float(np.std([p.flux for p in quiet()], ddof=1))
    outburst = Point(61060.0, "r", 3000.0, 10.0)
    assert features(Curve([*quiet(), outburst]))["jump1"] == pytest.approx(2000.0 / sigma, rel=1e-6)


def test_jump_of_a_constant_baseline_is_finite() -> None:
    """The scatter of the baseline is never taken below its errors, so nothing is divided by zero."""
    still = [Point(61000.0 + 5 * k, "r", 1000.0, 10.0) for k in range(8)]
    row = features(Curve([*still, Point(61060.0, "r", 1300.0, 10.0)]))
    assert row["jump1"] == pytest.approx(30.0, rel=1e-6)
    assert row["jump2"] is None


def test_jump2_is_the_second_band() -> None:
    green = [Point(p.time + 0.1, "g", p.flux, p.error) for p in quiet()]
    curve = Curve([*quiet(), *green, Point(61060.0, "r", 3000.0), Point(61060.1, "g", 2000.0)])
    row = features(curve)
    assert row["jump1"] == pytest.approx(2 * row["jump2"], rel=1e-6)


BRIGHT = Curve([Point(61000.0, "g", 3000.0, 30.0), Point(61005.0, "r", 20000.0, 100.0)])


def absolute(z: float) -> float:
    """Absolute magnitude of BRIGHT at redshift z without extinction."""
    return (
        31.4
        - 2.5 * math.log10(20000.0)
        - 5 * math.log10(luminosity_distance(z))
        - 25
        + 2.5 * math.log10(1 + z)
    )


def test_absolute_magnitude_with_the_spectroscopic_redshift() -> None:
    row = features(BRIGHT, 0.0, {"classification": "SN", "z": 0.08})
    assert row["absMag"] == pytest.approx(absolute(0.08), abs=2e-5)
    assert row["absMagMJD"] == 61005.0
    assert 0.0 < row["absMagErr"] < 0.1


def test_photo_z_is_used() -> None:
    row = features(BRIGHT, 0.0, {"classification": "SN", "photoZ": 0.08, "photoZErr": 0.02})
    assert row["absMag"] == pytest.approx(absolute(0.08), abs=2e-5)
    assert row["absMagErr"] == pytest.approx(5 / math.log(10) * 0.25, rel=0.05)


def test_the_spectroscopic_redshift_goes_before_photo_z() -> None:
    row = features(BRIGHT, 0.0, {"classification": "SN", "z": 0.08, "photoZ": 0.5})
    assert row["absMag"] == pytest.approx(absolute(0.08), abs=2e-5)


@pytest.mark.parametrize("z_too", [True, False])
def test_k_correction_is_the_same_by_distance_and_by_redshift(z_too: bool) -> None:
    """Its logarithm is the decimal one: 2.5 log10(1.1) is 0.103 mag, not 0.238."""
    host = {"classification": "NT", "best_distance": luminosity_distance(0.1), "z": 0.1 if z_too else None}
    assert features(BRIGHT, 0.0, host)["absMag"] == pytest.approx(absolute(0.1), abs=1e-4)


def test_extinction_brightens() -> None:
    clear, dusty = (features(BRIGHT, ebv, {"classification": "SN", "z": 0.08}) for ebv in (0.0, 0.1))
    assert clear["absMag"] - dusty["absMag"] == pytest.approx(2.273 * 0.1, abs=1e-5)


@pytest.mark.parametrize(
    ("ebv", "host"),
    [
        (0.0, {"classification": "ORPHAN", "z": 0.08, "best_distance": 300.0}),
        (0.0, {"classification": "AGN", "z": 0.08}),
        (0.0, {"classification": "SN"}),
        (0.0, None),
        (None, {"classification": "SN", "z": 0.08}),
    ],
    ids=["orphan", "agn", "no-distance", "no-class", "no-extinction"],
)
def test_no_absolute_magnitude_without_host_distance_and_extinction(
    ebv: float | None, host: Mapping[str, Any] | None
) -> None:
    row = features(BRIGHT, ebv, host)
    assert (row["absMag"], row["absMagErr"], row["absMagMJD"], row["BBBPeakAbsMag"]) == (None,) * 4


def test_a_negative_flux_has_no_magnitude_and_no_error() -> None:
    curve = Curve([Point(61000.0 + k / 100, "gr"[k % 2], -100.0, 10.0) for k in range(12)])
    row = features(curve, 0.0, {"classification": "SN", "z": 0.1})
    for name in ("absMag", "latestPairColourMag", "BBBRiseRate", "r_magSlope"):
        assert row[name] is None


def test_first_detection_is_the_survey_s_if_earlier() -> None:
    """It is read where the survey puts it, not replaced by the first of the year that a packet holds."""
    objects = {"firstDiaSourceMjdTai": pa.array([60000.5])}
    batch = batch_of([BRIGHT], objects=objects)
    assert enrich(batch, FeatureResources()).objects["firstDiaSourceMjdTai"][0].as_py() == 60000.5


def test_times_keep_their_minutes() -> None:
    """Single precision resolves six minutes at such a date."""
    table = enrich(batch_of([BRIGHT]), FeatureResources()).objects
    for name in table.column_names:
        if name.endswith(("MJD", "MjdTai")):
            assert table.schema.field(name).type == pa.float64(), name


def test_no_value_is_nan() -> None:
    curves = [Curve(), BRIGHT, Curve(quiet()), Curve([Point(61000.0, "r", math.nan, math.nan)])]
    for column in enrich(batch_of(curves), FeatureResources()).objects.columns:
        if pa.types.is_floating(column.type):
            values = column.drop_null().to_numpy()
            assert np.isfinite(values).all()


def test_what_the_survey_gave_stands_and_gaps_are_filled() -> None:
    objects = {
        "r_psfFluxMean": pa.array([7.0, None], pa.float32()),
        "nDiaSources": pa.array([50, None], pa.int32()),
    }
    table = enrich(batch_of([BRIGHT, BRIGHT], objects=objects), FeatureResources()).objects
    assert table["r_psfFluxMean"].to_pylist() == [7.0, 20000.0]
    assert table["nDiaSources"].to_pylist() == [50, 2]
