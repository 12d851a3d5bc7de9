"""Which filters have new hits."""

from __future__ import annotations

from lasair_broker.archive import Archive

__all__ = ["newest_since"]


def newest_since(archive: Archive, moment: float) -> dict[int, float]:
    """For each filter with hits committed after that moment (MJD TAI), the time of the newest."""
    found = archive.query(
        'SELECT "filterId", max("committedMjdTai") AS newest FROM filter_hits '  # noqa: S608  # a number
        f'WHERE "committedMjdTai" > {moment!r} GROUP BY "filterId"',
        max_rows=None,
    )
    return dict(zip(*(column.to_pylist() for column in found.columns), strict=True))
