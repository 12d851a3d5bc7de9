"""Positions and links, held to astropy."""

from __future__ import annotations

from typing import Any

import pytest
from astropy import units
from astropy.coordinates import Angle, BarycentricMeanEcliptic, SkyCoord
from hypothesis import example, given
from hypothesis import strategies as st

from lasair_broker.sky import sexagesimal
from lasair_broker.web.objects.links import links_of
from lasair_broker.web.objects.places import Place, ecliptic_coordinates

_RA = st.floats(0.0, 360.0, exclude_max=True)
_DECL = st.floats(-90.0, 90.0)


@given(_RA, _DECL)
@example(0.0, 90.0)
@example(359.9999999, -0.00001)
@example(14.99999999, -59.99999999)
def test_sexagesimal_is_what_astropy_writes(ra: float, decl: float) -> None:
    hours, degrees = Place(ra, decl).sexagesimal.split()
    exact = Angle(ra, "deg").hour
    assert abs((Angle(hours, "hourangle").hour - exact + 12.0) % 24.0 - 12.0) * 3600 <= 0.005 + 1e-6
    assert abs(Angle(degrees, "deg").degree - decl) * 3600 <= 0.05 + 1e-6
    for text in (hours, degrees):
        whole, minutes, seconds = text.split(":")
        assert len(whole.lstrip("+-")) == len(minutes) == 2
        assert float(seconds) < 60.0
        assert int(minutes) < 60
    assert degrees[0] in "+-"


def test_rounding_carries() -> None:
    assert sexagesimal(23.9999999999, 2) == "00:00:00.00"
    assert sexagesimal(1.9999999999, 1, sign=True) == "+02:00:00.0"
    assert sexagesimal(-0.5, 1, sign=True) == "-00:30:00.0"


@given(_RA, st.floats(-89.9, 89.9))
def test_ecliptic_coordinates_are_astropys(ra: float, decl: float) -> None:
    longitude, latitude = ecliptic_coordinates(ra, decl)
    found = SkyCoord(longitude, latitude, unit="deg", frame=BarycentricMeanEcliptic(equinox="J2000"))
    true = SkyCoord(ra, decl, unit="deg").transform_to(BarycentricMeanEcliptic(equinox="J2000"))
    # ICRS and the mean equator of J2000 differ by 0.02".
    assert found.separation(true) < 0.05 * units.arcsec
    assert 0.0 <= longitude < 360.0


def _known(**more: Any) -> dict[str, Any]:
    known = {"ra": 10.25, "decl": -20.5, "survey": "lsst", "diaObjectId": 77, "objectName": "77"}
    return {**known, "tns_name": None, **more}


def test_links_go_to_the_place() -> None:
    links = dict(links_of(_known(), {}))
    assert "10.250000" in links["SIMBAD"]
    assert "-20.500000" in links["Legacy Surveys"]
    assert links["Fink"].endswith("/77")
    assert "search" in links["TNS"]
    assert all(address.startswith("https://") and "{" not in address for address in links.values())


def test_a_named_transient_is_linked_by_its_name() -> None:
    assert dict(links_of(_known(tns_name="2023ixf"), {}))["TNS"].endswith("/object/2023ixf")


def test_an_installation_adds_replaces_and_removes_links() -> None:
    links = dict(
        links_of(
            _known(survey="ztf", objectName="ZTF18abc"),
            {"Ours": "https://example.org/{objectName}?ra={ra}", "NED": "", "SIMBAD": "https://example.org/"},
        )
    )
    assert links["Ours"] == "https://example.org/ZTF18abc?ra=10.250000"
    assert "NED" not in links
    assert links["SIMBAD"] == "https://example.org/"
    assert "Lasair-ZTF" in links


@pytest.mark.parametrize("name", ["a/../b", 'x"onmouseover=', "<script>", "{ra}"])
def test_names_are_quoted_in_links(name: str) -> None:
    for _, address in links_of(_known(objectName=name, tns_name=name, survey="ztf"), {}):
        assert not set(address) & set('"<> ')
        assert name not in address
