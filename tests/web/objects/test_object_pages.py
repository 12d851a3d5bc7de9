"""The pages of objects as Django answers them: what is there, for whom, and what is not."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import fastavro
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from astropy.io.votable import parse_single_table
from PIL import Image

from lasair_broker.archive import Archive
from lasair_broker.schema import arrow_schema
from lasair_broker.sky import Moc

Visitor = Callable[..., Any]

PANELS = (
    "context",
    "classes",
    "detections",
    "cutouts",
    "sky",
    "annotations",
    "comments",
    "hits",
    "filters",
    "points",
    "observability",
    "neighbours",
    "similar",
    "features",
    "provenance",
)
SCRIPT = "<script>alert('x')</script>"


def content(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def test_the_page_has_names_place_and_ways_to_go_on(visitor: Visitor, archive: Archive, key: int) -> None:
    answer = visitor().get(f"/objects/{key}/")
    assert answer.status_code == 200
    text = answer.content.decode()
    row = archive.object(key).to_pylist()[0]
    assert f'<h1 class="mb-1">{row["objectName"]}' in text
    assert f"{row['ra']:.6f} {row['decl']:+.6f}" in text
    assert archive.rows_of_objects("sherlock_classifications", [key])["classification"][0].as_py() in text
    assert "simbad" in text
    assert f"/objects/{row['objectName']}/panels/provenance/" in text
    assert f"WHERE diaSources.diaObjectId = {key}" in text


@pytest.mark.parametrize("name", PANELS)
def test_each_panel_is_a_fragment_and_by_itself_a_page(visitor: Visitor, key: int, name: str) -> None:
    fragment = visitor(htmx=True).get(f"/objects/{key}/panels/{name}/")
    assert fragment.status_code == 200
    assert b"<html" not in fragment.content
    assert "no-store" in fragment["Cache-Control"]
    whole = visitor().get(f"/objects/{key}/panels/{name}/")
    assert whole.status_code == 200
    assert b"<html" in whole.content
    assert f'href="/objects/{key}/"'.encode() in whole.content


@pytest.mark.parametrize(
    "path",
    [
        "/objects/123/",
        "/objects/99999999999999999999/",
        "/objects/nothing/",
        "/objects/123/panels/context/",
        "/objects/{key}/panels/nothing/",
        "/objects/123/data/light-curve.json",
        "/objects/{key}/data/diaSources.exe",
        "/objects/{key}/data/accounts_user.csv",
        "/objects/detections/1/Science.png",
        "/objects/detections/99999999999999999999/Science.png",
        "/objects/detections/{source}/Other.png",
        "/objects/detections/1/packet.avro",
        "/objects/detections/{source}/packet.exe",
        "/objects/density/Norder9/Dir0/Npix0.png",
        "/objects/density/Norder0/Dir0/Npix12.png",
        "/ssobjects/nothing/",
        "/ssobjects/'; DROP TABLE objects; --/",
    ],
)
def test_what_is_not_there_is_told(visitor: Visitor, key: int, with_image: int, path: str) -> None:
    assert visitor().get(path.format(key=key, source=with_image)).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/objects/{key}/data/periods.json?shortest=x",
        "/objects/{key}/data/periods.json?table=objects",
        "/objects/{key}/data/periods.json?from=70000",
        "/objects/{key}/pictures/colour.png?which=Other",
        "/objects/{key}/pictures/chart.svg?field=1000000",
        "/objects/detections/{source}/Science.png?stretch=none",
        "/objects/detections/{source}/Science.png?size=100000",
    ],
)
def test_what_makes_no_sense_is_told(visitor: Visitor, key: int, with_image: int, path: str) -> None:
    answer = visitor(htmx=True).get(path.format(key=key, source=with_image))
    assert answer.status_code == 400
    assert b"data-reason" in answer.content


def test_todays_address_leads_here(visitor: Visitor, key: int) -> None:
    answer = visitor().get(f"/object/{key}/")
    assert answer.status_code == 301
    assert answer["Location"] == f"/objects/{key}/"


def test_the_chart_gets_every_standing_point(visitor: Visitor, archive: Archive, key: int) -> None:
    data = json.loads(visitor().get(f"/objects/{key}/data/light-curve.json").content)
    curve = archive.light_curve(key)
    for name in ("diaSources", "diaForcedSources"):
        standing = getattr(curve, name).filter(pc.is_null(getattr(curve, name)["timeWithdrawnMjdTai"]))
        assert data[name]["midpointMjdTai"] == standing["midpointMjdTai"].to_pylist()
        flux = standing["psfFlux"].to_pylist()
        assert np.allclose(data[name]["psfFlux"], np.array(flux, float), rtol=1e-6)
    assert data["diaSources"]["diaSourceId"] == [str(v) for v in curve.diaSources["diaSourceId"].to_pylist()]
    assert data["diaObjectId"] == str(key)
    flags = data["flagNames"]
    for place, bits in enumerate(data["diaSources"]["flags"]):
        row = curve.diaSources.slice(place, 1).to_pylist()[0]
        assert [bool(bits >> i & 1) for i in range(len(flags))] == [bool(row[name]) for name in flags]


@pytest.mark.parametrize("table", ["diaSources", "diaForcedSources"])
def test_downloads_hold_the_light_curve(visitor: Visitor, archive: Archive, key: int, table: str) -> None:
    true = getattr(archive.light_curve(key), table)

    def get(ending: str) -> bytes:
        answer = visitor().get(f"/objects/{key}/data/{table}.{ending}")
        assert answer.status_code == 200
        assert "attachment" in answer["Content-Disposition"]
        return content(answer)

    flux = true["psfFlux"].to_pylist()
    rows = list(csv.DictReader(io.StringIO(get("csv").decode())))
    assert [float(row["psfFlux"]) for row in rows] == pytest.approx(flux)
    assert pq.read_table(io.BytesIO(get("parquet")))["psfFlux"].to_pylist() == flux
    assert [row["psfFlux"] for row in json.loads(get("json"))] == pytest.approx(flux)
    votable = parse_single_table(io.BytesIO(get("votable"))).to_table(use_names_over_ids=True)
    assert list(votable["psfFlux"]) == pytest.approx(flux)


def test_features_come_with_their_meaning(visitor: Visitor, archive: Archive, key: int) -> None:
    text = content(visitor().get(f"/objects/{key}/data/features.csv")).decode()
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(text))}
    assert set(rows) == set(archive.object(key).column_names)
    assert float(rows["ra"]["value"]) == archive.object(key)["ra"][0].as_py()
    assert rows["ra"]["unit"] == "deg"
    page = visitor(htmx=True).get(f"/objects/{key}/panels/features/?features-search=galactic+latitude")
    assert b"<code>glat</code>" in page.content
    assert b"<code>decl</code>" not in page.content


def test_tables_sort_and_page_on_the_server(visitor: Visitor, archive: Archive, key: int) -> None:
    address = f"/objects/{key}/panels/detections/?detections-sort=psfFlux&detections-size=25"
    text = visitor(htmx=True).get(address).content.decode()
    faintest = archive.light_curve(key).diaSources.sort_by("psfFlux")["diaSourceId"].to_pylist()
    places = [text.find(str(source)) for source in faintest[:25]]
    assert -1 not in places
    assert places == sorted(places)
    assert "hx-push-url" not in text, "a table in a page does not change the page's address"


def test_packets_come_as_they_were_sent(visitor: Visitor, archive: Archive, with_image: int) -> None:
    sent, schema = archive.alert_bytes(with_image) or (b"", "")
    avro = content(visitor().get(f"/objects/detections/{with_image}/packet.avro"))
    record = next(iter(fastavro.reader(io.BytesIO(avro))))
    assert record == fastavro.schemaless_reader(io.BytesIO(sent), json.loads(schema), None)
    told = json.loads(content(visitor().get(f"/objects/detections/{with_image}/packet.json")))
    assert told["diaSource"]["diaSourceId"] == with_image
    assert not any(name.startswith("cutout") for name in told)


def test_cutouts_can_be_stretched_and_turned(visitor: Visitor, with_image: int) -> None:
    address = f"/objects/detections/{with_image}/Science.png?size=120"
    pictures = [content(visitor().get(f"{address}{more}")) for more in ("", "&stretch=log", "&north=1")]
    assert len(set(pictures)) == 3
    assert all(Image.open(io.BytesIO(picture)).size == (120, 120) for picture in pictures)


def test_context_tells_the_matches(visitor: Visitor, archive: Archive, key: int) -> None:
    text = visitor(htmx=True).get(f"/objects/{key}/panels/context/").content.decode()
    for row in archive.rows_of_objects("sherlock_crossmatches", [key]).to_pylist():
        assert str(row["catalogue_object_id"]) in text
    for mark in ("Finding chart", "N</text>"):
        assert mark in visitor(htmx=True).get(f"/objects/{key}/panels/sky/").content.decode()


def test_neighbours_are_those_of_a_cone(visitor: Visitor, archive: Archive, key: int) -> None:
    row = archive.object(key, ["ra", "decl"]).to_pylist()[0]
    near = archive.cone(row["ra"], row["decl"], 120.0)
    text = visitor(htmx=True).get(f"/objects/{key}/panels/neighbours/").content.decode()
    for name in near["objectName"].to_pylist():
        assert (f'"/objects/{name}/"' in text) == (name != str(key))


def test_similar_objects_are_the_nearest_by_brute_force(archive: Archive, key: int) -> None:
    from lasair_broker.web.objects.similar import FEATURES, similar_to

    objects = archive.query("SELECT * FROM objects")
    row = archive.object(key).to_pylist()[0]
    found = similar_to(row, count=5)
    assert len(found.features) >= 2

    def compared(name: str) -> Any:
        values = objects[name].to_numpy().astype(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(values > 0, np.log(values), np.nan) if FEATURES[name] == "log" else values

    ids = objects["diaObjectId"].to_numpy()
    at = np.flatnonzero(ids == key)[0]
    square = np.zeros(len(ids))
    for name in found.features:
        values = compared(name)
        square += ((values - values[at]) / np.nanstd(values)) ** 2
    square[(objects["survey"].to_numpy(zero_copy_only=False) != row["survey"]) | (ids == key)] = np.nan
    distance = np.sqrt(square / len(found.features))
    order = np.argsort(np.where(np.isnan(distance), np.inf, distance))[:5]
    assert [one["diaObjectId"] for one in found.rows] == ids[order].tolist()
    assert [one["distance"] for one in found.rows] == pytest.approx(distance[order], rel=1e-3)


def test_the_density_map_shows_where_objects_are(visitor: Visitor, archive: Archive, key: int) -> None:
    from astropy_healpix import HEALPix

    from lasair_broker.web.objects import density

    density._counts.cache_clear()
    density._brightest.cache_clear()
    row = archive.object(key, ["ra", "decl"]).to_pylist()[0]
    from astropy import units

    cell = int(
        HEALPix(2**3, order="nested").lonlat_to_healpix(row["ra"] * units.deg, row["decl"] * units.deg)
    )
    shown = Image.open(io.BytesIO(content(visitor().get(f"/objects/density/Norder3/Dir0/Npix{cell}.png"))))
    assert shown.size == (256, 256)
    fine = int(
        HEALPix(2**9, order="nested").lonlat_to_healpix(row["ra"] * units.deg, row["decl"] * units.deg)
    )
    inside = fine % 4**6
    x = sum(((inside >> (2 * b)) & 1) << b for b in range(6))
    y = sum(((inside >> (2 * b + 1)) & 1) << b for b in range(6))
    pixels = np.asarray(shown).astype(int).sum(axis=2)
    assert pixels[4 * x + 1, 4 * y + 1] > pixels.min(), "x is the row, y the column"
    occupied = {int(c) for c in archive.query("SELECT healpix29 FROM objects")["healpix29"].to_numpy() >> 40}
    lit = {(int(r), int(c)) for r, c in zip(*np.nonzero(pixels[1::4, 1::4] > pixels.min()), strict=True)}
    assert len(lit) == sum(1 for one in occupied if one >> 12 == cell)
    assert visitor().get("/objects/density/properties").content.startswith(b"creator_did")
    coverage = Moc.read(visitor().get("/objects/density/Moc.fits").content)
    assert coverage.area_deg2 == pytest.approx(41252.96, rel=1e-6)
    whole = Image.open(io.BytesIO(content(visitor().get("/objects/density/Norder3/Allsky.png"))))
    assert whole.size == (27 * 64, 29 * 64)


def test_bodies_of_the_solar_system(visitor: Visitor, archive: Archive) -> None:
    sources = archive.query(
        "SELECT * FROM ssSources WHERE designation IS NOT NULL AND phaseAngle IS NOT NULL"
    )
    if not sources.num_rows:
        pytest.fail("the simulated night has no known body; choose another seed")
    row = sources.to_pylist()[0]
    answer = visitor().get(f"/ssobjects/{row['designation']}/")
    assert answer.status_code == 200
    points = json.loads(
        answer.content.decode().split('id="phase-points" type="application/json">')[1].split("</script>")[0]
    )
    mine = [p for p in points if p["mjd"] == row["midpointMjdTai"]]
    expected = 31.4 - 2.5 * np.log10(row["psfFlux"]) - 5 * np.log10(row["helioRange"] * row["topoRange"])
    assert mine[0]["magnitude"] == pytest.approx(expected)
    assert visitor().get(f"/ssobjects/{row['ssObjectId']}/").status_code == 200


def test_an_archive_from_before_context_still_has_pages(
    visitor: Visitor, archive: Archive, tmp_path: Any
) -> None:
    """Objects without any row elsewhere: no images, no matches, nothing."""
    from stream_fixtures import ListSource

    from lasair_broker.archive import open_archive
    from lasair_broker.packets import SchemaStore
    from lasair_broker.packets.simulator import Simulation
    from lasair_broker.stream import Pipeline, run
    from lasair_broker.web.archive import use

    values = [bytes(v) for part in Simulation.night(15, seed=2, cutouts="none").alerts() for v in part.values]
    with open_archive(tmp_path / "archive") as bare:
        run(ListSource(values, 60), Pipeline(SchemaStore(), []), bare)
        use(bare)
        name = bare.query("SELECT diaObjectId FROM objects LIMIT 1")["diaObjectId"][0].as_py()
        for path in (f"/objects/{name}/", *(f"/objects/{name}/panels/{p}/" for p in PANELS)):
            assert visitor(htmx=True).get(path).status_code == 200, path
        assert visitor().get(f"/objects/{name}/pictures/colour.png").status_code == 404
    use(archive)


def test_classes_are_those_that_are_not_improbable() -> None:
    from lasair_broker.web.objects.head import newest_classes

    schema = arrow_schema("classifications")
    said = [
        {"model": "b", "version": "1", "SNIa": 0.7, "AGN": 0.295, "CV": 0.005, "transient": 0.7},
        {"model": "a", "version": "2", "TDE": 1.0},
    ]
    rows = pa.Table.from_pylist([{f.name: one.get(f.name) for f in schema} for one in said], schema)
    found = newest_classes(rows)
    assert [(one.model, one.node) for one in found] == [("a", "TDE"), ("b", "SNIa"), ("b", "AGN")]
    coarse = [{"model": "c", "version": "1", "transient": 0.75, "SN": 0.5}]
    rows = pa.Table.from_pylist([{f.name: one.get(f.name) for f in schema} for one in coarse], schema)
    assert [one.node for one in newest_classes(rows)] == ["SN"], "a model that tells of no types"
    assert found[1].probability == pytest.approx(0.7)


def test_the_history_of_classes_is_drawn_to_scale() -> None:
    from lasair_broker.web.site.objects.drawings import class_histories

    rows = [
        {"model": "m", "newestSourceMjdTai": 61010.0, "SNIa": 0.8, "AGN": 0.2, "CV": None},
        {"model": "m", "newestSourceMjdTai": 61000.0, "SNIa": 0.3, "AGN": 0.7, "CV": 0.05},
        {"model": "once", "newestSourceMjdTai": 61000.0, "SNIa": 1.0, "AGN": 0.0, "CV": 0.0},
    ]
    (drawn,) = class_histories(rows, ("SNIa", "AGN", "CV"))
    assert [name for name, _ in drawn.lines] == ["SNIa", "AGN"], "the improbable is left out"
    points = [[float(v) for v in pair.split(",")] for pair in drawn.lines[0][1].split()]
    assert points[0][0] == pytest.approx(drawn.left)
    assert points[1][0] == pytest.approx(drawn.right)
    height = drawn.bottom - drawn.top
    assert [(drawn.bottom - y) / height for _, y in points] == pytest.approx([0.3, 0.8], abs=0.01)
