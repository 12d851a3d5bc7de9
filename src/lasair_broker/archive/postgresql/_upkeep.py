"""What PostgreSQL's own housekeeping does too, but now: dead rows removed, and statistics for the planner."""

from __future__ import annotations

from lasair_broker.schema import TABLES, quoted

from ..records import Progress
from ._session import Session

__all__ = ["vacuum"]


def vacuum(session: Session, progress: Progress | None) -> None:
    """Clean every table; others may read and write meanwhile."""
    for number, name in enumerate(TABLES):
        if progress is not None:
            progress(name, number / len(TABLES))
        session.run(f"VACUUM (ANALYZE) {quoted(name)}")
    if progress is not None:
        progress("done", 1.0)
