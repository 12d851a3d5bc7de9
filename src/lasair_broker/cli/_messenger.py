"""`lasair messenger`: counterparts of gravitational waves, neutrinos and bursts."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
import typer
from rich.markup import escape
from rich.table import Table

from lasair_broker.context.events import read_map, read_stored, read_versions
from lasair_broker.messengers import MessengerIndex, joint_events
from lasair_broker.settings import Settings
from lasair_broker.sky import VolumeLevels
from lasair_broker.stream import stop_on_signals

from ._context import ArchiveOption, console, errors, fail, opened, settings_for
from ._news import maps_of, notices_of

__all__ = ["app"]

app = typer.Typer(
    help="Counterparts of gravitational waves, neutrinos and bursts; see also lasair event.",
    no_args_is_help=True,
)

_Name = Annotated[str, typer.Argument(help="Name of the event, as lasair event list shows it.")]

_SHOWN = {
    "objectName": "", "tier": "", "state": "", "contour": ".1f", "contour3": ".1f", "firstDays": "+.2f",
    "distanceSigma": "+.1f", "logBayesFactor": ".2f", "chanceProbability": ".2g", "classification": "",
}  # fmt: skip


@app.command()
def candidates(
    name: _Name,
    archive: ArchiveOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="So many, the best first.")] = 20,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that are no candidates: seen before, superseded, …")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="All columns, as JSON.")] = False,
) -> None:
    """Show the objects that may be counterparts of an event, the best first."""
    settings = settings_for(archive)
    event = _event(settings, name)
    with opened(archive) as store:
        rows = store.query(_sql(event["mw_id"], everything, limit), timeout=None)
    if as_json:
        console.print_json(json.dumps(rows.to_pylist()))
        return
    if not rows.num_rows:
        console.print("There are none.", highlight=False)
        return
    table = Table(*_SHOWN, box=None)
    for row in rows.to_pylist():
        table.add_row(*(_figure(row[column], form) for column, form in _SHOWN.items()))
    console.print(table)


@app.command()
def versions(name: _Name) -> None:
    """Show every notice of an event."""
    settings = settings_for(None)
    _event(settings, name)
    rows = read_versions(settings.context.catalogues)
    shown = {
        "version": "", "alertType": "", "noticeMjdTai": ".5f", "eventClass": "", "area90": ",.1f",
        "distance": ",.0f", "falseAlarmRate": ".2g", "skymap": "",
    }  # fmt: skip
    table = Table(*shown, box=None)
    table.columns[1].no_wrap, table.columns[1].min_width = True, len("preliminary")
    missing = []
    for row in rows.filter(pc.equal(rows["eventName"], name)).to_pylist():
        if row["skymap"] is None and row["skymapUrl"] is not None:
            row["skymap"] = "missing"
            missing.append(f"the map of version {row['version']} is still missing: {row['skymapUrl']}")
        table.add_row(*(_figure(row[column], form) for column, form in shown.items()))
    console.print(table)
    for line in missing:
        console.print(escape(line), highlight=False, soft_wrap=True)


@app.command("map")
def show_map(
    name: _Name,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to: .fits, or .txt for a MOC in ASCII.")],
    level: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="The region of this probability, as a MOC. Default: the map."),
    ] = None,
) -> None:
    """Write the newest map of an event, or a credible region of it that can serve as a watchmap."""
    settings = settings_for(None)
    event = _event(settings, name)
    index = _index(settings, pa.array([event["mw_id"]]))
    if not len(index):
        raise fail(f"there is no region of {escape(name)}", "lasair messenger versions shows its notices")
    newest = index.maps[-1]
    if level is None:
        out.write_bytes(newest.to_fits())
    elif out.suffix == ".txt":
        out.write_text(newest.region(level).to_ascii())
    else:
        out.write_bytes(newest.region(level).to_fits())
    console.print(f"written to {escape(str(out))}", highlight=False)


@app.command()
def joint() -> None:
    """Show gravitational waves with a burst or neutrino near in time and place."""
    index = _index(settings_for(None))
    names = dict(zip(index.events["mw_id"].to_pylist(), index.events["eventName"].to_pylist(), strict=True))
    pairs = joint_events(index)
    if not pairs:
        console.print("There are none.", highlight=False)
        return
    table = Table("wave", "with", "seconds", "overlap", "false alarms/yr", "ln odds", "chance", box=None)
    for pair in pairs:
        table.add_row(
            escape(names[pair.first]), escape(names[pair.second]), f"{pair.seconds:+.2f}",
            f"{pair.overlap:.3g}", _figure(pair.rate, ".2g"), f"{pair.ln_odds:.1f}", f"{pair.chance:.2g}",
        )  # fmt: skip
    console.print(table)


@app.command()
def listen() -> None:
    """Take in notices as they are announced until stopped; `lasair run` does so by itself."""
    follower = notices_of(settings_for(None))
    if follower is None:
        raise fail("no topics of notices are set", "set messengers.topics (LASAIR_MESSENGERS__TOPICS)")
    maps = maps_of(settings_for(None))
    with stop_on_signals() as stop, follower.running(), maps.running() if maps else nullcontext():
        errors.print("listening; Ctrl-C stops it, and loses nothing", highlight=False)
        stop.wait()
    console.print(f"{follower.taken:,} taken in, {follower.refused:,} refused", highlight=False)


@app.command()
def fetch() -> None:
    """Fetch maps that notices only name by address, from the hosts in the settings; `lasair run` does so by
    itself."""
    fetcher = maps_of(settings_for(None))
    if fetcher is None:
        raise fail("no hosts of maps are set", "set messengers.map_hosts (LASAIR_MESSENGERS__MAP_HOSTS)")
    console.print(f"{fetcher.look():,} maps fetched", highlight=False)


def _event(settings: Settings, name: str) -> dict[str, Any]:
    rows = read_stored(settings.context.catalogues)
    found = rows.filter(pc.equal(rows["eventName"], name)).to_pylist()
    if not found:
        raise fail(f"there is no event {escape(name)}", "lasair event list shows those there are")
    return dict(found[0])


def _index(settings: Settings, numbers: pa.Array | None = None) -> MessengerIndex:
    folder = settings.context.catalogues
    events = read_stored(folder)
    if numbers is not None:
        events = events.filter(pc.is_in(events["mw_id"], value_set=numbers.cast(pa.int32())))
    return MessengerIndex.build(
        events,
        read_versions(folder),
        lambda name: read_map(folder, name),
        volumes_of=_no_volumes,
        tests=True,
    )


def _no_volumes(_: object) -> VolumeLevels | None:
    """Credible volumes take a while, and are not asked for here."""
    return None


def _sql(mw_id: int, everything: bool, limit: int) -> str:
    only = "" if everything else "AND m.state = 'current' AND NOT m.\"seenBefore\" "
    return (
        'SELECT o."objectName", s.classification, m.* FROM mma_hits m '  # noqa: S608 - numbers
        'JOIN objects o ON o."diaObjectId" = m."diaObjectId" '
        'LEFT JOIN sherlock_classifications s ON s."diaObjectId" = m."diaObjectId" '
        f"WHERE m.mw_id = {int(mw_id)} {only}"
        'ORDER BY m."chanceProbability" NULLS LAST, m."logBayesFactor" DESC NULLS LAST, m.contour '
        f"LIMIT {int(limit)}"
    )


def _figure(value: object, form: str) -> str:
    return "" if value is None else escape(format(value, form))
