"""`lasair filter export|import`: filters as YAML."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ._context import ArchiveOption, console, fail
from ._user import UserOption, acting

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add these commands to those of filters."""
    app.command("export")(export)
    app.command("import")(bring)


def export(
    filters: Annotated[
        list[int] | None, typer.Argument(metavar="[FILTER]...", help="Numbers. Default: all of yours.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default: standard output.")
    ] = None,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Write filters as YAML, without outputs. Such a file can be imported, or be the subscriptions of an
    installation without a site."""
    with acting(user, archive) as me:
        from lasair_broker.web.filters import files
        from lasair_broker.web.filters.models import Filter

        chosen = filters or list(Filter.objects.filter(owner=me).order_by("pk").values_list("pk", flat=True))
        text = files.exported(me, chosen)
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise fail(f"cannot write {output}: {error.strerror}") from None
    console.print(
        f"{len(chosen)} filter{'' if len(chosen) == 1 else 's'} written to {escape(str(output))}",
        highlight=False,
    )


def bring(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file of `export`, or - for standard input.")],
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Make the filters of a file: private ones of yours, drafts. All are made, or none."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise fail(f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise fail(f"{file} is no text in UTF-8") from None
    with acting(user, archive) as me:
        from lasair_broker.web.filters import files

        made = [(each.pk, each.name) for each in files.imported(me, text)]
    for number, name in made:
        console.print(f"filter {number} made: {escape(name)}", highlight=False)
