"""Our own client against a running site."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from site_under_test import Site

from lasair_broker.archive import open_archive
from lasair_broker.client import Lasair, LasairError


@pytest.fixture(autouse=True)
def database() -> None:
    """The site has a user database of its own."""


@pytest.fixture(scope="module")
def token(site: Site) -> str:
    site.lasair("user", "create", "carl")
    return site.lasair("user", "token", "carl")


@pytest.fixture
def client(site: Site, token: str) -> Iterator[Lasair]:
    with Lasair(site.address, token) as opened:
        yield opened


@pytest.fixture(scope="module")
def known(site: Site) -> dict[str, Any]:
    with open_archive(site.folder, read_only=True) as archive:
        number = archive.query(
            "SELECT diaObjectId FROM objects ORDER BY nDiaSources DESC, diaObjectId LIMIT 1"
        )
        row: dict[str, Any] = archive.object(number.column(0)[0].as_py()).to_pylist()[0]
        row["curve"] = archive.light_curve(row["diaObjectId"])
        return row


def test_reading(client: Lasair, known: dict[str, Any]) -> None:
    number, curve = known["diaObjectId"], known["curve"]
    found = client.object(number)
    assert {name: found[name] for name in ("diaObjectId", "ra", "nDiaSources")} == {
        name: known[name] for name in ("diaObjectId", "ra", "nDiaSources")
    }
    assert client.light_curve(number, columns=["all"]).to_arrow().equals(curve.diaSources)
    assert (
        client.light_curves([number], "diaForcedSources", ["all"]).to_arrow().equals(curve.diaForcedSources)
    )
    assert client.cone(known["ra"], known["decl"]).to_list()[0]["diaObjectId"] == number
    few = client.query("SELECT diaObjectId, tns_name, ra FROM objects", limit=3)
    assert (len(few), few.truncated) == (3, True)
    frame = few.to_pandas()
    assert frame.diaObjectId.tolist() == few.arrow["diaObjectId"].to_pylist()
    table = few.to_astropy()
    assert np.asarray(table["ra"]).tolist() == few.arrow["ra"].to_pylist()
    assert table["tns_name"].mask.all()
    assert client.objects([number], ["ra"]).to_list() == [{"ra": known["ra"]}]
    last = curve.diaSources["diaSourceId"][-1].as_py()
    assert client.cutout(last, "Science").startswith(b"SIMPLE")
    assert client.context(known["ra"], known["decl"])["classification"]
    assert client.of_object(number, "sherlock_classifications").to_list()
    assert client.account()["username"] == "carl"
    assert client.status()["tables"]


def test_queries_in_the_background(client: Lasair) -> None:
    text = "SELECT diaObjectId, ra FROM objects ORDER BY diaObjectId"
    job = client.submit(text, name="mine", limit=7)
    found = client.result(job, wait=60.0)
    assert found.truncated
    assert found.to_arrow().to_pylist() == client.query(text, limit=7).to_arrow().to_pylist()
    client.cancel(job)  # which has ended: nothing happens
    with pytest.raises(LasairError, match="there is no query 999999"):
        client.result(999_999)
    with pytest.raises(LasairError, match="did you mean ra"):
        client.submit("SELECT raa FROM objects")


def test_making(client: Lasair, known: dict[str, Any], tmp_path: Path) -> None:
    made = client.create_filter("f", "SELECT ra FROM objects WHERE nDiaSources > 100000")
    assert client.preview_filter(made["id"])["count"] == 0
    assert client.activate_filter(made["id"])["state"] == "active"
    assert [found["name"] for found in client.every("filters")] == ["f"]
    assert list(client.every(f"filters/{made['id']}/hits")) == []
    file = tmp_path / "w.csv"
    file.write_text("ra,dec,name\n10,-20,a\n")
    assert client.create_watchlist("w", file, active=True)["active"]
    file.write_text("ra,dec,name\n10,-95,a\n")
    with pytest.raises(LasairError) as error:
        client.create_watchlist("v", file)
    assert error.value.status == 400
    assert error.value.faults


def test_speaking_of_objects(client: Lasair, known: dict[str, Any], tmp_path: Path) -> None:
    number = known["diaObjectId"]
    assert client.comment(number, "a nova?")["visibility"] == "private"
    assert [comment["text"] for comment in client.comments(number)] == ["a nova?"]
    point = {"diaObjectId": number, "mjd": 60000.5, "band": "r", "value": 19.0, "error": 0.1}
    about = {"name": "mine", "provenance": "our telescope", "instrument": "NTT"}
    client.add_photometry([{**point, "unit": "mag(AB)"}], **about)
    file = tmp_path / "points.csv"
    file.write_text(f"diaObjectId,mjd,band,value,error,unit\n{number},60001,g,3.5,0.5,uJy\n")
    client.add_photometry(file, **about)
    points = client.photometry(number).to_list()
    assert [(p["band"], p["unit"], p["instrument"]) for p in points] == [
        ("r", "mag(AB)", "NTT"),
        ("g", "uJy", "NTT"),
    ]
    with pytest.raises(LasairError) as error:
        client.add_photometry([{**point, "unit": "counts"}], **about)
    assert error.value.faults[0][0] == "row 1, unit"


def test_following(site: Site, client: Lasair) -> None:
    with open_archive(site.folder, read_only=True) as archive:
        newest = archive.query("SELECT max(committedMjdTai) AS t FROM alerts")["t"][0].as_py()
    news = next(client.follow_objects(after=repr(newest - 1e-3)))
    assert float(news["id"]) == newest
    assert 0 < len(news["objects"]) <= news["count"]
    known = client.object(news["objects"][0]["diaObjectId"])
    assert known["objectName"] == news["objects"][0]["objectName"]


def test_errors(site: Site, client: Lasair) -> None:
    with pytest.raises(LasairError, match="404: there is no object 1") as missing:
        client.object(1)
    assert missing.value.status == 404
    with pytest.raises(LasairError, match="raa"):
        client.query("SELECT raa FROM objects")
    with Lasair(site.address, "0" * 40) as stranger, pytest.raises(LasairError, match="401"):
        stranger.account()
    with Lasair("http://127.0.0.1:1") as nobody, pytest.raises(LasairError, match="does not answer"):
        nobody.status()
