"""`lasair model`: the models that give class probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from lasair_broker.classify import ModelError, load_model, shipped_model
from lasair_broker.classify.others import ColumnsInput, OtherModel, column_names, load_other_model

from ._context import console, errors, settings_for

__all__ = ["app"]

app = typer.Typer(
    help="Models that give class probabilities: ours, and other people's.", no_args_is_help=True
)

_SHOWN = 6


@app.command("list")
def show_list() -> None:
    """List the models that the stream runs, by the settings classify.model and classify.others."""
    wanted = settings_for(None).classify
    if not wanted.enabled:
        errors.print("[yellow]classify.enabled is off: no object gets class probabilities.[/]")
    table = Table("model", "version", "surveys", "ages", "state", box=None)
    try:
        ours = shipped_model() if wanted.model is None else load_model(wanted.model)
        for head in ours.heads:
            ages = "any" if head.oldest is None else f"to {head.oldest:g} d"
            table.add_row(ours.name, ours.version, ", ".join(head.surveys), ages, f"ours, {head.name}")
    except ModelError as error:
        table.add_row("lasair", "", "", "", f"[red]{escape(str(error))}[/]")
    broken = False
    for path in wanted.others:
        try:
            model = load_other_model(path, wanted.threads)
        except ModelError as error:
            broken = True
            table.add_row(escape(path.stem), "", "", "", f"[red]left out: {escape(str(error))}[/]")
            continue
        told = model.description
        surveys = ", ".join(told.surveys) or "any"
        table.add_row(model.name, model.version, surveys, _ages(model), escape(str(path)))
    console.print(table)
    if broken:
        raise typer.Exit(1)


@app.command()
def check(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="YAML files of other people's models.")
    ],
) -> None:
    """Check models of other people: their YAML files, inputs and outputs, and whether they run.

    Each is tried on one object and on two, of zeros. To run them in the stream, name the files in the
    setting classify.others.
    """
    threads = settings_for(None).classify.threads
    broken = False
    for path in files:
        try:
            _show(load_other_model(path, threads))
        except ModelError as error:
            errors.print(f"[red]{escape(str(error))}[/]", highlight=False)
            broken = True
    if broken:
        raise typer.Exit(1)


@app.command()
def columns(
    group: Annotated[
        str,
        typer.Argument(
            help="Which: features (of our own model), objects, context (of the context stage) or newest "
            "(of the newest detection)."
        ),
    ] = "features",
) -> None:
    """List what a model can ask for in its YAML file, under inputs.columns."""
    if group not in ("features", "objects", "context", "newest"):
        raise typer.BadParameter("choose from features, objects, context, newest", param_hint="GROUP")
    for name in column_names("" if group == "features" else group):
        console.print(name, highlight=False)


def _show(model: OtherModel) -> None:
    told = model.description
    surveys = ", ".join(told.surveys) or "any survey"
    console.print(
        f"[bold]{escape(model.name)}[/], version {escape(model.version)}: {surveys}, ages {_ages(model)}",
        highlight=False,
    )
    for one in told.inputs:
        label = f"input {one.name}" if one.name else "input"
        if isinstance(one, ColumnsInput):
            shown = ", ".join(one.columns[:_SHOWN]) + (" …" if len(one.columns) > _SHOWN else "")
            console.print(f"  {label}: {len(one.columns)} columns, {shown}", markup=False, highlight=False)
        else:
            console.print(
                f"  {label}: {', '.join(one.images)}, {one.size} × {one.size} pixels, {one.layout}, "
                f"scaling {one.scaling}, missing: {one.missing}",
                highlight=False,
            )
    nodes = ", ".join(node or "–" for node in told.output.nodes)
    console.print(f"  output, {told.output.kind}: {nodes}", highlight=False)
    console.print("  it runs", highlight=False)


def _ages(model: OtherModel) -> str:
    told = model.description
    if told.oldest == float("inf"):
        return "any" if told.youngest <= 0 else f"from {told.youngest:g} d"
    return f"{told.youngest:g} to {told.oldest:g} d"
