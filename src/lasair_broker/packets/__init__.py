"""Wire formats of surveys, and the one canonical shape that every later stage takes."""

from typing import TYPE_CHECKING

from lasair_broker.deferred import import_when_used

if TYPE_CHECKING:
    from lasair_broker.packets._batch import AlertBatch, Messages, Payloads
    from lasair_broker.packets._columns import BANDS, Column, Columns, SourceColumns, band_codes, floats_of
    from lasair_broker.packets._decode import decode, decode_datums
    from lasair_broker.packets._files import PacketFileError, read_files
    from lasair_broker.packets._images import CUTOUTS, Cutout, ImageError, fits_bytes, fits_pixels
    from lasair_broker.packets._known import with_known
    from lasair_broker.packets._schema_files import SchemaFileError
    from lasair_broker.packets._schema_store import SchemaStore, UnknownSchemaError
    from lasair_broker.packets._source_table import SourceTable
    from lasair_broker.packets._times import (
        jd_utc_to_mjd_tai,
        mjd_tai_now,
        mjd_tai_to_mjd_utc,
        mjd_tai_to_utc,
        mjd_utc_to_mjd_tai,
        posix_micros_to_mjd_tai,
    )
    from lasair_broker.packets._ztf_ids import is_ztf_object_id, ztf_object_id, ztf_object_name

__all__ = [
    "BANDS",
    "CUTOUTS",
    "AlertBatch",
    "Column",
    "Columns",
    "Cutout",
    "ImageError",
    "Messages",
    "PacketFileError",
    "Payloads",
    "SchemaFileError",
    "SchemaStore",
    "SourceColumns",
    "SourceTable",
    "UnknownSchemaError",
    "band_codes",
    "decode",
    "decode_datums",
    "fits_bytes",
    "fits_pixels",
    "floats_of",
    "is_ztf_object_id",
    "jd_utc_to_mjd_tai",
    "mjd_tai_now",
    "mjd_tai_to_mjd_utc",
    "mjd_tai_to_utc",
    "mjd_utc_to_mjd_tai",
    "posix_micros_to_mjd_tai",
    "read_files",
    "with_known",
    "ztf_object_id",
    "ztf_object_name",
]

import_when_used(__name__)
