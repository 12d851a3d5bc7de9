"""The columnar snapshot: what is known of objects as Parquet by sky cell, for searches that no index serves.

PostgreSQL finds an object in a millisecond, and takes a second for each million that it has to look at;
DuckDB on Parquet takes a fiftieth. So a copy of `objects` and of what is said of them is kept in a folder and
renewed now and then; a search on it is united with the rows that have changed since, which the server finds
by index. The result is that of the server alone.
"""

from __future__ import annotations

from ._columnar import Columnar
from ._place import SnapshotPlace
from ._refresh import Refreshed

__all__ = ["Columnar", "Refreshed", "SnapshotPlace"]
