"""Telling alerts that the archive has from those that it has not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.packets import CUTOUTS, AlertBatch

from . import packs
from ._batch import int64_column
from ._light_curves import LightCurveNews
from .errors import ArchiveCorruptError

__all__ = ["ReadPack", "StoredAlerts", "kept_alerts"]

Int64 = npt.NDArray[np.int64]
ReadPack = Callable[[str], npt.NDArray[np.uint8]]

_SEVEN_BITS = np.int64(1) << np.arange(7, 63, 7)

StoredAlerts = Callable[[pa.Table, str], pa.Table]
"""Reads where the stored alerts of detections lie, given a table of suspects (alert, diaSourceId) and their
survey: for each the suspect's `alert`, and pack, packOffset and packLength."""


def kept_alerts(
    stored_alerts: StoredAlerts, read_pack: ReadPack, batch: AlertBatch, sources: LightCurveNews
) -> tuple[Int64, Int64, Int64]:
    """The alerts of a batch to store.

    An alert is left out if the archive, or the batch before it, has an alert of the same detection with the
    same bytes, be it that its images have been taken out there. If the bytes differ the survey has issued the
    alert again; both are kept.

    Parameters
    ----------
    stored_alerts
        Reads the archive's alerts of some detections.
    read_pack
        Gives the bytes of a pack.
    batch
        The batch.
    sources
        Its new detections: an alert of one of these cannot be in the archive.

    Returns
    -------
    Rows of the batch's alerts to keep, ascending; the detections of which an alert was kept although there
    was one already, in the archive or in the batch; and those of objects of which an alert was kept and that
    are held, as other packets told of them.
    """
    ids: Int64 = batch.alerts.column("diaSourceId").to_numpy()
    keep = np.ones(len(ids), np.bool_)
    seen_before = np.zeros(len(ids), np.bool_)

    _, first, member = np.unique(ids, return_index=True, return_inverse=True)
    original = first[member]
    seen_before[original != np.arange(len(ids))] = True
    if seen_before.any():
        keep[_repeated(batch, np.flatnonzero(np.bincount(member)[member] > 1), ids)] = False

    new_ids = sources.table.numpy("diaSourceId")[sources.rows]
    suspect = np.flatnonzero(keep & ~np.isin(ids, new_ids))
    if len(suspect):
        rows = pa.table({"alert": suspect, "diaSourceId": ids[suspect]})
        stored = stored_alerts(rows, batch.survey)
        alert: Int64 = stored.column("alert").to_numpy()
        seen_before[alert] = True
        named = stored.column("pack").combine_chunks().dictionary_encode()
        pack_of = named.indices.to_numpy(zero_copy_only=False)
        for number, pack in enumerate(named.dictionary.to_pylist()):
            mine = pack_of == number
            offset = stored.column("packOffset").to_numpy()[mine]
            length = stored.column("packLength").to_numpy()[mine]
            keep[alert[mine][_equal_stored(batch, alert[mine], read_pack, pack, offset, length)]] = False
    of_objects = batch.alerts.column("diaObjectId").is_valid().to_numpy(zero_copy_only=False)
    held = suspect[keep[suspect] & of_objects[suspect]]
    return np.flatnonzero(keep), np.unique(ids[keep & seen_before]), np.unique(ids[held])


def _repeated(batch: AlertBatch, rows: Int64, ids: Int64) -> Int64:
    """Those of some alerts of a batch that repeat an earlier one of them, byte for byte."""
    address, length = batch.payloads.address[rows], batch.payloads.length[rows]
    told_by = np.stack([ids[rows], length, packs.checksums(address, length).view(np.int64)], axis=1)
    _, first, member = np.unique(told_by, axis=0, return_index=True, return_inverse=True)
    earlier = first[member.reshape(-1)]
    later = np.flatnonzero(earlier != np.arange(len(rows)))
    repeated: Int64 = rows[later[packs.same_bytes(address[earlier[later]], address[later], length[later])]]
    return repeated


def _equal_stored(
    batch: AlertBatch, rows: Int64, read_pack: ReadPack, pack: str, offset: Int64, length: Int64
) -> npt.NDArray[np.bool_]:
    try:
        memory = read_pack(pack)
    except ArchiveCorruptError:
        # What is lost, or cannot be read, is stored again.
        return np.zeros(len(rows), np.bool_)
    address, size = batch.payloads.address[rows], batch.payloads.length[rows].astype(np.int64)
    stored = memory.ctypes.data + offset
    there = offset + length <= len(memory)
    equal: npt.NDArray[np.bool_] = there & (size == length)
    equal[equal] = packs.same_bytes(address[equal], stored[equal], size[equal])
    other = np.flatnonzero(there & ~equal)
    if len(other):
        left = _without_images(batch, rows[other])
        alike = (left.length == length[other]) & (left.size >= 0).all(axis=1)
        other, left = other[alike], left.of(alike)
        pieces = (address[other, None] + left.begin, stored[other, None] + left.place, left.size)
        same = packs.same_bytes(*(piece.ravel() for piece in pieces)).reshape(left.size.shape)
        said = memory[np.where(left.cut, offset[other, None] + left.place[:, 1:] - 1, 0)]
        equal[other] = same.all(axis=1) & ((said == 0) | ~left.cut).all(axis=1)
    return equal


@dataclass(frozen=True, slots=True)
class _Left:
    """What is left of datums when `tidy_archive` has put length 0 in the place of each image: pieces, at most
    one more than there are images.

    Attributes
    ----------
    length
        In all, bytes.
    begin, size
        Where in the datum each piece begins, and its bytes; shape (datums, pieces).
    place
        Where it lies in what is left.
    cut
        Whether the byte before each piece but the first stands for an image; shape (datums, pieces - 1).
    """

    length: Int64
    begin: Int64
    size: Int64
    place: Int64
    cut: npt.NDArray[np.bool_]

    def of(self, datums: npt.NDArray[np.bool_]) -> _Left:
        return _Left(*(getattr(self, each.name)[datums] for each in fields(self)))


def _without_images(batch: AlertBatch, rows: Int64) -> _Left:
    names = [name for name in CUTOUTS if f"cutout{name}Offset" in batch.alerts.column_names]
    alerts = batch.alerts.take(rows)
    offset, image = (
        np.stack([int64_column(alerts, f"cutout{name}{what}") for name in names], axis=1)
        if names
        else np.zeros((len(rows), 0), np.int64)
        for what in ("Offset", "Length")
    )
    end = batch.payloads.length[rows].astype(np.int64)[:, None]
    cut = image > 0
    # From the image's length, which Avro writes before it with seven bits a byte, to its end.
    first = np.where(cut, offset - 1 - np.searchsorted(_SEVEN_BITS, 2 * image, side="right"), end)
    last = np.where(cut, offset + image, end)
    order = np.argsort(first, axis=1)
    first, last, cut = (np.take_along_axis(each, order, axis=1) for each in (first, last, cut))
    begin = np.hstack([np.zeros_like(end), last])
    size = np.hstack([first, end]) - begin
    zeros = np.hstack([np.zeros_like(end), np.cumsum(cut, axis=1)])
    place = np.cumsum(size, axis=1) - size + zeros
    return _Left(size.sum(axis=1) + cut.sum(axis=1), begin, size, place, cut)
