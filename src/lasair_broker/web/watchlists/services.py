"""What is done with watchlists. Every function checks that the user may; the text of errors is for users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import F, Max

from lasair_broker.sky import UploadError, WatchlistUpload, read_watchlist
from lasair_broker.web import sharing, trash
from lasair_broker.web.accounts.models import Collaboration, User
from lasair_broker.web.errors import Invalid, NotAllowed, NotFound
from lasair_broker.web.watchlists import rows as stored_rows
from lasair_broker.web.watchlists.models import (
    Watchlist,
    WatchlistEdit,
    WatchlistTrigger,
    WatchlistTriggerQuerySet,
    WatchlistVersion,
)

COMPACT_AT = 1000
"""So many edits over a version are merged into its blocks."""


class RowsRefused(Invalid):
    """An upload has faulty rows.

    Attributes
    ----------
    upload
        The rows that are good, and every fault.
    """

    def __init__(self, upload: WatchlistUpload) -> None:
        self.upload = upload
        shown = {p.place + (f", {p.column}" if p.column else ""): str(p) for p in upload.problems}
        super().__init__(shown)


@transaction.atomic
def create(user: User, name: str, *, description: str = "", default_radius: float = 5.0) -> Watchlist:
    """A new private list without rows.

    Raises
    ------
    Invalid
        If the name is taken, or the radius not 1 to 3600 arcseconds.
    """
    made = Watchlist(owner=user, name=name.strip(), description=description, default_radius=default_radius)
    sharing.save_checked(made)
    return made


def upload(
    user: User,
    list_id: int,
    data: bytes,
    *,
    source_name: str = "",
    columns: Mapping[str, str] | None = None,
    skip_bad_rows: bool = False,
) -> WatchlistVersion:
    """Replace the rows of a list by those of a file (see `sky.read_watchlist`).

    Raises
    ------
    NotFound, NotAllowed
        If the list is not there, or not the user's to change.
    Invalid
        If the file cannot be read as a watchlist.
    RowsRefused
        If rows are faulty and not to be skipped, or no row is good.
    """
    found = _editable(user, list_id, lock=False)
    try:
        read = read_watchlist(data, default_radius=found.default_radius, columns=columns)
    except UploadError as error:
        raise Invalid({"": str(error)}) from None
    if read.num_problems and not (skip_bad_rows and read.rows.num_rows):
        raise RowsRefused(read)
    return replace_rows(user, list_id, read.rows, source_name=source_name)


@transaction.atomic
def replace_rows(user: User, list_id: int, new: pa.Table, *, source_name: str = "") -> WatchlistVersion:
    """Make these rows (as `sky.UPLOAD_SCHEMA`) a new version of the list, current at once.

    A row whose name the list had keeps its number, and with it its hits and triggers.
    """
    found = _editable(user, list_id)
    old = stored_rows.load(found.current) if found.current else stored_rows.STORED_SCHEMA.empty_table()
    numbered, found.next_cone_id = stored_rows.keep_numbers(old, new, found.next_cone_id)
    return _new_version(found, user, numbered, source_name)


@transaction.atomic
def restore(user: User, list_id: int, number: int) -> WatchlistVersion:
    """Make the rows of an earlier version the newest again."""
    found = _editable(user, list_id)
    version = found.versions.filter(number=number).first()
    if version is None:
        raise NotFound(f"watchlist {list_id} has no version {number}")
    return _new_version(found, user, stored_rows.load(version), f"version {number}")


@transaction.atomic
def add_row(
    user: User,
    list_id: int,
    *,
    name: str,
    ra: float,
    decl: float,
    radius: float | None = None,
    notes: str | None = None,
) -> int:
    """Add a row; returns its number.

    Raises
    ------
    Invalid
        Naming every value that is wrong.
    """
    found = _editable(user, list_id)
    if found.current is None:
        _new_version(found, user, stored_rows.STORED_SCHEMA.empty_table(), "")
    cone_id = found.next_cone_id
    found.next_cone_id += 1
    found.save(update_fields=["next_cone_id"])
    values = {"name": name, "ra": ra, "decl": decl, "radius": radius or found.default_radius, "notes": notes}
    _edit(found, user, cone_id, values, deleted=False)
    return cone_id


@transaction.atomic
def edit_row(user: User, list_id: int, cone_id: int, **values: Any) -> None:
    """Change a row in place: any of name, ra, decl, radius, notes.

    Raises
    ------
    NotFound
        If there is no such row.
    Invalid
        Naming every value that is wrong.
    """
    unknown = set(values) - {"name", "ra", "decl", "radius", "notes"}
    if unknown:
        raise Invalid(dict.fromkeys(sorted(unknown), "is no column of a watchlist"))
    found = _editable(user, list_id)
    _edit(found, user, cone_id, {**_row(found, cone_id), **values}, deleted=False)


@transaction.atomic
def delete_row(user: User, list_id: int, cone_id: int) -> None:
    """Remove a row."""
    found = _editable(user, list_id)
    _edit(found, user, cone_id, _row(found, cone_id), deleted=True)


@transaction.atomic
def restore_row(user: User, list_id: int, cone_id: int) -> None:
    """Bring back a row that was removed from the newest version.

    Raises
    ------
    NotFound
        If no such row was removed, or too many others have been edited since.
    """
    found = _editable(user, list_id)
    removed = WatchlistEdit.objects.filter(version=found.current, cone_id=cone_id, deleted=True).first()
    if removed is None:
        raise NotFound(f"no row {cone_id} was removed from watchlist {list_id} that could be had back")
    values = {name: getattr(removed, name) for name in ("name", "ra", "decl", "radius", "notes")}
    _edit(found, user, cone_id, values, deleted=False)


def rows(
    user: User | AnonymousUser | None,
    list_id: int,
    *,
    after_cone_id: int = 0,
    limit: int = 100,
    name: str = "",
) -> pa.Table:
    """A page of the rows of a list, by number; or those whose name holds `name`."""
    found = _visible(user, list_id)
    if found.current is None:
        return stored_rows.STORED_SCHEMA.empty_table()
    if name:
        return stored_rows.named(found.current, name, limit)
    return stored_rows.page(found.current, after_cone_id, limit)


def all_rows(user: User | AnonymousUser | None, list_id: int) -> pa.Table:
    """All rows of a list, to be exported."""
    found = _visible(user, list_id)
    return stored_rows.load(found.current) if found.current else stored_rows.STORED_SCHEMA.empty_table()


def visible(user: User | AnonymousUser | None) -> list[Watchlist]:
    """The lists the user sees, by number."""
    seen = Watchlist.objects.visible_to(user).select_related("current", "owner", "collaboration")
    return list(seen.order_by("pk"))


def get(user: User | AnonymousUser | None, list_id: int) -> Watchlist:
    """A list the user sees."""
    return _visible(user, list_id)


@transaction.atomic
def describe(user: User, list_id: int, **values: Any) -> Watchlist:
    """Change any of name, description, default_radius."""
    unknown = set(values) - {"name", "description", "default_radius"}
    if unknown:
        raise Invalid(dict.fromkeys(sorted(unknown), "cannot be set here"))
    found = _editable(user, list_id)
    sharing.changed(found, values)
    return found


@transaction.atomic
def set_active(user: User, list_id: int, active: bool) -> Watchlist:
    """Match the list on the stream, or no longer.

    Raises
    ------
    Invalid
        If it has no rows.
    """
    found = _editable(user, list_id)
    if active and found.current is None:
        raise Invalid({"": "the list has no rows yet; upload some first"})
    found.active, found.revision = active, found.revision + 1
    found.save(update_fields=["active", "revision", "modified"])
    return found


@transaction.atomic
def copy(user: User, list_id: int, name: str) -> Watchlist:
    """A private copy of a list the user sees. Rows keep their numbers; triggers are not copied."""
    source = _visible(user, list_id)
    made = Watchlist(
        owner=user,
        name=name.strip(),
        description=source.description,
        default_radius=source.default_radius,
        copied_from=source,
        next_cone_id=source.next_cone_id,
    )
    sharing.save_checked(made)
    if source.current is not None:
        _new_version(made, user, stored_rows.load(source.current), f"{source.owner.username}'s {source.name}")
    return made


@transaction.atomic
def share(user: User, list_id: int, visibility: str, collaboration: Collaboration | None = None) -> Watchlist:
    """Make a list private, public, or its collaboration's; see `sharing.share`."""
    return sharing.share(user, Watchlist.objects.all(), list_id, visibility, collaboration)


