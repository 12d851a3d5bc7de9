"""Telling alerts that the archive has from those that it has not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.packets import AlertBatch

from ._light_curves import LightCurveNews
from .errors import ArchiveCorruptError
from .packs import checksums, same_bytes

__all__ = ["ReadPack", "StoredAlerts", "kept_alerts"]

Int64 = npt.NDArray[np.int64]
ReadPack = Callable[[str], npt.NDArray[np.uint8]]

StoredAlerts = Callable[[pa.Table, str], pa.Table]
"""Reads where the stored alerts of detections lie, given a table of suspects (alert, diaSourceId) and their
survey: for each the suspect's `alert`, and pack, packOffset and packLength."""


def kept_alerts(
    stored_alerts: StoredAlerts, read_pack: ReadPack, batch: AlertBatch, sources: LightCurveNews
) -> tuple[Int64, Int64]:
    """The alerts of a batch to store.

    An alert is left out if the archive, or the batch before it, has an alert of the same detection with the
    same bytes. If the bytes differ the survey has issued the alert again; both are kept.

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
    Rows of the batch's alerts to keep, ascending, and the detections of which an alert was kept although
    there was one already, in the archive or in the batch.
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
        packs = stored.column("pack").combine_chunks().dictionary_encode()
        pack_of = packs.indices.to_numpy(zero_copy_only=False)
        for number, pack in enumerate(packs.dictionary.to_pylist()):
            mine = pack_of == number
            offset = stored.column("packOffset").to_numpy()[mine]
            length = stored.column("packLength").to_numpy()[mine]
            keep[alert[mine][_equal_stored(batch, alert[mine], read_pack, pack, offset, length)]] = False
    return np.flatnonzero(keep), np.unique(ids[keep & seen_before])


def _repeated(batch: AlertBatch, rows: Int64, ids: Int64) -> Int64:
    """Those of some alerts of a batch that repeat an earlier one of them, byte for byte."""
    address, length = batch.payloads.address[rows], batch.payloads.length[rows]
    told_by = np.stack([ids[rows], length, checksums(address, length).view(np.int64)], axis=1)
    _, first, member = np.unique(told_by, axis=0, return_index=True, return_inverse=True)
    earlier = first[member.reshape(-1)]
    later = np.flatnonzero(earlier != np.arange(len(rows)))
    repeated: Int64 = rows[later[same_bytes(address[earlier[later]], address[later], length[later])]]
    return repeated


def _equal_stored(
    batch: AlertBatch, rows: Int64, read_pack: ReadPack, pack: str, offset: Int64, length: Int64
) -> npt.NDArray[np.bool_]:
    try:
        memory = read_pack(pack)
    except ArchiveCorruptError:
        # What is lost, or cannot be read, is stored again.
        return np.zeros(len(rows), np.bool_)
    equal: npt.NDArray[np.bool_] = (batch.payloads.length[rows] == length) & (offset + length <= len(memory))
    equal[equal] = same_bytes(
        batch.payloads.address[rows][equal],
        memory.ctypes.data + offset[equal],
        length[equal].astype(np.int64),
    )
    return equal
