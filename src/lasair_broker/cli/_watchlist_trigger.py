"""`lasair watchlist trigger`: be told when a source brightens or fades."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ._context import ArchiveOption, console
from ._lists import given
from ._user import UserOption, acting

if TYPE_CHECKING:
    from lasair_broker.web.watchlists.models import WatchlistTrigger

__all__ = ["app"]

app = typer.Typer(
    help="Magnitude triggers of a watchlist: what crosses a magnitude, or changes by some.",
    no_args_is_help=True,
)


class Kind(StrEnum):
    """What a trigger compares a point with."""

    crosses = "crosses"
    changes = "changes"


class Direction(StrEnum):
    """Which way a trigger looks."""

    brightens = "brightens"
    fades = "fades"
    either = "either"


class Flux(StrEnum):
    """What is compared."""

    difference = "difference"
    total = "total"


ListArgument = Annotated[int, typer.Argument(metavar="LIST", help="Number of the watchlist.")]
TriggerArgument = Annotated[int, typer.Argument(metavar="TRIGGER", help="Number of the trigger.")]
RowOption = Annotated[int | None, typer.Option(help="Only for this row (cone_id).")]
NameOption = Annotated[str | None, typer.Option(help="A name for people.")]
KindOption = Annotated[
    Kind | None, typer.Option(help="crosses: reaches --magnitude; changes: differs by --change.")
]
DirectionOption = Annotated[Direction | None, typer.Option(help="Default: brightens.")]
MagnitudeOption = Annotated[float | None, typer.Option(help="AB magnitude to cross.")]
ChangeOption = Annotated[float | None, typer.Option(help="Change in magnitudes.")]
BaselineOption = Annotated[
    float | None,
    typer.Option(help="AB magnitude to measure the change from. Default: the median of older points."),
]
GapOption = Annotated[float | None, typer.Option(help="Days between those and the point. Default: 30.")]
BandsOption = Annotated[str | None, typer.Option(help="Bands to look at. Default: ugrizy.")]
ConsecutiveOption = Annotated[int | None, typer.Option(help="So many points in a row. Default: 2.")]
FluxOption = Annotated[
    Flux | None,
    typer.Option(help="Difference flux, or total flux (for variable stars). Default: difference."),
]
ForcedOption = Annotated[bool | None, typer.Option(help="Look at forced photometry too. Default: yes.")]
SnrOption = Annotated[float | None, typer.Option(help="Least signal-to-noise ratio. Default: 5.")]
RearmOption = Annotated[
    float | None, typer.Option(help="Magnitudes to come back before the next event. Default: 0.3.")
]
CooldownOption = Annotated[float | None, typer.Option(help="Days between two events. Default: 1.")]
StartOption = Annotated[
    float | None,
    typer.Option(help="MJD TAI; what lies before causes no event. Default: now."),
]


@app.command()
def add(
    watchlist: ListArgument,
    row: RowOption = None,
    name: NameOption = None,
    kind: KindOption = None,
    direction: DirectionOption = None,
    magnitude: MagnitudeOption = None,
    change: ChangeOption = None,
    baseline_magnitude: BaselineOption = None,
    baseline_gap: GapOption = None,
    bands: BandsOption = None,
    consecutive: ConsecutiveOption = None,
    flux: FluxOption = None,
    forced: ForcedOption = None,
    min_snr: SnrOption = None,
    rearm: RearmOption = None,
    cooldown: CooldownOption = None,
    start: StartOption = None,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Add a trigger to a watchlist, for all its rows or for one."""
    values = given(
        cone_id=row,
        name=name,
        kind=kind.value if kind else Kind.changes.value if change is not None else None,
        direction=direction.value if direction else None,
        magnitude=magnitude,
        change=change,
        baseline_magnitude=baseline_magnitude,
        baseline_gap=baseline_gap,
        bands=bands,
        consecutive=consecutive,
        total=None if flux is None else flux is Flux.total,
        forced=forced,
        min_snr=min_snr,
        rearm=rearm,
        cooldown=cooldown,
        start_mjd=start,
    )
    with acting(user, archive) as me:
        from lasair_broker.web.watchlists import services

        made = services.add_trigger(me, watchlist, **values)
        console.print(f"trigger {made.pk}: {escape(_rule(made))}", highlight=False)


@app.command()
def change(
    trigger: TriggerArgument,
    name: NameOption = None,
    active: Annotated[bool | None, typer.Option(help="Turn it on or off.")] = None,
    direction: DirectionOption = None,
    magnitude: MagnitudeOption = None,
    change: ChangeOption = None,
    baseline_magnitude: BaselineOption = None,
    baseline_gap: GapOption = None,
    bands: BandsOption = None,
    consecutive: ConsecutiveOption = None,
    flux: FluxOption = None,
    forced: ForcedOption = None,
    min_snr: SnrOption = None,
    rearm: RearmOption = None,
    cooldown: CooldownOption = None,
    start: StartOption = None,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Change a trigger: it starts anew."""
    values = given(
        name=name,
        active=active,
        direction=direction.value if direction else None,
        magnitude=magnitude,
        change=change,
        baseline_magnitude=baseline_magnitude,
        baseline_gap=baseline_gap,
        bands=bands,
        consecutive=consecutive,
        total=None if flux is None else flux is Flux.total,
        forced=forced,
        min_snr=min_snr,
        rearm=rearm,
        cooldown=cooldown,
        start_mjd=start,
    )
    if not values:
        raise typer.BadParameter("say what to change")
    with acting(user, archive) as me:
        from lasair_broker.web.watchlists import services

        changed = services.change_trigger(me, trigger, **values)
        console.print(f"trigger {changed.pk}: {escape(_rule(changed))}", highlight=False)


@app.command("list")
def show(watchlist: ListArgument, user: UserOption = None, archive: ArchiveOption = None) -> None:
    """Show the triggers of a watchlist."""
    with acting(user, archive) as me:
        from lasair_broker.web.watchlists import services

        shown = Table("trigger", "row", "name", "active", "rule", box=None, header_style="bold")
        for each in services.triggers(me, watchlist):
            row = "all" if each.cone_id is None else str(each.cone_id)
            shown.add_row(
                str(each.pk), row, escape(each.name), "yes" if each.active else "", escape(_rule(each))
            )
        console.print(shown)


@app.command()
def remove(trigger: TriggerArgument, user: UserOption = None, archive: ArchiveOption = None) -> None:
    """Remove a trigger; its events stay."""
    with acting(user, archive) as me:
        from lasair_broker.web.watchlists import services

        services.remove_trigger(me, trigger)
        console.print(f"trigger {trigger} removed", highlight=False)


def _rule(trigger: WatchlistTrigger) -> str:
    """What a trigger waits for, in words."""
    what = {"brightens": "brightens", "fades": "fades", "either": "brightens or fades"}[trigger.direction]
    how = f"to {trigger.magnitude:g} mag" if trigger.kind == "crosses" else f"by {trigger.change:g} mag"
    flux = "total" if trigger.total else "difference"
    points = "point" if trigger.consecutive == 1 else "points in a row"
    return f"{what} {how} in {trigger.bands} ({flux} flux, {trigger.consecutive} {points})"
