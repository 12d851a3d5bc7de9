"""Files of other surveys' forced photometry are recognized, and their fluxes and times come out right."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasair_broker.web.errors import Invalid
from lasair_broker.web.photometry.formats import read_file, read_service

_ATLAS_HEAD = (
    "###MJD          m      dm   uJy   duJy F err chi/N   RA       Dec        x        y     maj  min   phi"
    "  apfit mag5sig Sky   Obs"
)
_ATLAS_REST = "1.18  323.37  -0.82  6212.49  9132.04  2.8  2.6  38.2  -0.427 19.33 20.11"
ATLAS = f"""{_ATLAS_HEAD}
57232.5810030  18.031  0.081    223    16 o  0  {_ATLAS_REST} 02a57232o0580o
57232.5951120  18.112  0.095    207    18 c  0  {_ATLAS_REST} 02a57232o0600o
57233.5810030  -17.031  0.081   -50    16 o  0  {_ATLAS_REST} 02a57233o0580o
57234.5810030  14.031  0.081   9999    16 o  1  {_ATLAS_REST} 02a57234o0580o
"""
ZTF = """# Requested input R.A. = 255.5 degrees
# Requested input Dec. = 12.2 degrees
index, field, filter, infobitssci, exptime, zpdiff, jd, forcediffimflux, forcediffimfluxunc, procstatus,
 0  539  ZTF_g  0         30.000  26.1234  2458230.8437847  1234.5  20.5  0
 1  539  ZTF_r  0         30.000  26.0000  2458231.8437847  -12.5  19.5  0
 2  539  ZTF_r  33554432  30.000  26.0000  2458232.8437847  -12.5  19.5  0
 3  539  ZTF_i  0         30.000  26.0000  2458233.8437847  null   null  56
