"""Which user database an archive belongs to.

Hits in the archive carry the numbers of filters, lists and maps of the user database, and the archive keeps
how far it has read its annotations. With another database these would be taken for somebody else's.
"""

from __future__ import annotations

import secrets

from lasair_broker.archive import Archive
from lasair_broker.stream.filters import ANNOTATIONS
from lasair_broker.web.accounts.models import UserDatabase
from lasair_broker.web.errors import ServiceError

_BELONGS_TO = ("lasair users", 0)
"""The stream whose position in the archive is the number of its user database; no Kafka topic has a blank."""

_NUMBERED = (
    "filter_hits",
    "watchlist_hits",
    "watchlist_events",
    "watchlist_trigger_states",
    "area_hits",
    "annotations",
)
"""Tables with numbers or topics of the user database."""


class ForeignArchive(ServiceError):  # noqa: N818  # reads as what it says, as its base's other children
    """The archive holds what the users of another database asked for."""


def claim(archive: Archive) -> None:
    """Let an archive that one writes to belong to this installation's user database.

    Raises
    ------
    ForeignArchive
        If it belongs to another, and holds anything of its users.
    """
    ours = UserDatabase.objects.get_or_create(pk=1, defaults={"number": secrets.randbits(62)})[0].number
    positions = archive.positions()
    held = positions.get(_BELONGS_TO)
    if held == ours:
        return
    if held is not None:
        tables = archive.status().tables
        if positions.get(ANNOTATIONS, 0) or any(tables[name].rows for name in _NUMBERED):
            raise ForeignArchive(
                "the archive holds hits, lists or annotations of the users of another user database, "
                "which would be taken for those of this one's"
            )
    archive.write([], positions={_BELONGS_TO: ours}, rewound={_BELONGS_TO})
