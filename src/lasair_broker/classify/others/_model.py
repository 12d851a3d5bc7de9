"""Running a model that somebody else made: ONNX by its runtime, LightGBM by our own kernel."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import structlog

from lasair_broker.classify._calibration import softmax
from lasair_broker.classify._model import ModelError
from lasair_broker.classify._trees import Trees, TreesError
from lasair_broker.classify.others._description import (
    ColumnsInput,
    Description,
    ImagesInput,
    read_description,
)
from lasair_broker.classify.others._images import shape_of

__all__ = ["OtherModel", "OtherModelError", "load_other_model", "load_other_models"]

_log = structlog.get_logger(__name__)

Float64 = npt.NDArray[np.float64]

_SUM_TOLERANCE = 0.01
_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}


class OtherModelError(ModelError):
    """A model that somebody else made failed, or gave what its description does not say; names the model."""


class _Runner(Protocol):
    """What runs a model."""

    def __call__(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """The output for inputs by name."""


@dataclass(frozen=True)
class OtherModel:
    """A model that somebody else made, ready to run.

    Attributes
    ----------
    description, version
        What the file beside it says.
    run
        From inputs by name to the output.
    """

    description: Description
    version: str
    run: _Runner

    @property
    def name(self) -> str:
        """What it is called."""
        return self.description.name

    def __call__(self, inputs: Mapping[str, npt.NDArray[Any]], number: int) -> Float64:
        """Probabilities of the columns of its output for `number` objects, shape (objects, columns).

        Rows that the model gave something else than numbers for are NaN.

        Raises
        ------
        OtherModelError
            If it fails, or the output has another shape or other values than the description says.
        """
        try:
            found = self.run(inputs)
        except Exception as error:  # somebody else's code and file: whatever it raises is the model's fault
            raise OtherModelError(f"model {self.name}: it failed: {error}") from error
        output = self.description.output
        values = np.asarray(found)
        if values.dtype.kind not in "fiu":
            raise OtherModelError(
                f"model {self.name}: output {output.name or 'of the model'} is no array of numbers; from "
                "scikit-learn, export without ZipMap"
            )
        columns = len(output.nodes)
        if values.ndim == 1 and columns == 1:
            values = values[:, None]
        if values.shape != (number, columns):
            raise OtherModelError(
                f"model {self.name}: for {number} objects the output has the shape {values.shape}, not "
                f"({number}, {columns}): one row an object, one column for each of output.nodes"
            )
        return _probabilities(values.astype(np.float64), output.kind, self.name)


def _probabilities(values: Float64, kind: str, name: str) -> Float64:
    good = np.asarray(np.isfinite(values).all(axis=1))
    values = np.where(good[:, None], values, 0.0)
    if kind == "logits":
        values = softmax(values)
    elif kind == "scoreLogits":
        values = 1.0 / (1.0 + np.exp(-np.clip(values, -500.0, 500.0)))
    outside = good & ((values < -1e-6) | (values > 1.0 + 1e-6)).any(axis=1)
    if outside.any():
        raise OtherModelError(
            f"model {name}: {int(outside.sum())} of {len(values)} objects have values that are no "
            f"probabilities ({values[outside].min():.3g} to {values[outside].max():.3g}); if they are "
            "logits, say so in output.kind"
        )
    values = np.clip(values, 0.0, 1.0)
    if kind == "probabilities":
        total = values.sum(axis=1)
        wrong = good & (np.abs(total - 1.0) > _SUM_TOLERANCE)
        if wrong.any():
            raise OtherModelError(
                f"model {name}: the probabilities of {int(wrong.sum())} of {len(values)} objects do not add "
                "up to one; if each is a probability by itself, output.kind is scores"
            )
        values = values / np.where(good, total, 1.0)[:, None]
    values[~good] = np.nan
    return values


def load_other_model(path: Path, threads: int = 1) -> OtherModel:
    """The model that a YAML file describes, tried with inputs of zeros.

    Parameters
    ----------
    threads
        Of ONNX's runtime, for one batch.

    Raises
    ------
    ModelError
        If a file cannot be read, its inputs and outputs are not those described, or it fails with zeros;
        the text names the file and says what is wrong.
    """
    described, text = read_description(path)
    file = path.parent / described.file
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: file: {file} cannot be read: {error.strerror}") from error
    version = described.version or hashlib.sha256(text.encode() + content).hexdigest()[:12]
    try:
        if file.suffix == ".onnx":
            runner = _onnx(content, described, threads)
        elif file.suffix == ".txt":
            described, runner = _lightgbm(content, described)
        else:
            raise ModelError(f"file: {described.file}: give an ONNX model (.onnx) or one of LightGBM (.txt)")
        model = OtherModel(described, version, runner)
        for number in (1, 2):  # one that was exported for single objects would fail only in the stream
            model(_zeros(described.inputs, number), number)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    return model


def load_other_models(paths: Sequence[Path], threads: int = 1) -> tuple[OtherModel, ...]:
    """Those of the models that can be used, each of another name; the others are named in the log.

    The stream has to go on when somebody else's file has gone or their format has changed.
    """
    found: dict[str, OtherModel] = {}
    for path in paths:
        try:
            model = load_other_model(path, threads)
            if model.name in found:
                raise ModelError(f"{path}: name: another model is called {model.name!r} already")
        except ModelError as error:
            _log.error("a model is left out", path=str(path), reason=str(error))
        else:
            found[model.name] = model
    return tuple(found.values())


def _zeros(inputs: Sequence[ColumnsInput | ImagesInput], number: int) -> dict[str, npt.NDArray[Any]]:
    shapes = {
        one.name: (len(one.columns),) if isinstance(one, ColumnsInput) else shape_of(one) for one in inputs
    }
    return {name: np.zeros((number, *shape), np.float32) for name, shape in shapes.items()}


def _lightgbm(content: bytes, described: Description) -> tuple[Description, _Runner]:
    (only, *more) = described.inputs
    if more or not isinstance(only, ColumnsInput):
        raise ModelError("inputs: a model of LightGBM has one input, of columns")
    try:
        trees = Trees.read(content.decode())
    except (UnicodeDecodeError, TreesError) as error:
        raise ModelError(f"file: {described.file}: {error}") from error
    if len(trees.features) != len(only.columns):
        raise ModelError(
            f"inputs: {len(only.columns)} columns are given, but the model takes {len(trees.features)}: "
            f"{', '.join(trees.features[:8])}{' …' if len(trees.features) > 8 else ''}"
        )
    binary = trees.objective == "binary"
    if described.output.kind == "probabilities" and binary:
        # Its one column is a probability by itself.
        described = described.model_copy(
            update={"output": described.output.model_copy(update={"kind": "scores"})}
        )
    return described, lambda inputs: trees.predict(inputs[only.name].astype(np.float32))


def _onnx(content: bytes, described: Description, threads: int) -> _Runner:
    try:
        import onnxruntime  # imported only where such a model is in use
    except ImportError as error:
        raise ModelError(
            "file: ONNX models need the package onnxruntime; install lasair-broker[onnx]"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's own classes of errors have no common parent
        raise ModelError(f"file: {described.file} is no ONNX model that can be run: {error}") from error
    takes = {one.name: one for one in session.get_inputs()}
    gives = [one.name for one in session.get_outputs()]
    named = [one.name for one in described.inputs]
    if sorted(named) != sorted(takes):
        raise ModelError(f"inputs: the model takes {', '.join(takes)}, but described are {', '.join(named)}")
    output = described.output.name or (gives[0] if len(gives) == 1 else "")
    if output not in gives:
        raise ModelError(f"output: name must be one of {', '.join(gives)}, not {output!r}")
    for one in takes.values():
        if one.type not in _TYPES:
            raise ModelError(f"inputs: {one.name} takes {one.type}; only numbers of floating point are given")

    def run(inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
        given = {name: inputs[name].astype(_TYPES[one.type], copy=False) for name, one in takes.items()}
        found: npt.NDArray[Any] = session.run([output], given)[0]
        return found

    return run
