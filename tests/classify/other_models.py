"""Small models of other people's kinds, and their YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

COLUMNS = ["age", "peakMag", "objects.nDiaSources", "context.classification=SN", "newest.reliability"]
IMAGE_WEIGHTS = np.array([0.7, -0.3, 1.1, 0.01, -0.02])
"""Of the means of three images and of two columns."""


def described(folder: Path, **changes: Any) -> Path:
    """The description of `columns_model`, with some entries changed; None: left out."""
    told = {
        "name": "sorter",
        "version": "7",
        "file": "sorter.onnx",
        "trainedOn": "made up",
        "inputs": [{"name": "rows", "columns": COLUMNS, "missing": -1.0}],
        "output": {"kind": "logits", "nodes": ["SNIa", "SNII", "AGN"]},
    } | changes
    place = folder / f"{told['name']}.yaml"
    place.write_text(yaml.safe_dump({key: value for key, value in told.items() if value is not None}))
    return place


def weights(columns: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return (
        (rng.normal(size=(columns, classes)) * 0.1).astype(np.float32),
        rng.normal(size=classes).astype(np.float32),
    )


def _saved(place: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: dict[str, Any]):
    graph = helper.make_graph(
        nodes, "made up", inputs, outputs, [numpy_helper.from_array(v, k) for k, v in constants.items()]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, place)


def columns_model(place: Path, number: Any = "n", columns: int = 5, classes: int = 3) -> None:
    """One layer of logits."""
    w, b = weights(columns, classes)
    _saved(
        place,
        [helper.make_node("Gemm", ["rows", "w", "b"], ["logits"])],
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [number, columns])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [number, classes])],
        {"w": w, "b": b},
    )


def images_model(place: Path, size: int) -> None:
    """From three images, channels last, and two columns one score: a sigmoid of their means and columns."""
    _saved(
        place,
        [
            helper.make_node("ReduceMean", ["stamps"], ["means"], axes=[1, 2], keepdims=0),
            helper.make_node("Cast", ["rows"], ["single"], to=TensorProto.FLOAT),
            helper.make_node("Concat", ["means", "single"], ["all"], axis=1),
            helper.make_node("MatMul", ["all", "w"], ["raw"]),
            helper.make_node("Sigmoid", ["raw"], ["score"]),
        ],
        [
            helper.make_tensor_value_info("stamps", TensorProto.FLOAT, ["n", size, size, 3]),
            helper.make_tensor_value_info("rows", TensorProto.DOUBLE, ["n", 2]),
        ],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n", 1])],
        {"w": IMAGE_WEIGHTS[:, None].astype(np.float32)},
    )


def failing_model(place: Path) -> None:
    """Takes the row number `rows` of a table that has one: whatever is not zero is out of its bounds."""
    _saved(
        place,
        [
            helper.make_node("Cast", ["rows"], ["which"], to=TensorProto.INT64),
            helper.make_node("Gather", ["table", "which"], ["score"], axis=0),
        ],
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["n", 1])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n", 1])],
        {"table": np.array([0.5], np.float32)},
    )


def lightgbm_model(place: Path) -> lgb.Booster:
    """Two classes told apart by two features of ours and a column of objects."""
    rng = np.random.default_rng(11)
    rows = rng.normal(size=(500, 3)) * [10.0, 3.0, 5.0] + [10.0, 20.0, 5.0]
    truth = (rows[:, 0] + 2 * rows[:, 1] > 50).astype(int)
    settings = {"objective": "binary", "verbose": -1, "num_threads": 1, "sigmoid": 0.7}
    model = lgb.train(settings, lgb.Dataset(rows, truth), 12)
    model.save_model(place)
    return model
