"""The YAML file of a model that somebody else made: what it takes, and what its outputs mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lasair_broker.classify._model import ModelError
from lasair_broker.classify._taxonomy import taxonomy
from lasair_broker.classify.others._columns import check_columns
from lasair_broker.packets import Cutout

__all__ = ["ColumnsInput", "Description", "ImagesInput", "Output", "read_description"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnsInput(_Part):
    """An input of one row of numbers an object.

    Attributes
    ----------
    name
        As the ONNX graph calls it; LightGBM's files have no names for inputs.
    columns
        What stands in the row, in order; see `column_names`.
    missing
        What is put for a value that is not known.
    """

    name: str = ""
    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    missing: float = float("nan")

    @field_validator("columns")
    @classmethod
    def _known(cls, columns: Sequence[str]) -> Sequence[str]:
        check_columns(columns)
        return columns


class ImagesInput(_Part):
    """An input of cut-outs, those of the newest alert of each object.

    Attributes
    ----------
    name
        As the ONNX graph calls it.
    images
        Which ones, in order.
    size
        Pixels along a side: larger images are cut around their centre, smaller ones filled up.
    layout
        "NCHW": (objects, images, rows, columns); "NHWC": (objects, rows, columns, images).
    scaling
        What each image is divided by or brought to, after pixels without a value have been put to `fill`:
        "none"; "minmax": 0 to 1; "max": largest absolute value 1; "norm": sum of squares 1; "sigma": median 0
        and standard deviation (from the median absolute deviation) 1.
    missing
        Objects of which an image is missing: "skip" them, or fill the image with "zeros".
    fill
        The value of pixels that have none, and of the margin of small images.
    """

    name: str
    images: Annotated[tuple[Cutout, ...], Field(min_length=1, max_length=3)]
    size: Annotated[int, Field(ge=1, le=512)]
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    scaling: Literal["none", "minmax", "max", "norm", "sigma"] = "none"
    missing: Literal["skip", "zeros"] = "skip"
    fill: float = 0.0


class Output(_Part):
    """What the columns of the output mean.

    Attributes
    ----------
    name
        As the ONNX graph calls it; LightGBM's files have one output without a name.
    kind
        "probabilities" of classes that exclude each other, or their "logits" (softmax makes probabilities of
        them); or "scores", a probability for each node by itself, or their "scoreLogits" (by a sigmoid).
    nodes
        The class that each column stands for; several may stand for one. Null: for none of ours.
    """

    name: str = ""
    kind: Literal["probabilities", "logits", "scores", "scoreLogits"] = "probabilities"
    nodes: Annotated[tuple[str | None, ...], Field(min_length=1)]

    @field_validator("nodes")
    @classmethod
    def _in_the_tree(cls, nodes: Sequence[str | None]) -> Sequence[str | None]:
        for node in nodes:
            if node is not None and node not in taxonomy().nodes:
                raise ValueError(f"{node!r} is no class; the classes are {', '.join(taxonomy().nodes)}")
        if not any(nodes):
            raise ValueError("at least one column must stand for a class")
        return nodes

    @model_validator(mode="after")
    def _scores_stand_alone(self) -> Self:
        named = [node for node in self.nodes if node is not None]
        if not self.exclusive and len(set(named)) < len(named):
            raise ValueError("nodes: with scores, which are not added up, each class can stand only once")
        return self

    @property
    def exclusive(self) -> bool:
        """Whether the columns are of classes that exclude each other."""
        return self.kind in ("probabilities", "logits")


class Description(_Part):
    """A model that somebody else made.

    Attributes
    ----------
    name
        What it is called in the column `model`.
    version
        Of the column `version`; without, the beginning of a hash of both files.
    file
        The model, relative to the YAML: NAME.onnx, or NAME.txt as LightGBM saves it.
    surveys
        Whose objects it is for; none: of any.
    youngest, oldest
        The ages of light curves that it is for, days since the first detection.
    trainedOn
        What it was trained on, for the column of this name.
    inputs, output
        What it takes and gives.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]
    version: Annotated[str, Field(max_length=32)] = ""
    file: str
    surveys: tuple[str, ...] = ()
    youngest: float = 0.0
    oldest: float = float("inf")
    trainedOn: Annotated[str, Field(max_length=128)] = ""
    inputs: Annotated[tuple[ColumnsInput | ImagesInput, ...], Field(min_length=1)]
    output: Output

    @field_validator("name")
    @classmethod
    def _not_ours(cls, name: str) -> str:
        if name == "lasair":
            raise ValueError("'lasair' is our own model; choose another name")
        return name

    @property
    def images(self) -> bool:
        """Whether it looks at cut-outs."""
        return any(isinstance(one, ImagesInput) for one in self.inputs)


def read_description(path: Path) -> tuple[Description, str]:
    """The description in a YAML file, and its text.

    Raises
    ------
    ModelError
        If the file cannot be read or is no description; with its place and what is wrong with each entry.
    """
    try:
        text = path.read_text(encoding="utf-8")
        told = yaml.safe_load(text)
    except OSError as error:
        raise ModelError(f"{path}: it cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ModelError(f"{path}: not YAML: {error}") from error
    if not isinstance(told, dict):
        raise ModelError(f"{path}: it is no mapping of names to values")
    try:
        return Description.model_validate(told), text
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc'] if part not in _KINDS)}: "
            f"{problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_url=False, include_input=False)
        ]
        raise ModelError(f"{path}: not the description of a model:\n" + "\n".join(problems)) from None


_KINDS = {ColumnsInput.__name__, ImagesInput.__name__}