@transaction.atomic
def delete(user: User, list_id: int) -> None:
    """Remove a list with its rows. Only its owner may; `trash.restore` brings it back."""
    trash.remove(user, _editable(user, list_id))


@transaction.atomic
def add_trigger(user: User, list_id: int, **values: Any) -> WatchlistTrigger:
    """A magnitude trigger for the list, or with cone_id for one of its rows; see WatchlistTrigger.

    It starts now unless start_mjd (MJD TAI) is given.

    Raises
    ------
    NotFound
        If there is no such row.
    Invalid
        Naming every value that makes no sense.
    """
    found = _editable(user, list_id)
    if values.get("cone_id") is not None:
        _row(found, int(values["cone_id"]))
    trigger = WatchlistTrigger(watchlist=found, start_mjd=_now_mjd())
    _set_trigger(trigger, values)
    return trigger


@transaction.atomic
def change_trigger(user: User, trigger_id: int, **values: Any) -> WatchlistTrigger:
    """Change a magnitude trigger.

    Unless just its name changes, or it is turned off, it starts anew, now or at start_mjd: what lies before
    is judged by the new rule, but causes no event.
    """
    trigger = _trigger(user, trigger_id)
    if set(values) - {"name", "active"} or values.get("active"):
        values.setdefault("start_mjd", _now_mjd())
    _set_trigger(trigger, values)
    return trigger


