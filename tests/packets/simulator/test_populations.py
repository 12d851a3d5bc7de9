"""Light curves of each class against what is known of the class, and the tools they are made with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from astropy import units
from astropy.cosmology import FlatLambdaCDM
from astropy.modeling.models import BlackBody
from pyarrow import csv

from lasair_broker.packets.simulator import POPULATIONS, simulate_light_curves
from lasair_broker.packets.simulator._cosmology import distance_modulus, draw_redshifts, events_per_year
from lasair_broker.packets.simulator._spectra import (
    WAVELENGTH_NM,
    ab_flux,
    ab_magnitude,
    blackbody_flux,
    blackbody_log_ratio,
)
from lasair_broker.packets.simulator.populations import Parameters, Place, Population

PLACE = Place(area_deg2=10.0, galactic_latitude=-45.0, mjd_first=61315.0, mjd_last=61680.0)
U, G, R, I, Z, Y = range(6)  # noqa: E741 - the bands' own names
Float64 = npt.NDArray[np.float64]


def _population(name: str, kind: str = "") -> Population:
    return next(p for p in POPULATIONS if p.name == name and kind in type(p).__name__)


def _draw(name: str, n: int = 400, kind: str = "", **fixed: float) -> tuple[Population, Parameters]:
    population = _population(name, kind)
    p = population.draw(np.random.default_rng(5), n, PLACE)
    for parameter, value in fixed.items():
        p[parameter] = np.full(n, value)
    return population, p


def _keys(p: Parameters) -> npt.NDArray[np.uint64]:
    n = len(next(iter(p.values())))
    return np.arange(n, dtype=np.uint64) * np.uint64(7919) + np.uint64(99)


def _magnitudes(population: Population, p: Parameters, mjd: Float64, band: int) -> Float64:
    """AB magnitudes, shape (objects, times)."""
    flux = population.light_curves(p, _keys(p), mjd, np.full(len(mjd), band, np.int8))
    return ab_magnitude(flux)


@pytest.mark.parametrize("population", POPULATIONS, ids=lambda p: f"{p.name} {type(p).__name__}")
def test_every_flux_is_finite_and_a_function_of_object_and_time_alone(population: Population) -> None:
    p = population.draw(np.random.default_rng(1), 60, PLACE)
    key = _keys(p)
    mjd = np.sort(np.random.default_rng(2).uniform(61100.0, 61700.0, 80))
    band = np.random.default_rng(3).integers(0, 6, 80).astype(np.int8)
    whole = population.light_curves(p, key, mjd, band)
    assert np.isfinite(whole).all()
    if not population.difference_only:
        assert (whole >= 0.0).all()
    some = population.light_curves(p, key, mjd[40:], band[40:])
    np.testing.assert_array_equal(some, whole[:, 40:])
    few = population.light_curves({k: v[7:9] for k, v in p.items()}, key[7:9], mjd, band)
    np.testing.assert_allclose(few, whole[7:9], rtol=1e-12)
    assert population.light_curves({k: v[:0] for k, v in p.items()}, key[:0], mjd, band).shape == (0, 80)


def test_distances_and_volumes_agree_with_astropy() -> None:
    other = FlatLambdaCDM(H0=70.0, Om0=0.3, Tcmb0=0.0)
    z = np.array([0.003, 0.05, 0.3, 1.0, 4.0])
    np.testing.assert_allclose(distance_modulus(z), other.distmod(z).value, atol=2e-4)
    expected = 1e-5 * other.comoving_volume(0.5).value * 10.0 / 41252.96
    # No evolution and no dilation, but for 1 / (1 + z): between the two.
    found = events_per_year(1e-5, 1.0, 0.5, 10.0)
    assert found == pytest.approx(expected, rel=2e-3)


def test_redshifts_follow_the_volume() -> None:
    z = draw_redshifts(np.random.default_rng(1), 200_000, 1.0, 0.8)
    other = FlatLambdaCDM(H0=70.0, Om0=0.3, Tcmb0=0.0)
    for limit in (0.2, 0.4, 0.6):
        share = other.comoving_volume(limit).value / other.comoving_volume(0.8).value
        assert np.mean(z < limit) == pytest.approx(share, abs=0.005)


def test_black_bodies_agree_with_astropy() -> None:
    nm = WAVELENGTH_NM * units.nm
    for temperature in (3000.0, 9000.0, 30000.0):
        other = BlackBody(temperature * units.K)(nm.to(units.Hz, units.spectral()))
        ours = 10.0 ** blackbody_log_ratio(WAVELENGTH_NM, WAVELENGTH_NM[2], np.full(6, temperature))
        np.testing.assert_allclose(ours, (other / other[2]).value, rtol=1e-6)
    # A sun at 10 pc has absolute magnitude about 4.7 in r.
    z_10pc = 1e-5 * 70.0 / 299792.458
    flux = blackbody_flux(np.array([3.828e33]), np.array([5772.0]), np.array([z_10pc]), WAVELENGTH_NM[2:3])
    assert ab_magnitude(flux)[0] == pytest.approx(4.7, abs=0.15)


def test_ia_peaks_at_minus_19_3_and_declines_by_1_1_in_15_days() -> None:
    z = 0.01
    population, p = _draw(
        "SN Ia", redshift=z, mjd0=61500.0, hostReddening=0.0, stretch=1.0, temperatureFactor=1.0
    )
    days = np.arange(-25.0, 90.0, 0.25)
    mjd = 61500.0 + days * (1.0 + z)
    g, r, i = (_magnitudes(population, p, mjd, band) for band in (G, R, I))
    absolute = g.min(axis=1) - distance_modulus(z)
    assert np.median(absolute) == pytest.approx(-19.3, abs=0.2)
    assert 0.05 < absolute.std() < 0.3
    peak = days[g.argmin(axis=1)]
    assert np.all(np.abs(peak) < 2.0)
    at15 = g[0, np.searchsorted(days, 15.0)] - g[0].min()
    assert 0.75 < at15 < 1.3
    # Not there before explosion; blue at peak, red a month later; a second maximum in i.
    assert np.all(np.isinf(g[:, days < -18.5]))
    seen = days > -17.0
    colour = np.full(len(days), np.nan)
    colour[seen] = g[0][seen] - r[0][seen]
    assert -0.5 < colour[np.searchsorted(days, 0.0)] < 0.15
    assert 0.6 < colour[np.searchsorted(days, 30.0)] < 1.6
    late = (days > 12.0) & (days < 35.0)
    slope = np.diff(i[0][late])
    assert slope.min() < 0.0 < slope.max()


def test_brighter_ia_are_slower() -> None:
    population, p = _draw("SN Ia", 3000, redshift=0.05)
    assert np.corrcoef(p["absoluteMagnitude"], p["stretch"])[0, 1] < -0.5
    assert population.name == "SN Ia"


def test_ii_has_a_plateau_and_then_falls() -> None:
    population, p = _draw(
        "SN II",
        redshift=0.01,
        mjd0=61500.0,
        plateau=95.0,
        stretch=1.0,
        hostReddening=0.0,
        temperatureFactor=1.0,
    )
    at = 61500.0 + 1.01 * np.array([10.0, 80.0, 125.0])
    r = _magnitudes(population, p, at, R)[0]
    assert abs(r[1] - r[0]) < 0.8
    assert r[2] - r[1] > 1.3
    g = _magnitudes(population, p, at, G)[0]
    assert (g - r)[1] > (g - r)[0] + 0.2


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("SN Ibc", -19.0, -16.5), ("SN II", -18.2, -15.8), ("SN IIn", -20.0, -17.5), ("SLSN", -23.0, -20.8),
    ],
)  # fmt: skip
def test_supernovae_have_the_luminosities_of_their_type(name: str, low: float, high: float) -> None:
    population, p = _draw(name, redshift=0.1, mjd0=61500.0)
    mjd = 61500.0 + np.arange(-60.0, 60.0, 1.0)
    absolute = _magnitudes(population, p, mjd, R).min(axis=1) - distance_modulus(0.1)
    assert low < np.median(absolute) < high


def test_superluminous_are_slow_and_hot() -> None:
    slow, p = _draw("SLSN", redshift=0.1, mjd0=61500.0)
    normal, q = _draw("SN Ibc", redshift=0.1, mjd0=61500.0)
    mjd = 61500.0 + np.arange(-70.0, 150.0, 1.0)

    def width(population: Population, parameters: Parameters) -> float:
        m = _magnitudes(population, parameters, mjd, R)
        return float(np.median((m < m.min(axis=1, keepdims=True) + 1.0).sum(axis=1)))

    assert width(slow, p) > 1.6 * width(normal, q)
    colour = [
        np.median(_magnitudes(a, b, mjd[70:71], G) - _magnitudes(a, b, mjd[70:71], R))
        for a, b in ((slow, p), (normal, q))
    ]
    assert colour[0] < colour[1] - 0.2


def test_a_kilonova_with_the_numbers_of_at2017gfo_looks_like_it(data_folder: Path) -> None:
    rows = csv.read_csv(data_folder / "labelled" / "rare" / "kilonova_AT2017gfo.csv").to_pandas()
    rows["magnitude"] = rows["zp"] - 2.5 * np.log10(rows["flux"])
    rows = rows[rows["flux"] > 0]
    rows["days"] = rows["mjd"] - 57982.528  # GW170817
    population, p = _draw(
        "kilonova",
        redshift=0.0098,
        mjd0=57982.528,
        logLuminosity=41.8,
        temperature=6100.0,
        redFraction=0.3,
    )
    compared = 0
    for band, name in ((G, "ps1::g"), (R, "ps1::r"), (I, "ps1::i"), (Z, "ps1::z"), (Y, "ps1::y")):
        seen = rows[(rows["filter"] == name) & rows["days"].between(1.0, 6.0)].sort_values("days")
        model = _magnitudes(population, p, seen["mjd"].to_numpy(), band)[0]
        difference = model - seen["magnitude"].to_numpy()
        assert np.abs(difference).max() < 1.4, name
        assert abs(np.median(difference)) < 0.75, name
        compared += len(seen)
    assert compared > 30


def test_kilonovae_fade_within_days_and_redden() -> None:
    population, p = _draw("kilonova", redshift=0.05, mjd0=61500.0)
    at = 61500.0 + 1.05 * np.array([0.5, 1.5, 4.5, 10.5])
    g, i = (_magnitudes(population, p, at, band) for band in (G, I))
    assert np.median(g[:, 2] - g[:, 0]) > 3.5
    assert (g[:, 2] - g[:, 0]).min() > 1.5
    assert np.all((g - i)[:, 2] > (g - i)[:, 0] + 0.7)


def test_afterglows_are_power_laws_and_orphans_rise() -> None:
    on, p = _draw(
        "GRB afterglow", redshift=1.0, mjd0=61500.0, breakDays=1000.0, spectralSlope=0.8, magnitude=20.0
    )
    r = _magnitudes(on, p, 61500.0 + 2.0 * np.array([0.1, 1.0, 10.0]), R)[0]
    assert r[1] == pytest.approx(20.0, abs=0.05)
    np.testing.assert_allclose(np.diff(r), 2.5, atol=0.05)
    late, q = _draw("GRB afterglow", redshift=1.0, mjd0=61500.0, breakDays=0.01, spectralSlope=0.8)
    r = _magnitudes(late, q, 61500.0 + 2.0 * np.array([0.5, 5.0]), R)[0]
    assert r[1] - r[0] == pytest.approx(2.5 * 2.2, abs=0.1)
    orphan, o = _draw("orphan afterglow", redshift=0.5, mjd0=61500.0, breakDays=5.0)
    m = _magnitudes(orphan, o, 61500.0 + 1.5 * np.array([0.5, 5.0, 40.0]), R)[0]
    assert m[0] > m[1] + 2.0
    assert m[2] > m[1] + 2.0


def test_tidal_disruptions_stay_blue_and_fall_as_five_thirds() -> None:
    population, p = _draw("TDE", redshift=0.1, mjd0=61500.0)
    mjd = 61500.0 + 1.1 * np.array([0.0, 50.0, 250.0])
    g, r = (_magnitudes(population, p, mjd, band) for band in (G, R))
    np.testing.assert_allclose((g - r)[:, 0], (g - r)[:, 2], atol=1e-6)
    assert (g - r).max() < 0.1
    fall = p["fall"]
    expected = 2.5 * 5.0 / 3.0 * np.log10((1.0 + 250.0 / fall) / (1.0 + 50.0 / fall))
    np.testing.assert_allclose(g[:, 2] - g[:, 1], expected, atol=1e-6)


def test_periodic_stars_repeat_exactly() -> None:
    population, p = _draw("variable star", 300)
    rng = np.random.default_rng(1)
    for band in (G, I):
        mjd = rng.uniform(61300.0, 61600.0, 300)
        row = np.arange(300)
        code = np.full(300, band, np.int8)
        first = population.flux(p, _keys(p), row, mjd, code)
        again = population.flux(p, _keys(p), row, mjd + 17.0 * p["period"], code)
        half = population.flux(p, _keys(p), row, mjd + 0.37 * p["period"], code)
        np.testing.assert_allclose(again, first, rtol=1e-6)
        assert np.mean(np.abs(half / first - 1.0) > 0.005) > 0.8


def test_rr_lyrae_are_bluer_when_bright_and_miras_are_red() -> None:
    population, p = _draw("variable star", 4000)
    names = np.array(population.subclasses)[p["subclass"].astype(int)]
    lyrae, mira = np.flatnonzero(names == "RRab")[:20], np.flatnonzero(names == "Mira")[:5]
    q = {k: v[lyrae] for k, v in p.items()}
    mjd = np.linspace(61500.0, 61502.0, 400)
    g, i = (_magnitudes(population, q, mjd, band) for band in (G, I))
    for a, b in zip(g, i, strict=True):
        assert 0.35 < np.ptp(a) < 2.0
        assert (a - b)[a.argmin()] < (a - b)[a.argmax()] - 0.1
    assert np.all((q["period"] > 0.3) & (q["period"] < 1.0))
    q = {k: v[mira] for k, v in p.items()}
    mjd = np.linspace(61300.0, 62000.0, 200)
    g, i = (_magnitudes(population, q, mjd, band) for band in (G, I))
    assert np.all(np.median(g - i, axis=1) > 2.0)
    assert np.all(np.ptp(g, axis=1) > 2.0)


def test_eclipses_are_dips_below_a_steady_level() -> None:
    population, p = _draw("variable star", 3000)
    names = np.array(population.subclasses)[p["subclass"].astype(int)]
    one = {k: v[names == "EA"][:30] for k, v in p.items()}
    phase = np.linspace(0.0, 1.0, 1000, endpoint=False)
    for k in range(30):
        star = {name: v[k : k + 1] for name, v in one.items()}
        m = _magnitudes(population, star, 61500.0 + phase * star["period"][0], R)[0]
        assert np.median(m) - m.min() < 0.05 * np.ptp(m)
        assert np.mean(m > m.min() + 0.5 * np.ptp(m)) < 0.25


def test_microlensing_is_paczynski_and_achromatic() -> None:
    population, p = _draw("microlensing", mjd0=61500.0, einsteinDays=20.0, impact=0.1, sourceFraction=1.0)
    days = np.linspace(-100.0, 100.0, 401)
    flux = [
        population.light_curves(p, _keys(p), 61500.0 + days, np.full(len(days), band, np.int8))
        for band in range(6)
    ]
    base = [
        population.light_curves(p, _keys(p), np.array([51500.0]), np.full(1, band, np.int8))
        for band in range(6)
    ]
    u = np.hypot(0.1, days / 20.0)
    expected = (u**2 + 2.0) / (u * np.sqrt(u**2 + 4.0))
    for f, b in zip(flux, base, strict=True):
        np.testing.assert_allclose(f / b, np.broadcast_to(expected, f.shape), rtol=1e-4)
    assert expected.max() == pytest.approx(10.037, abs=0.01)
    # Symmetric in time, and less with blending.
    np.testing.assert_allclose(flux[2], flux[2][:, ::-1], rtol=1e-9)
    blended = {**p, "sourceFraction": np.full(400, 0.5)}
    half = population.light_curves(blended, _keys(p), np.array([61500.0]), np.full(1, R, np.int8))
    np.testing.assert_allclose(half / base[R], 0.5 * expected.max() + 0.5, rtol=1e-3)


def test_agn_walk_has_the_structure_function_of_a_damped_random_walk() -> None:
    population, p = _draw(
        "AGN", 4000, tau=100.0, structure=0.3, magnitude=20.0, spectralSlope=-0.5, redshift=1.0
    )
    lags = np.array([1.0, 10.0, 50.0, 200.0, 1500.0])
    mjd = np.concatenate([[58000.0], 58000.0 + lags])
    m = _magnitudes(population, p, mjd, G)
    found = np.sqrt(np.mean((m[:, 1:] - m[:, :1]) ** 2, axis=0))
    expected = 0.3 * np.sqrt(1.0 - np.exp(-lags / 100.0))
    np.testing.assert_allclose(found, expected, rtol=0.09)
    # Redder bands vary less, and with the blue ones.
    y = _magnitudes(population, p, mjd, Y)
    ratio = (y[:, 4] - y[:, 0]).std() / (m[:, 4] - m[:, 0]).std()
    assert ratio == pytest.approx((971.2 / 482.7) ** -0.48, rel=0.02)


def test_cataclysmic_variables_have_outbursts_of_magnitudes() -> None:
    population, p = _draw("CV", 2000)
    dwarf = p["subclass"] == 0
    p = {k: v[dwarf][:300] for k, v in p.items()}
    mjd = np.arange(61000.0, 61365.0, 0.5)
    m = _magnitudes(population, p, mjd, G)
    quiet = np.percentile(m, 95, axis=1)
    rise = quiet - m.min(axis=1)
    often = p["recurrence"] < 150.0
    assert np.median(rise[often]) > 1.5
    assert np.mean(rise[often] > 1.0) > 0.9
    assert rise.max() < 10.0
    bright = np.mean(m < quiet[:, None] - 1.0, axis=1)
    assert np.median(bright[p["recurrence"] > 300.0]) < 0.15
    # Blue in outburst.
    i = _magnitudes(population, p, mjd, I)
    at = m.argmin(axis=1)
    colour = (m - i)[np.arange(300), at]
    assert np.median(colour[rise > 2.0]) < 0.1


def test_x_ray_binaries_rise_fast_and_decay_slowly() -> None:
    population, p = _draw("XRB", 200)
    mjd = np.arange(60000.0, 62500.0, 1.0)
    m = _magnitudes(population, p, mjd, R)
    peak = m.argmin(axis=1)
    checked = 0
    for k in range(200):
        level = m[k].min() + 1.0
        if not 60 < peak[k] < len(mjd) - 120 or np.ptp(m[k]) < 3.0:
            continue
        before = peak[k] - np.flatnonzero(m[k][: peak[k]] > level)[-1]
        after = np.flatnonzero(m[k][peak[k] :] > level)[0]
        checked += before < after
    assert checked > 60


def test_flares_last_minutes_to_hours_and_are_hot() -> None:
    population, p = _draw("eruptive star", 50, "Flaring", chance=1.0, minutes=10.0, strength=1.0)
    mjd = 61500.7 + np.arange(0.0, 1.0, 1.0 / 1440.0)
    u, i = (_magnitudes(population, p, mjd, band) for band in (U, I))
    quiet = np.median(u, axis=1, keepdims=True)
    assert np.all(quiet[:, 0] - u.min(axis=1) > 1.0)
    lasts = (u < quiet - 0.5).sum(axis=1)
    assert np.all(lasts > 2)
    assert np.median(lasts) < 240
    at = u.argmin(axis=1)
    rows = np.arange(50)
    assert np.all((u - i)[rows, at] < np.median(u - i, axis=1) - 1.0)


def test_young_stars_brighten_over_months() -> None:
    population, p = _draw("eruptive star", 200, "Young", mjd0=61500.0)
    m = _magnitudes(population, p, np.array([61000.0, 61500.0, 61700.0]), R)
    fu_ori = p["subclass"] == 0
    assert np.median((m[:, 0] - m[:, 2])[fu_ori]) > 3.0
    assert np.all((m[:, 0] - m[:, 1])[~fu_ori] > 0.5)


def test_supernovae_of_different_types_differ_in_colour() -> None:
    hot, p = _draw("TDE", redshift=0.05, mjd0=61500.0)
    cold, q = _draw("SN Ia", redshift=0.05, mjd0=61500.0)
    at = np.array([61530.0])
    tde = np.median(_magnitudes(hot, p, at, U) - _magnitudes(hot, p, at, G))
    ia = np.median(_magnitudes(cold, q, at, U) - _magnitudes(cold, q, at, G))
    assert ia - tde > 1.0


def test_training_sets_have_what_was_asked_for() -> None:
    made = simulate_light_curves(
        {"SN Ia": 30, "variable star": 25, "eruptive star": 10}, seed=2, num_fields=4
    )
    counts = {
        r["class"]: r["n"]
        for r in made.objects.group_by("class")
        .aggregate([("id", "count")])
        .rename_columns(["class", "n"])
        .to_pylist()
    }
    assert counts == {"SN Ia": 30, "variable star": 25, "eruptive star": 10}
    points = made.points.to_pandas()
    assert points.groupby("id")["detected"].sum().min() >= 2
    assert set(points["id"]) == set(made.objects["id"].to_pylist())
    assert points["psfFluxErr"].min() > 0.0
    # No supernova is in the template; variable stars are, brighter or fainter.
    negative = points[points["detected"]].groupby("id")["psfFlux"].apply(lambda f: (f < 0).mean())
    kinds = np.array(made.objects["class"].to_pylist())[negative.index]
    assert negative[kinds == "SN Ia"].mean() < 0.01
    assert 0.2 < negative[kinds == "variable star"].mean() < 0.8
    again = simulate_light_curves(
        {"SN Ia": 30, "variable star": 25, "eruptive star": 10}, seed=2, num_fields=4
    )
    assert again.points.equals(made.points)
    with pytest.raises(ValueError, match="no class 'SN'"):
        simulate_light_curves({"SN": 1})


def test_magnitudes_and_fluxes_are_inverse() -> None:
    m = np.linspace(10.0, 28.0, 50)
    np.testing.assert_allclose(ab_magnitude(ab_flux(m)), m, atol=1e-12)
    assert ab_flux(31.4) == 1.0
    assert np.isinf(ab_magnitude(np.array([0.0, -5.0]))).all()
