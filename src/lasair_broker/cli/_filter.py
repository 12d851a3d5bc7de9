"""`lasair filter`: queries that run on the stream."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from . import _filter_file, _filter_output, _filter_past
from ._context import ArchiveOption, console, fail
from ._filter_wording import (
    AdqlOption,
    CommentOption,
    ConditionsOption,
    RenotifyOption,
    SelectedOption,
    TablesOption,
    TriggerOption,
    wording,
)
from ._format import number
from ._lists import Visibility, VisibilityArgument, YesOption, collaboration_of, confirm
from ._user import UserOption, acting
from ._values import SetOption

if TYPE_CHECKING:
    from lasair_broker.web.filters.models import Filter, FilterVersion

__all__ = ["app"]

app = typer.Typer(help="Filters: queries that run on the stream.", no_args_is_help=True)
app.add_typer(_filter_output.app, name="output")
_filter_past.add_to(app)
_filter_file.add_to(app)

FilterArgument = Annotated[int, typer.Argument(metavar="FILTER", help="Number of the filter.")]
VersionArgument = Annotated[
    int | None, typer.Argument(metavar="[VERSION]", help="Number of the version. Default: the newest.")
]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name of the filter.")],
    adql: AdqlOption = None,
    selected: SelectedOption = None,
    tables: TablesOption = None,
    conditions: ConditionsOption = None,
    trigger: TriggerOption = None,
    renotify: RenotifyOption = None,
    values: SetOption = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    comment: CommentOption = "",
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Make a private filter. Its checked query is version 1, a draft: preview it, then activate it."""
    with acting(user, archive) as me:
        from lasair_broker.web.catalogue import catalogue_for
        from lasair_broker.web.filters import services

        words = wording(
            None, adql, selected, tables, conditions, trigger, renotify, values, lambda: catalogue_for(me)
        )
        made = services.create(me, name, words, description=description, comment=comment)
    console.print(f"filter {made.pk} made; see what it would find: lasair filter preview {made.pk}")


