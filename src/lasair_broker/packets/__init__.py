"""Wire formats of surveys, and the one canonical shape that every later stage takes."""

from lasair_broker.packets._batch import AlertBatch, Messages, Payloads
from lasair_broker.packets._columns import BANDS, Column, Columns, SourceColumns, band_codes
from lasair_broker.packets._source_table import SourceTable
from lasair_broker.packets._times import (
    jd_utc_to_mjd_tai,
    mjd_tai_now,
    mjd_utc_to_mjd_tai,
    posix_micros_to_mjd_tai,
)
from lasair_broker.packets._ztf_ids import is_ztf_object_id, ztf_object_id, ztf_object_name

__all__ = [
    "BANDS",
    "AlertBatch",
    "Column",
    "Columns",
    "Messages",
    "Payloads",
    "SourceColumns",
    "SourceTable",
    "band_codes",
    "is_ztf_object_id",
    "jd_utc_to_mjd_tai",
    "mjd_tai_now",
    "mjd_utc_to_mjd_tai",
    "posix_micros_to_mjd_tai",
    "ztf_object_id",
    "ztf_object_name",
]