def triggers(user: User | AnonymousUser | None, list_id: int) -> list[WatchlistTrigger]:
    """The triggers of a list the user sees, oldest first."""
    return list(_visible(user, list_id).triggers.order_by("pk"))


@transaction.atomic
def remove_trigger(user: User, trigger_id: int) -> None:
    """Remove a magnitude trigger; who may change the list may `restore_trigger` it within `trash.KEPT`."""
    trash.remove_part(_trigger(user, trigger_id), "watchlist")


@transaction.atomic
def restore_trigger(user: User, trigger_id: int) -> WatchlistTrigger:
    """Undo that a trigger was removed. It starts anew: what lies before now causes no event.

    Raises
    ------
    NotFound
        If it was not removed, or longer ago, or the user may not change the list.
    """
    editable = WatchlistTrigger.everything.editable_by(user)
    found = removed_triggers(editable).filter(pk=trigger_id).first()
    if found is None:
        raise NotFound(f"there is no removed trigger {trigger_id}")
    sharing.changed(found, {"deleted": None, "start_mjd": _now_mjd()})
    return found


def removed_triggers(among: WatchlistTriggerQuerySet) -> WatchlistTriggerQuerySet:
    """Those that were removed and can be had back, the last removed first."""
    return trash.removed_among(among).select_related("watchlist")


def _trigger(user: User, trigger_id: int) -> WatchlistTrigger:
    trigger = WatchlistTrigger.objects.editable_by(user).filter(pk=trigger_id).first()
    if trigger is None:
        if WatchlistTrigger.objects.visible_to(user).filter(pk=trigger_id).exists():
            raise NotAllowed("its list belongs to somebody else")
        raise NotFound(f"there is no trigger {trigger_id}")
    return trigger


def _set_trigger(trigger: WatchlistTrigger, values: Mapping[str, Any]) -> None:
    fixed = {"id", "watchlist", "created", "deleted"}
    settable = {f.name for f in WatchlistTrigger._meta.get_fields()} - fixed
    unknown = set(values) - settable
    if unknown:
        raise Invalid(
            {name: f"unknown; choose from {', '.join(sorted(settable))}" for name in sorted(unknown)}
        )
    sharing.changed(trigger, dict(values))


def _now_mjd() -> float:
    from astropy.time import Time

    return float(Time.now().tai.mjd)


def _visible(user: User | AnonymousUser | None, list_id: int) -> Watchlist:
    return sharing.visible(Watchlist.objects.select_related("current", "owner"), user, list_id)


def _editable(user: User, list_id: int, *, lock: bool = True) -> Watchlist:
    return sharing.editable(Watchlist.objects.all(), user, list_id, lock=lock)


def _row(found: Watchlist, cone_id: int) -> dict[str, Any]:
    row = stored_rows.one(found.current, cone_id) if found.current else None
    if row is None:
        raise NotFound(f"watchlist {found.pk} has no row {cone_id}")
    row.pop("cone_id")
    return row


def _new_version(found: Watchlist, user: User, numbered: pa.Table, source_name: str) -> WatchlistVersion:
    newest = found.versions.aggregate(newest=Max("number"))["newest"] or 0
    version = WatchlistVersion.objects.create(
        watchlist=found,
        number=newest + 1,
        author=user,
        source_name=source_name[:255],
        row_count=numbered.num_rows,
    )
    stored_rows.store(version, numbered)
    found.current, found.revision = version, found.revision + 1
    found.save(update_fields=["current", "revision", "next_cone_id", "modified"])
    return version


def _edit(found: Watchlist, user: User, cone_id: int, values: dict[str, Any], *, deleted: bool) -> None:
    version = found.current
    if version is None:
        raise NotFound(f"watchlist {found.pk} has no rows")
    edit = WatchlistEdit.objects.filter(version=version, cone_id=cone_id).first() or WatchlistEdit(
        version=version, cone_id=cone_id
    )
    was_there = stored_rows.one(version, cone_id) is not None
    sharing.changed(edit, {**values, "deleted": deleted, "author": user})
    version.row_count = F("row_count") + int(not deleted) - int(was_there)
    version.match = WatchlistVersion.Match.WAITING
    version.save(update_fields=["row_count", "match"])
    version.refresh_from_db()
    Watchlist.objects.filter(pk=found.pk).update(revision=F("revision") + 1)
    if version.edits.count() >= COMPACT_AT:
        _compact(version)


def _compact(version: WatchlistVersion) -> None:
    """Merge the edits of a version into its blocks."""
    whole = stored_rows.load(version)
    version.blocks.all().delete()
    version.edits.all().delete()
    stored_rows.store(version, whole)
