"""Models that somebody else made: in the stream, in the archive, in queries, and when they are wrong."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import structlog
import yaml
from astropy.io import fits
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "stream"))
from other_models import (
    IMAGE_WEIGHTS,
    columns_model,
    described,
    failing_model,
    images_model,
    lightgbm_model,
    weights,
)
from stream_fixtures import ListSource

from lasair_broker.archive import open_archive
from lasair_broker.classify import Classifiers, ModelError, enrich, features, shipped_model
from lasair_broker.classify.others import Description, column_names, load_other_model, load_other_models
from lasair_broker.classify.others._description import Output
from lasair_broker.classify.others._images import _put, _scale
from lasair_broker.classify.others._tables import nodes_of
from lasair_broker.cli._model import app
from lasair_broker.packets import AlertBatch, SchemaStore, fits_bytes, fits_pixels
from lasair_broker.packets.simulator import Simulation
from lasair_broker.query import ARCHIVE, parse
from lasair_broker.stream import Pipeline, run, standard_stages

SIZE = 21


@pytest.fixture(scope="module")
def values() -> list[bytes]:
    return [
        bytes(value)
        for part in Simulation.night(60, seed=8, cutouts="image").alerts()
        for value in part.values
    ]


@pytest.fixture(scope="module")
def batch(values: list[bytes]) -> AlertBatch:
    (found,) = Pipeline(SchemaStore(), standard_stages()).process(ListSource(values, 99).read_all()).batches
    return found


def _images_yaml(folder: Path, **changes: object) -> Path:
    images_model(folder / "stamps.onnx", SIZE)
    stamps = {
        "name": "stamps",
        "images": ["Science", "Template", "Difference"],
        "size": SIZE,
        "layout": "NHWC",
        "scaling": "sigma",
    }
    return described(
        folder,
        name="stamps",
        file="stamps.onnx",
        inputs=[
            stamps | changes,
            {"name": "rows", "columns": ["detections", "objects.nDiaSources"], "missing": 0},
        ],
        output={"kind": "scores", "nodes": ["kilonova"]},
    )


def _softmax(values: np.ndarray) -> np.ndarray:
    e = np.exp(values - values.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def test_three_models_beside_ours_in_the_archive(values: list[bytes], tmp_path: Path) -> None:
    columns_model(tmp_path / "sorter.onnx")
    lightgbm_model(tmp_path / "trees.txt")
    trees = described(
        tmp_path,
        name="trees",
        version=None,
        file="trees.txt",
        inputs=[{"columns": ["age", "peakMag", "objects.nDiaSources"]}],
        output={"nodes": ["TDE"]},
    )
    others = load_other_models([described(tmp_path), _images_yaml(tmp_path), trees])
    assert [one.name for one in others] == ["sorter", "stamps", "trees"]
    stages = standard_stages(classifiers=Classifiers(shipped_model(), None, others))
    with open_archive(tmp_path / "archive") as archive:
        run(ListSource(values, 25), Pipeline(SchemaStore(), stages), archive)
        objects = archive.query("SELECT count(*) FROM objects").column(0)[0].as_py()
        counts = archive.query("SELECT model, count(*) FROM classifications GROUP BY model ORDER BY model")
        assert counts.column(0).to_pylist() == ["lasair", "sorter", "stamps", "trees"]
        assert set(counts.column(1).to_pylist()) == {objects}
        past = archive.query("SELECT model, count(*) FROM classification_history GROUP BY model")
        assert sorted(past.column(0).to_pylist()) == ["lasair", "sorter", "stamps", "trees"]
        query = parse(
            "SELECT o.objectName, s.SNIa, s.version, s.trainedOn, t.TDE, t.version, l.SNIa "
            "FROM objects o JOIN classifications s ON s.diaObjectId = o.diaObjectId "
            "JOIN classifications t ON t.diaObjectId = o.diaObjectId "
            "JOIN classifications l ON l.diaObjectId = o.diaObjectId "
            "WHERE s.model = 'sorter' AND t.model = 'trees' AND l.model = 'lasair' AND s.AGN >= 0",
            ARCHIVE,
        )
        found = archive.query(query.render("duckdb"))
        assert found.num_rows == objects
        assert set(found.column(2).to_pylist()) == {"7"}
        assert set(found.column(3).to_pylist()) == {"made up"}
        (version,) = set(found.column(5).to_pylist())
        assert len(version) == 12, "without a version of its own it is a hash of both files"


def _rows_of(batch: AlertBatch, name: str) -> dict[int, dict[str, object]]:
    table = batch.tables["classifications"]
    return {row["diaObjectId"]: row for row in table.to_pylist() if row["model"] == name}


def test_columns_go_in_and_probabilities_of_nodes_come_out(batch: AlertBatch, tmp_path: Path) -> None:
    columns_model(tmp_path / "sorter.onnx")
    ids = batch.objects["diaObjectId"].to_pylist()
    context = {key: ("SN", "VS", None)[k % 3] for k, key in enumerate(ids) if k % 4}
    verdicts = pa.table(
        {"diaObjectId": list(context), "classification": pa.array(list(context.values()), pa.string())}
    )
    batch = batch.with_table("sherlock_classifications", verdicts)
    said = enrich(batch, Classifiers(others=[load_other_model(described(tmp_path))]))
    rows, seen = _rows_of(said, "sorter"), features(batch)
    sources = batch.diaSources.take(None, ["reliability", "midpointMjdTai"]).to_pylist()
    w, b = weights(5, 3)
    assert len(rows) == batch.objects.num_rows > 20
    for k, row in enumerate(batch.objects.select(["diaObjectId", "nDiaSources"]).to_pylist()):
        of_object = sources[batch.diaSources.offsets[k] : batch.diaSources.offsets[k + 1]]
        newest = max(of_object, key=lambda one: one["midpointMjdTai"])["reliability"]
        verdict = context.get(row["diaObjectId"])
        given = [
            seen[k, 0],
            seen[k, 6],
            row["nDiaSources"],
            None if verdict is None else float(verdict == "SN"),
            newest,
        ]
        x = np.array([-1.0 if v is None or np.isnan(v) else v for v in given])
        ia, ii, agn = _softmax((x @ w + b)[None])[0]
        told = rows[row["diaObjectId"]]
        assert told["SNIa"] == pytest.approx(ia, abs=1e-5)
        assert told["SNII"] == pytest.approx(ii, abs=1e-5)
        assert told["SN"] == told["transient"] == pytest.approx(ia + ii, abs=1e-5)
        assert told["AGN"] == pytest.approx(agn, abs=1e-5)
        assert told["kilonova"] is None, "of what it does not tell nothing is said"
        assert told["topClass"] == ["SNIa", "SNII", "AGN"][int(np.argmax([ia, ii, agn]))]
        assert told["anomaly"] is None


def test_images_go_in_as_the_yaml_says(batch: AlertBatch, tmp_path: Path) -> None:
    said = enrich(batch, Classifiers(others=[load_other_model(_images_yaml(tmp_path))]))
    rows = _rows_of(said, "stamps")
    alerts = batch.alerts.to_pylist()
    seen = features(batch)
    detections = 4
    assert len(rows) == batch.objects.num_rows
    for k, row in enumerate(batch.objects.select(["diaObjectId", "nDiaSources"]).to_pylist()):
        number, alert = max(
            ((n, one) for n, one in enumerate(alerts) if one["diaObjectId"] == row["diaObjectId"]),
            key=lambda pair: pair[1]["midpointMjdTai"],
        )
        means = []
        for which in ("Science", "Template", "Difference"):
            begin, length = alert[f"cutout{which}Offset"], alert[f"cutout{which}Length"]
            content = batch.payloads.bytes(number)[begin : begin + length]
            with fits.open(io.BytesIO(content)) as units:
                image = units[0].data.astype(float)
            low = (image.shape[0] - SIZE) // 2
            part = image[low : low + SIZE, low : low + SIZE]
            part = part - np.median(part)
            means.append((part / (1.4826 * np.median(np.abs(part)))).mean())
        raw = np.dot([*means, seen[k, detections], row["nDiaSources"]], IMAGE_WEIGHTS)
        told = rows[row["diaObjectId"]]
        assert told["kilonova"] == pytest.approx(1.0 / (1.0 + np.exp(-raw)), abs=1e-4)
        assert told["transient"] is None, "scores are not added up"
        assert told["topClass"] == "kilonova"


@pytest.mark.parametrize(("missing", "count"), [("skip", 0), ("zeros", None)])
def test_objects_without_images_are_skipped_or_given_zeros(
    values: list[bytes], tmp_path: Path, missing: str, count: int | None
) -> None:
    bare = [bytes(v) for part in Simulation.night(20, seed=8, cutouts="none").alerts() for v in part.values]
    (batch,) = Pipeline(SchemaStore(), standard_stages()).process(ListSource(bare, 99).read_all()).batches
    said = enrich(batch, Classifiers(others=[load_other_model(_images_yaml(tmp_path, missing=missing))]))
    assert len(_rows_of(said, "stamps")) == (batch.objects.num_rows if count is None else count)


def test_trees_are_those_of_lightgbm(batch: AlertBatch, tmp_path: Path) -> None:
    booster = lightgbm_model(tmp_path / "trees.txt")
    names = ["age", "peakMag", "objects.nDiaSources"]
    place = described(
        tmp_path, name="trees", file="trees.txt", inputs=[{"columns": names}], output={"nodes": ["TDE"]}
    )
    said = enrich(batch, Classifiers(others=[load_other_model(place)]))
    seen = features(batch)
    count = batch.objects["nDiaSources"].to_numpy().astype(float)
    expected = booster.predict(np.stack([seen[:, 0], seen[:, 6], count], axis=1), num_threads=1)
    told = [_rows_of(said, "trees")[key]["TDE"] for key in batch.objects["diaObjectId"].to_pylist()]
    np.testing.assert_allclose(told, expected, atol=1e-6)


def test_a_model_is_asked_only_of_what_it_is_for(batch: AlertBatch, tmp_path: Path) -> None:
    columns_model(tmp_path / "sorter.onnx")
    other_survey = load_other_model(described(tmp_path, surveys=["ztf"]))
    assert enrich(batch, Classifiers(others=[other_survey])).tables["classifications"].num_rows == 0
    age = features(batch)[:, 0]
    middle = float(np.median(age))
    young = load_other_model(described(tmp_path, oldest=middle))
    rows = enrich(batch, Classifiers(others=[young])).tables["classifications"]
    assert rows.num_rows == (age <= middle).sum()


def test_a_model_that_fails_is_named_and_the_others_go_on(values: list[bytes], tmp_path: Path) -> None:
    columns_model(tmp_path / "sorter.onnx")
    failing_model(tmp_path / "broken.onnx")
    broken = described(
        tmp_path,
        name="broken",
        file="broken.onnx",
        inputs=[{"name": "rows", "columns": ["objects.nDiaSources"]}],
        output={"kind": "scores", "nodes": ["AGN"]},
    )
    others = load_other_models([broken, described(tmp_path), tmp_path / "gone.yaml"])
    assert [one.name for one in others] == ["broken", "sorter"]
    stages = standard_stages(classifiers=Classifiers(None, None, others))
    with structlog.testing.capture_logs() as logs:
        processed = Pipeline(SchemaStore(), stages).process(ListSource(values, 99).read_all())
    assert processed.rejected.num_rows == 0
    (batch,) = processed.batches
    assert set(batch.tables["classifications"]["model"].to_pylist()) == {"sorter"}
    (told,) = (one for one in logs if one["event"] == "a model failed and says nothing of a batch")
    assert told["model"] == "broken"
    assert "out of" in told["reason"] or "bounds" in told["reason"]


def test_models_that_cannot_be_used_are_left_out_and_named(tmp_path: Path) -> None:
    columns_model(tmp_path / "sorter.onnx")
    first = described(tmp_path)
    second = tmp_path / "again.yaml"
    second.write_text(first.read_text())
    with structlog.testing.capture_logs() as logs:
        assert len(load_other_models([first, second, tmp_path / "gone.yaml"])) == 1
    assert [one["path"] for one in logs] == [str(second), str(tmp_path / "gone.yaml")]
    assert "another model is called 'sorter'" in logs[0]["reason"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": "lasair"}, "our own model"),
        ({"name": "a b"}, "name: "),
        ({"file": "gone.onnx"}, "gone.onnx cannot be read"),
        ({"file": "sorter.yaml"}, "give an ONNX model"),
        ({"colour": "red"}, "colour: Extra inputs"),
        ({"inputs": []}, "inputs: "),
        ({"inputs": [{"name": "rows", "columns": ["peakMagg"]}]}, "no column 'peakMagg'; is it 'peakMag'"),
        ({"inputs": [{"name": "rows", "columns": ["planets.age"]}]}, "no column 'planets.age'"),
        ({"inputs": [{"name": "rows", "columns": ["context.classification"]}]}, "is text"),
        ({"inputs": [{"name": "rows", "columns": ["objects.ra=3"]}]}, "is no text"),
        ({"inputs": [{"name": "rows", "columns": ["age"]}]}, "it failed"),
        ({"inputs": [{"name": "other", "columns": ["age"] * 5}]}, "takes rows, but described are other"),
        ({"inputs": [{"name": "rows", "images": ["Sideways"], "size": 9}]}, "images.0: "),
        ({"output": {"nodes": ["SNIa", "SNII", "Nova"]}}, "'Nova' is no class"),
        ({"output": {"nodes": [None, None, None]}}, "at least one column"),
        ({"output": {"kind": "scores", "nodes": ["SNIa", "SNIa", "AGN"]}}, "only once"),
        ({"output": {"kind": "logits", "nodes": ["SNIa", "SNII"]}}, r"shape \(1, 3\), not \(1, 2\)"),
        ({"output": {"kind": "logits", "name": "x", "nodes": ["SNIa"] * 3}}, "must be one of logits"),
        ({"output": {"nodes": ["SNIa", "SNII", "AGN"]}}, "no probabilities|add up to one"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, changes: dict[str, object], why: str) -> None:
    columns_model(tmp_path / "sorter.onnx")
    place = described(tmp_path, **changes)
    with pytest.raises(ModelError, match=why) as told:
        load_other_model(place)
    assert str(place) in str(told.value)


def test_a_model_of_single_objects_is_refused(tmp_path: Path) -> None:
    columns_model(tmp_path / "sorter.onnx", number=1)
    with pytest.raises(ModelError, match="sorter: it failed"):
        load_other_model(described(tmp_path))


@pytest.mark.parametrize(
    ("text", "why"), [("[", "not YAML"), ("- a", "no mapping"), ("name: x", "file: Field required")]
)
def test_a_file_that_is_no_description(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(ModelError, match=why):
        load_other_model(tmp_path / "x.yaml")


def test_files_that_are_no_models(tmp_path: Path) -> None:
    (tmp_path / "sorter.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match="no ONNX model that can be run"):
        load_other_model(described(tmp_path))
    (tmp_path / "sorter.txt").write_text("tree")
    with pytest.raises(ModelError, match="not a model of LightGBM"):
        load_other_model(described(tmp_path, file="sorter.txt", inputs=[{"columns": ["age"]}]))
    lightgbm_model(tmp_path / "sorter.txt")
    with pytest.raises(ModelError, match="1 columns are given, but the model takes 3"):
        load_other_model(described(tmp_path, file="sorter.txt", inputs=[{"columns": ["age"]}]))


def test_columns_of_a_node_and_below_it_are_added_up() -> None:
    p = np.array([[0.1, 0.2, 0.3, 0.4]])
    found = nodes_of(Output(nodes=("SNIa", "SNIa", "SN", "AGN")), p)
    assert {name: round(float(v[0]), 9) for name, v in found.items()} == {
        "transient": 0.6, "SN": 0.6, "SNIa": 0.3, "AGN": 0.4,
    }  # fmt: skip
    assert set(nodes_of(Output(nodes=("SNIa", "SNII", "AGN", None)), p)) == {"SNIa", "SNII", "AGN"}


@pytest.mark.parametrize("how", ["minmax", "max", "norm", "sigma"])
def test_an_image_without_contrast_is_scaled_to_numbers(how: str) -> None:
    rng = np.random.default_rng(2)
    pixels = np.stack([np.full((1, 8, 8), 3.0), rng.normal(5.0, 2.0, (1, 8, 8))])
    _scale(pixels, how)
    assert np.isfinite(pixels).all()
    of = pixels[1, 0]
    value = {
        "minmax": (of.min(), of.max()),
        "max": (np.abs(of).max(), 1.0),
        "norm": ((of**2).sum(), 1.0),
        "sigma": (np.median(of), np.median(np.abs(of)) * 1.4826),
    }[how]
    assert value == pytest.approx({"minmax": (0, 1), "sigma": (0, 1)}.get(how, (1, 1)), abs=1e-12)


def test_small_images_are_put_into_the_middle_and_large_ones_cut() -> None:
    into = np.full((5, 5), -1.0)
    _put(np.array([[1.0, 2.0, 3.0], [4.0, np.nan, 6.0], [7.0, 8.0, 9.0]]), into, -1.0)
    assert into[1].tolist() == [-1.0, 1.0, 2.0, 3.0, -1.0]
    assert into[2, 2] == -1.0
    _put(np.arange(81.0).reshape(9, 9), into, 0.0)
    assert into[0].tolist() == [20.0, 21.0, 22.0, 23.0, 24.0]


@pytest.mark.parametrize("kind", ["f4", "f8", "i2", "u1", "scaled", "extension", "cube"])
def test_pixels_are_those_of_astropy(kind: str) -> None:
    rng = np.random.default_rng(4)
    image = rng.normal(100.0, 30.0, (7, 9))
    units = fits.HDUList([fits.PrimaryHDU()])
    if kind == "extension":
        units.append(fits.ImageHDU(image))
    elif kind == "scaled":
        units = fits.HDUList([fits.PrimaryHDU(image.astype("f4"))])
        units[0].scale("int16", bzero=32768)
    else:
        data = image[None] if kind == "cube" else image.astype(kind)
        units = fits.HDUList([fits.PrimaryHDU(data)])
    units[0].header["OBJECT"] = ("END / NAXIS = 5", "a trap")
    stream = io.BytesIO()
    units.writeto(stream)
    with fits.open(io.BytesIO(stream.getvalue())) as read:
        expected = read[1 if kind == "extension" else 0].data
    np.testing.assert_array_equal(fits_pixels(fits_bytes(stream.getvalue())), expected.reshape(7, 9))


def test_the_example_of_the_documentation_is_valid() -> None:
    page = (Path(__file__).parents[2] / "docs" / "classification.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    told = Description.model_validate(yaml.safe_load(example))
    assert told.images
    assert len(told.inputs[1].columns) == 6


def test_onnx_is_imported_only_where_such_a_model_is_in_use() -> None:
    program = "import sys; from lasair_broker.classify import others; print('onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_command_checks_and_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns_model(tmp_path / "sorter.onnx")
    good, bad = described(tmp_path), described(tmp_path, name="bad", output={"nodes": ["Nova"]})
    monkeypatch.setenv("COLUMNS", "200")
    done = CliRunner().invoke(app, ["check", str(good)])
    assert done.exit_code == 0, done.output
    assert "sorter, version 7: any survey, ages any" in done.output
    assert "output, logits: SNIa, SNII, AGN" in done.output
    done = CliRunner().invoke(app, ["check", str(good), str(bad)])
    assert done.exit_code == 1
    assert "'Nova' is no class" in done.output
    monkeypatch.setenv("LASAIR_CLASSIFY__OTHERS", f'["{good}", "{bad}"]')
    done = CliRunner().invoke(app, ["list"])
    assert done.exit_code == 1
    assert "lasair" in done.output
    assert "sorter" in done.output
    assert "left out" in done.output
    done = CliRunner().invoke(app, ["columns", "context"])
    assert "context.classification" in done.output
    assert CliRunner().invoke(app, ["columns", "planets"]).exit_code == 2
    assert set(column_names("objects")) > {"objects.ra", "objects.nDiaSources"}
