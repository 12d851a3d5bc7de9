"""The kernel that describes light curves, against a slow reference, on whatever hypothesis finds."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.classify._kernel import BAND_VALUES, CURVE_VALUES, describe, unite

sys.path.insert(0, str(Path(__file__).parent))
from curve_reference import Point, described, united

_NUMBERS = st.floats(-1e5, 1e5).filter(lambda x: abs(x) > 1e-3)


@st.composite
def curves(draw: st.DrawFn, found: bool) -> list[Point]:
    times = sorted(draw(st.sets(st.integers(0, 4000), max_size=25)))
    return [
        Point(
            60000.0 + time / 16.0,
            draw(_NUMBERS),
            draw(st.floats(1.0, 1e4)),
            draw(st.integers(-1, 5)),
            found,
        )
        for time in times
    ]


def _columns(points: list[Point]) -> tuple[np.ndarray, ...]:
    return (
        np.array([0, len(points)], np.int64),
        np.array([p.time for p in points], np.float64),
        np.array([p.flux for p in points], np.float64),
        np.array([p.error for p in points], np.float64),
        np.array([p.band for p in points], np.int8),
    )


@settings(max_examples=150, deadline=None)
@given(curves(True), curves(False), st.sampled_from([30.0, 365.0]))
def test_the_kernel_says_what_the_reference_says(
    detections: list[Point], forced: list[Point], window: float
) -> None:
    got = unite(*_columns(detections), *_columns(forced), window)
    expected = united(detections, forced, window)
    seen = [Point(*values) for values in zip(*(c.tolist() for c in got[1:]), strict=True)]
    assert [(p.time, p.flux, p.error, p.band, bool(p.found)) for p in seen] == [
        (p.time, p.flux, p.error, p.band, p.found) for p in expected
    ]
    curve, bands = np.zeros((1, len(CURVE_VALUES))), np.zeros((1, 6, len(BAND_VALUES)))
    describe(*got, curve, bands)
    if not expected:
        assert np.isnan(curve).all()
        assert np.isnan(bands).all()
        return
    said = dict(zip(CURVE_VALUES, curve[0].tolist(), strict=True))
    for name, value in described(expected).items():
        np.testing.assert_allclose(said[name], value, rtol=1e-9, atol=1e-9, err_msg=name)
    number = bands[0, :, BAND_VALUES.index("number")]
    np.testing.assert_array_equal(number, [sum(p.band == band for p in expected) for band in range(6)])
    assert not np.isinf(curve).any()
    assert not np.isinf(bands).any()


def test_a_supernova_and_a_flare_look_different() -> None:
    """A curve of a month, and one of an hour, at the same peak."""
    days = np.arange(0.0, 80.0, 3.0)
    slow = [
        Point(60000 + t, 1e4 * np.exp(-0.5 * ((t - 20) / 12) ** 2), 100.0, int(1 + k % 2), True)
        for k, t in enumerate(days)
    ]
    flare = [Point(60000.0, 1e4, 100.0, 1, True), Point(60000.03, 3e3, 100.0, 1, True)]
    quiet = [Point(60000 + t, 5.0, 100.0, 1, False) for t in (-20.0, -5.0, 2.0, 9.0)]
    values = []
    for detections, forced in ((slow, []), (flare, quiet)):
        curve, bands = np.zeros((1, len(CURVE_VALUES))), np.zeros((1, 6, len(BAND_VALUES)))
        describe(*unite(*_columns(detections), *_columns(forced), 365.0), curve, bands)
        values.append(dict(zip(CURVE_VALUES, curve[0].tolist(), strict=True)))
    supernova, star = values
    assert supernova["widthAboveHalf"] > 20
    assert star["widthAboveHalf"] == 0
    assert star["jumpHour"] > 40 > 0 == supernova["jumpHour"]
    assert star["fadeRate"] > 5 * supernova["fadeRate"]
    assert supernova["riseRate"] > 0
    assert supernova["numPeaks"] == 0
