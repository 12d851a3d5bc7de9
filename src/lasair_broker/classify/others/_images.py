"""Cut-outs as arrays that a model takes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from lasair_broker.classify.others._description import ImagesInput
from lasair_broker.packets import AlertBatch, ImageError, fits_bytes, fits_pixels

__all__ = ["alerts_of_objects", "images_of", "shape_of"]

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_MAD_TO_SIGMA = 1.4826


def shape_of(wanted: ImagesInput) -> tuple[int, int, int]:
    """The shape of the input, without objects."""
    number, size = len(wanted.images), wanted.size
    return (number, size, size) if wanted.layout == "NCHW" else (size, size, number)


def alerts_of_objects(batch: AlertBatch) -> Int64:
    """The row in `alerts` of the newest alert of each object, -1 for none."""
    found = np.full(batch.objects.num_rows, -1)
    if not batch.alerts.num_rows or not batch.objects.num_rows:
        return found
    place = pc.fill_null(
        pc.index_in(batch.alerts["diaObjectId"], value_set=batch.objects["diaObjectId"].combine_chunks()), -1
    ).to_numpy()
    time = pc.fill_null(batch.alerts["midpointMjdTai"], -np.inf).to_numpy()
    order = np.argsort(time, kind="stable")
    order = order[place[order] >= 0]
    found[place[order]] = order  # of several the last stays
    return found


def images_of(
    batch: AlertBatch, alerts: Int64, wanted: ImagesInput
) -> tuple[Float32, npt.NDArray[np.bool_], list[str]]:
    """The cut-outs of some alerts as an array for a model.

    Parameters
    ----------
    alerts
        Rows of `batch.alerts`; -1 is an alert without images.

    Returns
    -------
    The array, which alerts have all images that are needed, and why some could not be read.
    """
    number = len(alerts)
    pixels = np.full((number, len(wanted.images), wanted.size, wanted.size), wanted.fill)
    has = np.zeros((number, len(wanted.images)), np.bool_)
    faults: list[str] = []
    for k, name in enumerate(wanted.images):
        # Each image is a file of its own, compressed or not: there is nothing to do to many at once.
        for row, alert, begin, length in zip(*_places(batch, alerts, name), strict=True):
            try:
                image = fits_pixels(fits_bytes(batch.payloads.bytes(alert)[begin : begin + length]))
            except ImageError as error:
                faults.append(f"{name}: {error}")
                continue
            _put(image, pixels[row, k], wanted.fill)
            has[row, k] = True
    if wanted.scaling != "none":
        _scale(pixels, wanted.scaling)
    if wanted.missing == "zeros":
        pixels[~has] = 0.0
    complete = np.asarray(has.all(axis=1) | (wanted.missing == "zeros"))
    if wanted.layout == "NHWC":
        pixels = np.moveaxis(pixels, 1, 3)
    return np.ascontiguousarray(pixels, np.float32), complete, faults


def _places(batch: AlertBatch, alerts: Int64, name: str) -> tuple[list[int], list[int], list[int], list[int]]:
    """Of alerts that have an image: their numbers, rows, and where it is in the datum."""
    offset, length = f"cutout{name}Offset", f"cutout{name}Length"
    if offset not in batch.alerts.column_names or not len(alerts):
        return [], [], [], []
    begin, size = (pc.fill_null(batch.alerts[c], -1).to_numpy() for c in (offset, length))
    there = np.flatnonzero((alerts >= 0) & (begin[alerts] >= 0) & (size[alerts] > 0))
    rows = alerts[there]
    return there.tolist(), rows.tolist(), begin[rows].tolist(), size[rows].tolist()


def _put(image: Float64, into: Float64, fill: float) -> None:
    """The middle of an image into the middle of a square."""
    size = into.shape[0]
    here, there = [], []
    for length in image.shape:
        less, more = max(0, (length - size) // 2), max(0, (size - length) // 2)
        count = min(length, size)
        there.append(slice(less, less + count))
        here.append(slice(more, more + count))
    part = image[tuple(there)]
    into[tuple(here)] = np.where(np.isfinite(part), part, fill)


def _scale(pixels: Float64, how: str) -> None:
    """Scale each image; one without contrast is divided by nothing."""
    axes = (2, 3)
    if how == "minmax":
        pixels -= pixels.min(axis=axes, keepdims=True)
        spread = pixels.max(axis=axes, keepdims=True)
    elif how == "max":
        spread = np.abs(pixels).max(axis=axes, keepdims=True)
    elif how == "norm":
        spread = np.sqrt((pixels**2).sum(axis=axes, keepdims=True))
    else:
        pixels -= np.median(pixels, axis=axes, keepdims=True)
        spread = _MAD_TO_SIGMA * np.median(np.abs(pixels), axis=axes, keepdims=True)
    pixels /= np.where(spread > 0.0, spread, 1.0)