@app.command()
def edit(
    filter_id: FilterArgument,
    adql: AdqlOption = None,
    selected: SelectedOption = None,
    tables: TablesOption = None,
    conditions: ConditionsOption = None,
    trigger: TriggerOption = None,
    renotify: RenotifyOption = None,
    values: SetOption = None,
    name: Annotated[str | None, typer.Option(help="A new name; the topic stays.")] = None,
    description: Annotated[str | None, typer.Option(help="A new description.")] = None,
    comment: CommentOption = "",
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Write a new version, a draft; what is not given stays as in the newest. What runs goes on running."""
    with acting(user, archive) as me:
        from lasair_broker.web.catalogue import catalogue_for
        from lasair_broker.web.filters import services, trying
        from lasair_broker.web.filters.wording import wording_of

        if name is not None or description is not None:
            services.describe(me, filter_id, name=name, description=description)
        versions = services.visible_versions(me, filter_id)
        before = wording_of(versions[-1]) if versions else None
        owner = trying.owner_of(me, filter_id)
        words = wording(
            before,
            adql,
            selected,
            tables,
            conditions,
            trigger,
            renotify,
            values,
            lambda: catalogue_for(owner, me),
        )
        version = services.save_version(me, filter_id, words, comment=comment)
    console.print(f"filter {filter_id} version {version.number}: {version.get_state_display()}")


@app.command("list")
def list_filters(
    everybody: Annotated[bool, typer.Option("--all", help="Also those that others share.")] = False,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Show your filters."""
    with acting(user, archive) as me:
        from lasair_broker.web.filters.models import Filter

        found = Filter.objects.visible_to(me) if everybody else Filter.objects.editable_by(me)
        shown = Table("", "name", "owner", "seen by", "runs", "a night", box=None, header_style="bold")
        for each in found.select_related("owner", "collaboration", "active_version").order_by("pk"):
            version = each.active_version
            shown.add_row(
                str(each.pk),
                escape(each.name),
                escape(each.owner.username),
                _seen_by(each),
                f"version {version.number}" if version else "",
                number(version.preview_per_night) if version else "",
            )
    console.print(shown)


@app.command()
def show(filter_id: FilterArgument, user: UserOption = None, archive: ArchiveOption = None) -> None:
    """Show a filter with its versions and the wording of the newest."""
    with acting(user, archive) as me:
        from lasair_broker.web.filters import services
        from lasair_broker.web.filters.models import Filter

        versions = services.visible_versions(me, filter_id)
        found = Filter.objects.select_related("owner", "collaboration").get(pk=filter_id)
        console.print(
            f"[bold]{escape(found.name)}[/]  filter {found.pk} of {escape(found.owner.username)}, seen by "
            f"{_seen_by(found)}, topic {escape(found.topic)}",
            highlight=False,
        )
        if found.description:
            console.print(escape(found.description), highlight=False)
        shown = Table("version", "", "UTC", "fraction", "a night", "", box=None, header_style="bold")
        for version in versions:
            shown.add_row(*_row(version))
    console.print(shown)
    if versions:
        console.print(escape(versions[-1].text()), highlight=False)


@app.command()
def activate(
    filter_id: FilterArgument,
    version: VersionArgument = None,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Run a previewed version on the stream from the next batch on, in place of the one that runs."""
    with acting(user, archive) as me:
        from lasair_broker.web.filters import services

        versions = services.visible_versions(me, filter_id)
        which = version or (versions[-1].number if versions else 1)
        services.activate(me, filter_id, which)
    console.print(f"filter {filter_id} runs version {which}")


@app.command()
def deactivate(filter_id: FilterArgument, user: UserOption = None, archive: ArchiveOption = None) -> None:
    """Stop running a filter on the stream."""
    with acting(user, archive) as me:
        from lasair_broker.web.filters import services

        services.deactivate(me, filter_id)
    console.print(f"filter {filter_id} does not run any more")


@app.command()
def rollback(
    filter_id: FilterArgument,
    version: Annotated[int, typer.Argument(metavar="VERSION", help="A version that ran before.")],
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Run an earlier version again."""
    with acting(user, archive) as me:
        from lasair_broker.web.filters import services

        services.roll_back(me, filter_id, version)
    console.print(f"filter {filter_id} runs version {version} again")


@app.command()
def diff(
    filter_id: FilterArgument,
    old: Annotated[int, typer.Argument(metavar="OLD", help="A version.")],
    new: Annotated[int, typer.Argument(metavar="NEW", help="Another.")],
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Show how two versions differ."""
    with acting(user, archive) as me:
        from lasair_broker.web.filters import services

        sys.stdout.write(services.diff(me, filter_id, old, new))


@app.command()
def fork(
    filter_id: FilterArgument,
    name: Annotated[str, typer.Option(help="Name of the copy. Default: the same.")] = "",
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Copy a filter that you see, to change it."""
    with acting(user, archive) as me:
        from lasair_broker.web.filters import services

        copy = services.fork(me, filter_id, name)
    console.print(f"filter {copy.pk} made: {escape(copy.name)}", highlight=False)


@app.command()
def share(
    filter_id: FilterArgument,
    visibility: VisibilityArgument,
    collaboration: Annotated[
        str | None, typer.Option("--with", metavar="SLUG", help="The collaboration to share it with.")
    ] = None,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Say who sees a filter, and with it what it finds."""
    with acting(user, archive) as me:
        from lasair_broker.web.filters import services

        if visibility is Visibility.group and collaboration is None:
            raise fail("which collaboration?", "Name it: --with SLUG")
        services.share(me, filter_id, visibility.value, collaboration_of(collaboration))
    console.print(f"filter {filter_id} is {visibility.value}")


@app.command()
def delete(
    filter_id: FilterArgument, yes: YesOption = False, user: UserOption = None, archive: ArchiveOption = None
) -> None:
    """Remove a filter with its versions and outputs; for 30 days it can be restored. What it has found stays
    in the archive."""
    with acting(user, archive) as me:
        from lasair_broker.web.filters import services

        confirm(f"Remove filter {filter_id}?", yes)
        services.delete(me, filter_id)
    console.print(f"filter {filter_id} removed; to have it again: lasair filter restore {filter_id}")


@app.command()
def restore(filter_id: FilterArgument, user: UserOption = None, archive: ArchiveOption = None) -> None:
    """Undo the removal of a filter; it does not run until it is activated."""
    with acting(user, archive) as me:
        from lasair_broker.web.filters import services

        found = services.restore(me, filter_id)
        name = found.name
    console.print(f"filter {filter_id} is there again, as {escape(name)}", highlight=False)


def _seen_by(found: Filter) -> str:
    group = f" {escape(found.collaboration.name)}" if found.collaboration else ""
    return f"{found.visibility}{group}"


def _row(version: FilterVersion) -> tuple[str, ...]:
    seen = version.preview_fraction
    return (
        str(version.number),
        version.get_state_display(),
        f"{version.created:%Y-%m-%d %H:%M}",
        "" if seen is None else f"{seen:.3%}",
        number(version.preview_per_night),
        escape(version.comment),
    )
