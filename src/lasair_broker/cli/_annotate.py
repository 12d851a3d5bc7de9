"""`lasair annotate` and `lasair annotator`: say something of objects, for others' filters to act on."""

from __future__ import annotations

import csv
import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import pyarrow.parquet
import typer
from rich.markup import escape
from rich.table import Table

from ._context import ArchiveOption, console, errors, fail, opened
from ._lists import VisibilityArgument, collaboration_of, given, refuse_rows
from ._user import UserOption, acting

__all__ = ["annotate", "app"]

app = typer.Typer(
    help="Annotators: topics under which people and programs speak of objects.", no_args_is_help=True
)

TopicArgument = Annotated[str, typer.Argument(metavar="TOPIC", help="Topic of the annotator.")]


class Kind(StrEnum):
    """Who speaks."""

    person = "person"
    program = "program"


KindOption = Annotated[Kind | None, typer.Option(help="Who speaks.")]
DescriptionOption = Annotated[str | None, typer.Option(help="What it says, and how it comes to it.")]
UrlOption = Annotated[str | None, typer.Option(help="Where more is to be read.")]


def annotate(
    topic: TopicArgument,
    file: Annotated[
        Path | None,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="CSV, JSON (a list, or an object a line) or Parquet with columns diaObjectId, "
            "classification, and any of version, explanation, classdict, url.",
        ),
    ] = None,
    object_id: Annotated[
        str | None, typer.Option("--object", metavar="ID", help="Number or name of one object.")
    ] = None,
    classification: Annotated[str | None, typer.Option(help="The verdict in a word.")] = None,
    explanation: Annotated[str | None, typer.Option(help="The verdict in a sentence.")] = None,
    classdict: Annotated[str | None, typer.Option(help="The verdict in detail, JSON.")] = None,
    version: Annotated[str | None, typer.Option(help="Version of the annotator.")] = None,
    url: UrlOption = None,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Annotate objects: one by options, or many by a file; all of them or, if one is wrong, none.

    Filters triggered by annotation run on them within seconds, if the stream runs.
    """
    one = given(
        diaObjectId=object_id,
        classification=classification,
        explanation=explanation,
        classdict=classdict,
        version=version,
        url=url,
    )
    if (file is None) == (object_id is None) or (file is not None and one):
        raise typer.BadParameter("give a FILE, or --object and --classification")
    with acting(user, archive) as me:
        from lasair_broker.web.annotators import services
        from lasair_broker.web.errors import Invalid

        rows = [one] if file is None else _read(file)
        with opened(archive, read_only=True) as store, errors.status(f"checking {len(rows):,} annotations …"):
            try:
                numbers = services.push(me, topic, rows, store)
            except Invalid as error:
                problems = [f"{place}: {text}" if place else text for place, text in error.faults.items()]
                refuse_rows(problems, len(problems), "Correct these, and give all rows again.")
        console.print(f"{len(numbers):,} annotations pushed under {escape(topic)}", highlight=False)


def _read(file: Path) -> list[dict[str, Any]]:
    """The rows of a file, without fields that are empty.

    Raises
    ------
    Exit
        If it cannot be read, naming the line.
    """
    if file.suffix == ".parquet":
        try:
            rows = pyarrow.parquet.read_table(file).to_pylist()
        except pyarrow.ArrowException as error:
            raise fail(f"{escape(file.name)} is no Parquet file: {escape(str(error))}") from None
        return [given(**row) for row in rows]
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise fail(f"{escape(file.name)} is not text in UTF-8: {error}") from None
    if text.lstrip()[:1] in ("[", "{"):
        return _read_json(file.name, text)
    reader = csv.DictReader(text.splitlines(), strict=True)
    try:
        rows = list(reader)
    except csv.Error as error:
        raise fail(f"{escape(file.name)}, line {reader.line_num}: {error}") from None
    for number, row in enumerate(rows, 1):
        if None in row or None in row.values():
            raise fail(f"{escape(file.name)}, row {number}: has another number of fields than the header")
    return [{name: value for name, value in row.items() if value != ""} for row in rows]


def _read_json(name: str, text: str) -> list[dict[str, Any]]:
    place = ""
    try:
        if text.lstrip().startswith("["):
            rows = json.loads(text)
        else:
            rows = []
            for number, line in enumerate(text.splitlines(), 1):
                place = f", line {number}"
                if line.strip():
                    rows.append(json.loads(line))
    except ValueError as error:
        raise fail(f"{escape(name)}{place} is not JSON: {escape(str(error))}") from None
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise fail(f"{escape(name)}, row {number}: is no object", 'Write {"diaObjectId": …, …}.')
    return list(rows)


@app.command()
def create(
    topic: TopicArgument,
    kind: KindOption = None,
    description: DescriptionOption = None,
    url: UrlOption = None,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Make a private annotator."""
    with acting(user, archive) as me:
        from lasair_broker.web.annotators import services

        values = given(kind=kind.value if kind else None, description=description, url=url)
        made = services.create(me, topic, **values)
        console.print(f"annotator {made.topic} made", highlight=False)


@app.command()
def change(
    topic: TopicArgument,
    active: Annotated[bool | None, typer.Option(help="Whether anybody may speak under it.")] = None,
    kind: KindOption = None,
    description: DescriptionOption = None,
    url: UrlOption = None,
    writer: Annotated[
        list[str] | None,
        typer.Option(help="Who else may speak under it; takes the place of those named before."),
    ] = None,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Change an annotator."""
    values = given(active=active, kind=kind.value if kind else None, description=description, url=url)
    if not values and not writer:
        raise typer.BadParameter("say what to change")
    with acting(user, archive) as me:
        from lasair_broker.web.annotators import services

        if values:
            services.describe(me, topic, **values)
        if writer:
            services.set_writers(me, topic, writer)
        console.print(f"annotator {escape(topic)} changed", highlight=False)


@app.command("list")
def show(user: UserOption = None, archive: ArchiveOption = None) -> None:
    """Show the annotators you see: your own, your collaborations', and public ones."""
    with acting(user, archive) as me:
        from lasair_broker.web.annotators import services

        shown = Table("topic", "kind", "active", "owner", "seen by", "", box=None, header_style="bold")
        for each in services.visible(me):
            seen = each.collaboration.name if each.collaboration else each.visibility
            shown.add_row(
                each.topic,
                each.kind,
                "yes" if each.active else "",
                escape(each.owner.username),
                escape(seen),
                escape(each.description),
            )
        console.print(shown)


@app.command()
def share(
    topic: TopicArgument,
    visibility: VisibilityArgument,
    collaboration: Annotated[
        str | None, typer.Option("--with", metavar="NAME", help="Short name of the collaboration.")
    ] = None,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Say who sees an annotator and what it says."""
    with acting(user, archive) as me:
        from lasair_broker.web.annotators import services

        services.share(me, topic, visibility.value, collaboration_of(collaboration))
        console.print(
            f"annotator {escape(topic)} is seen by: {escape(collaboration or visibility.value)}",
            highlight=False,
        )