"""
ASASSN = """# ASAS-SN Sky Patrol v2.0
JD,Flux,Flux Error,Mag,Mag Error,Limit,FWHM,Filter,Quality,Camera
2457420.5,1.25,0.05,16.21,0.04,17.8,1.5,V,G,be
2457421.5,0.02,0.06,99.99,99.99,17.8,1.5,g,G,bq
2457422.5,1.25,0.05,16.21,0.04,17.8,1.5,g,B,bq
2457423.5,99.99,99.99,99.99,99.99,99.99,1.5,g,G,bq
"""
IRSA = (
    "oid,expid,hjd,mjd,mag,magerr,catflags,filtercode,ra,dec,exptime\n"
    "1,2,2458202.5,58202.25,16.5,0.01,0,zg,10.0,20.0,30\n"
    "1,2,2458202.5,58203.25,16.6,0.01,32769,zr,10.0,20.0,30\n"
)
PANSTARRS = "filterID,obsTime,psfFlux,psfFluxErr,psfQfPerfect\n4,55300.25,1e-4,2e-6,0.99\n1,1,-999,1,0.99\n"


def test_atlas() -> None:
    found = read_file(ATLAS.encode())
    assert (found.kind, len(found.rows), found.left_out) == ("ATLAS forced photometry", 3, 1)
    assert found.rows[1] == (
        "line 3",
        {"mjd": "57232.5951120", "band": "c", "value": "207", "error": "18", "unit": "uJy",
         "instrument": "ATLAS"},
    )  # fmt: skip
    assert found.rows[2][1]["value"] == "-50", "what is negative is a flux, too"


def test_ztf() -> None:
    found = read_file(ZTF.encode())
    assert (found.kind, len(found.rows), found.left_out) == ("ZTF forced photometry", 2, 2)
    place, first = found.rows[0]
    assert (place, first["band"], first["unit"]) == ("line 4", "g", "nJy")
    # As the service's guide has it: magnitude = zpdiff - 2.5 log10(flux), and AB is 31.4 - 2.5 log10(nJy).
    magnitude = 26.1234 - 2.5 * math.log10(1234.5)
    assert 31.4 - 2.5 * math.log10(float(first["value"])) == pytest.approx(magnitude, abs=1e-9)
    assert float(first["error"]) / float(first["value"]) == pytest.approx(20.5 / 1234.5)
    assert float(first["mjd"]) == pytest.approx(58230.3437847 + 15.0 / 86400.0, abs=1e-8)


def test_asassn() -> None:
    found = read_file(ASASSN.encode())
    assert (found.kind, len(found.rows), found.left_out) == ("ASAS-SN Sky Patrol", 2, 2)
    assert [row["band"] for _, row in found.rows] == ["V", "g"]
    assert float(found.rows[0][1]["mjd"]) == 57420.0


def test_light_curves_of_catalogues() -> None:
    ztf, panstarrs = read_file(IRSA.encode()), read_file(PANSTARRS.encode())
    assert (ztf.kind, ztf.left_out, ztf.rows[0][1]["band"]) == ("ZTF light curves at IRSA", 1, "g")
    assert float(ztf.rows[0][1]["mjd"]) == pytest.approx(58202.25 + 15.0 / 86400.0, abs=1e-9)
    assert (panstarrs.kind, panstarrs.left_out) == ("Pan-STARRS DR2 detections", 1)
    assert [panstarrs.rows[0][1][name] for name in ("band", "unit", "scale")] == ["z", "Jy", "tai"]
    empty = read_service(IRSA.splitlines()[0].encode())
    assert empty is not None
    assert empty.rows == []
    assert read_service(b"mjd,band,value,error,unit\n") is None


def test_our_own_columns_as_before() -> None:
    found = read_file(b"mjd,band,value,error,unit\n60321.25,r,19.82,0.05,mag(AB)\n")
    assert (found.kind, found.left_out, found.rows[0][1]["band"]) == ("", 0, "r")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (ATLAS.replace(" 02a57232o0580o", ""), "line 2.*values, the header"),
        (
            ATLAS.replace("57232.5951120  18.112  0.095    207", "57232.5951120 18.112 0.095 x"),
            "line 3.*read",
        ),
        (ZTF.replace("zpdiff", "zp"), "no column zpdiff"),
        (ATLAS.splitlines()[0], "no points"),
        ("\n".join(ZTF.splitlines()[:3] + ZTF.splitlines()[-1:]), "only 1 that it marks"),
        (ASASSN + "1,2\n", "line 7.*2 values"),
        (IRSA.replace(",exptime", ""), "no column exptime"),
        (IRSA.replace(",0,zg", ",x,zg"), "line 2.*cannot be read"),
        (PANSTARRS + "1,2\n", "line 4.*2 values"),
        ("JD,Flux\n1,2\n", "is no column"),
    ],
)
def test_what_is_wrong_is_told(text: str, told: str) -> None:
    with pytest.raises(Invalid, match=told):
        read_file(text.encode())


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda b: b.decode("latin-1")), st.integers(0, 4))
def test_any_text_is_read_or_refused(text: str, which: int) -> None:
    head = (ATLAS.splitlines()[0], "\n".join(ZTF.splitlines()[:3]), ASASSN.splitlines()[1],
            IRSA.splitlines()[0], PANSTARRS.splitlines()[0])[which]  # fmt: skip
    try:
        found = read_file(f"{head}\n{text}".encode(errors="replace"))
    except Invalid:
        return
    assert found.rows


def test_a_file_is_put_on_the_light_curve(visitor: Callable[..., Any], people: Any, key: int) -> None:
    from lasair_broker.web.photometry import services

    client = visitor(people.atlas_user, htmx=True)
    upload = io.BytesIO(ATLAS.encode())
    upload.name = "job.txt"
    given = {"name": "ATLAS", "provenance": "the service", "visibility": "private", "file": upload}
    answer = client.post(f"/objects/{key}/points/", given)
    assert answer.status_code == 200
    assert "1 of its rows are bad" in answer.headers["HX-Trigger"]
    points = services.of_objects(people.atlas_user, [key])
    assert points["psfFlux"].to_pylist() == [223e3, 207e3, -50e3]
    assert set(points["instrument"].to_pylist()) == {"ATLAS"}
    assert points["midpointMjdTai"][0].as_py() == pytest.approx(57232.5810030 + 36.0 / 86400.0, abs=1e-8)
