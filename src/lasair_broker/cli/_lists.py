"""What the commands for watchlists and watchmaps have in common."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.markup import escape

from lasair_broker.archive import Archive, ArchiveLockedError, open_archive

from ._context import console, fail, settings_for
from ._progress import work

if TYPE_CHECKING:
    from lasair_broker.web.accounts.models import Collaboration

__all__ = [
    "Visibility",
    "VisibilityArgument",
    "YesOption",
    "collaboration_of",
    "confirm",
    "given",
    "match_due",
    "match_state",
    "refuse_rows",
]

_PROBLEMS_SHOWN = 50


class Visibility(StrEnum):
    """Who may see a thing."""

    private = "private"
    group = "group"
    public = "public"


VisibilityArgument = Annotated[
    Visibility, typer.Argument(help="Who sees it: only you, a collaboration (--with), everybody.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def collaboration_of(slug: str | None) -> Collaboration | None:
    """The collaboration that a command was given.

    Raises
    ------
    Exit
        If there is none.
    """
    from lasair_broker.web.accounts.models import Collaboration

    if slug is None:
        return None
    found = Collaboration.objects.filter(slug=slug).first()
    if found is None:
        raise fail(f"there is no collaboration {escape(slug)}")
    return found


def confirm(what: str, yes: bool) -> None:
    """Ask before something that cannot be undone."""
    if not yes and not typer.confirm(what):
        raise typer.Exit(1)


def refuse_rows(problems: list[str], count: int, hint: str) -> NoReturn:
    """Tell which rows are faulty, and leave with exit code 1."""
    lines = [escape(line) for line in problems[:_PROBLEMS_SHOWN]]
    if count > len(lines):
        lines.append(f"… and {count - len(lines):,} more")
    raise fail(f"{count:,} fault{'' if count == 1 else 's'}, nothing was stored\n" + "\n".join(lines), hint)


def match_state(state: str, done: int, total: int, hits: int, message: str) -> str:
    """How far the match with the archive has come, in words."""
    if state == "running":
        return f"running, {done / max(total, 1):.0%}, {hits:,} hits so far"
    if state == "done":
        return f"done, {hits:,} hits"
    return f"failed: {escape(message)}" if state == "failed" else state


def match_due(archive: str | None) -> None:
    """Match every list and map that is due with the archive, here and now.

    Raises
    ------
    Exit
        If the archive is held by another process: that one matches.
    """
    try:
        opened = open_archive(settings_for(archive).archive)
    except ArchiveLockedError:
        raise fail(
            "the archive is in use by another process",
            "If that is `lasair run` or `lasair ingest`, it matches lists by itself, in the background.",
        ) from None
    with opened as store:
        console.print(f"{_match_all(store)} lists and maps matched with the archive", highlight=False)


def _match_all(store: Archive) -> int:
    from lasair_broker.stream.lists import match_archive
    from lasair_broker.web.list_matching import UserListMatching

    matching = UserListMatching()
    count = 0
    with work("matching") as told:
        while (task := matching.due()) is not None:
            what = f"{'watchlist' if task.table == 'watchlist_hits' else 'watchmap'} {task.list_id}"

            def progress(done: int, total: int, what: str = what) -> None:
                told(what, done / max(total, 1))

            try:
                match_archive(task, store, progress)
            except Exception as error:
                task.failed(str(error))
                raise
            count += 1
    return count


def given(**values: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in values.items() if value is not None}
