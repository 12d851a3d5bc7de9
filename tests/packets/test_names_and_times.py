"""Object names, designations and time scales."""

from __future__ import annotations

import datetime
import time

import erfa
import numpy as np
import pytest
from astropy.time import Time
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.packets import (
    is_ztf_object_id,
    jd_utc_to_mjd_tai,
    mjd_tai_now,
    mjd_tai_to_mjd_utc,
    mjd_tai_to_utc,
    mjd_utc_to_mjd_tai,
    posix_micros_to_mjd_tai,
    ztf_object_id,
    ztf_object_name,
)
from lasair_broker.packets._mpc import unpacked_designation

ZTF_NAMES = st.from_regex(r"ZTF[0-9]{2}[a-z]{7}", fullmatch=True)


@given(st.lists(ZTF_NAMES, max_size=5))
def test_ztf_names_come_back(names: list[str]) -> None:
    ids = ztf_object_id(names)
    assert ids.dtype == np.int64
    assert (ids > 0).all()
    assert is_ztf_object_id(ids).all()
    assert ztf_object_name(ids) == names


@given(st.lists(ZTF_NAMES, min_size=2, max_size=8, unique=True))
def test_ztf_numbers_are_distinct_and_in_the_order_of_names(names: list[str]) -> None:
    ids = ztf_object_id(sorted(names))
    assert (np.diff(ids) > 0).all()


@given(st.text(max_size=14).filter(lambda text: not (text.startswith("ZTF") and len(text) == 12)))
def test_other_names_have_no_number(name: str) -> None:
    assert ztf_object_id([name, "ZTF18abyouwp"]).tolist()[0] == 0


@pytest.mark.parametrize(
    "name",
    ["ZTF18abyouw", "ZTF18abyouwpp", "ZTF18Abyouwp", "ztf18abyouwp", "ZTF1babyouwp", "ZTF18abyöuwp", ""],
)
def test_near_misses_have_no_number(name: str) -> None:
    assert ztf_object_id([name]).tolist() == [0]


@given(st.integers(0, 10**18))
def test_numbers_of_lsst_are_not_ztf(number: int) -> None:
    assert not is_ztf_object_id(np.array([number])).any()
    with pytest.raises(ValueError, match=str(number)):
        ztf_object_name([number])


def test_the_ends_of_the_range_of_names() -> None:
    ids = ztf_object_id(["ZTF00aaaaaaa", "ZTF99zzzzzzz"])
    assert ids[0] == 0x5A5446 << 40
    assert is_ztf_object_id(ids + np.array([-1, 1])).tolist() == [False, False]
    assert 6.508e18 < ids[0] < ids[1] < 6.5095e18


@settings(deadline=None)
@given(st.lists(st.floats(41317.0, 61000.0), min_size=1, max_size=20))
def test_utc_to_tai_agrees_with_astropy(mjd: list[float]) -> None:
    expected = Time(mjd, format="mjd", scale="utc").tai.mjd
    # On the day before a leap second astropy stretches UTC; the difference is that second.
    got = mjd_utc_to_mjd_tai(mjd)
    assert np.abs(got - expected).max() < 1.2 / 86400
    calm = np.array([day % 1 < 0.5 for day in mjd])
    assert np.abs(got - expected)[calm].max(initial=0.0) < 0.51 / 86400
    since = np.array(mjd) >= 57754
    assert np.abs(got - expected)[since].max(initial=0.0) < 2e-10


def test_every_leap_second() -> None:
    ours = {
        datetime.date(int(year), int(month), 1).toordinal() - 678576: int(seconds)
        for year, month, seconds in erfa.leap_seconds.get()
        if year >= 1972
    }
    assert len(ours) == 28
    for mjd, seconds in ours.items():
        after = mjd_utc_to_mjd_tai(float(mjd)) - mjd
        before = mjd_utc_to_mjd_tai(mjd - 0.5) - (mjd - 0.5)
        assert round(float(after) * 86400) == seconds
        if mjd > 41317:
            assert round(float(before) * 86400) == seconds - 1


def test_julian_dates_and_posix_times() -> None:
    jd = np.array([2458451.7519213, 2460229.9338542])
    expected = Time(jd, format="jd", scale="utc").tai.mjd
    assert np.abs(jd_utc_to_mjd_tai(jd) - expected).max() < 1e-9
    seconds = np.array([1.6e9, 1.78e9])
    expected = Time(seconds, format="unix").tai.mjd
    assert np.abs(posix_micros_to_mjd_tai(seconds * 1e6) - expected).max() < 1e-10
    assert np.isnan(mjd_utc_to_mjd_tai([np.nan])).all()


@settings(deadline=None)
@given(st.floats(41318.0, 61700.0))
def test_tai_to_utc_agrees_with_astropy(mjd: float) -> None:
    expected = Time(mjd, format="mjd", scale="tai").utc
    if mjd % 1 < 0.5 or mjd > 57760.0:  # on the day before a leap second astropy stretches UTC
        assert abs(float(mjd_tai_to_mjd_utc(mjd)) - expected.mjd) < 2e-10
        said = mjd_tai_to_utc(mjd)
        told = expected.to_datetime(timezone=datetime.UTC)
        assert abs(said - told) < datetime.timedelta(microseconds=2)


def test_there_and_back_over_every_leap_second() -> None:
    starts = np.array([41317.0, 41499.0, 50630.0, 57204.0, 57754.0])
    utc = np.concatenate([starts + seconds / 86400.0 for seconds in (-2.0, 0.0, 1e-3, 2.0)])[1:]
    back = mjd_tai_to_mjd_utc(mjd_utc_to_mjd_tai(utc))
    assert np.abs(back - utc).max() < 1e-10
    assert np.isnan(mjd_tai_to_mjd_utc(np.nan))
    for strange in (1.5e9, np.inf, np.nan):
        with pytest.raises((ValueError, OverflowError)):
            mjd_tai_to_utc(strange)


def test_now() -> None:
    expected = Time(time.time(), format="unix").tai.mjd
    assert abs(mjd_tai_now() - float(expected)) < 5 / 86400


# The Minor Planet Center's own examples of packing.
@pytest.mark.parametrize(
    ("packed", "readable"),
    [
        ("J95X00A", "1995 XA"),
        ("J95X01L", "1995 XL1"),
        ("J95F13B", "1995 FB13"),
        ("J98SA8Q", "1998 SQ108"),
        ("J98SC7V", "1998 SV127"),
        ("J98SG2S", "1998 SS162"),
        ("K99AJ3Z", "2099 AZ193"),
        ("K08Aa0A", "2008 AA360"),
        ("K07Tf8A", "2007 TA418"),
        ("PLS2040", "2040 P-L"),
        ("T1S3138", "3138 T-1"),
        ("T2S1010", "1010 T-2"),
        ("T3S4101", "4101 T-3"),
        ("03202", "3202"),
        ("50000", "50000"),
        ("A0345", "100345"),
        ("a0017", "360017"),
        ("K3289", "203289"),
        ("~0000", "620000"),
        ("~000z", "620061"),
        ("~AZaz", "3140113"),
        ("~zzzz", "15396335"),
        ("2008 DY13", "2008 DY13"),
        ("", ""),
    ],
)
def test_packed_designations(packed: str, readable: str) -> None:
    assert unpacked_designation(packed) == readable
