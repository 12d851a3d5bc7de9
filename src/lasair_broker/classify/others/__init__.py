"""Other people's models beside ours: ONNX or LightGBM files, with a YAML that says what goes in and out."""

from lasair_broker.classify.others._columns import column_names
from lasair_broker.classify.others._description import (
    ColumnsInput,
    Description,
    ImagesInput,
    Output,
    read_description,
)
from lasair_broker.classify.others._model import (
    OtherModel,
    OtherModelError,
    load_other_model,
    load_other_models,
)
from lasair_broker.classify.others._tables import said_by

__all__ = [
    "ColumnsInput",
    "Description",
    "ImagesInput",
    "OtherModel",
    "OtherModelError",
    "Output",
    "column_names",
    "load_other_model",
    "load_other_models",
    "read_description",
    "said_by",
]
