"""What every command shares: the console, the settings, the open archive and how an error is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from lasair_broker.archive import Archive, open_archive
from lasair_broker.context import ContextLoader
from lasair_broker.context.events import EventLoader
from lasair_broker.lightcurve import Cosmology, FeatureResources
from lasair_broker.packets import SchemaStore
from lasair_broker.settings import Settings, load
from lasair_broker.stream import ActiveLists, Pipeline, Resource, standard_stages
from lasair_broker.stream.lists import list_stages
from lasair_broker.stream.messengers import MessengerLoader

__all__ = [
    "ArchiveOption",
    "console",
    "context_of",
    "errors",
    "fail",
    "features_of",
    "opened",
    "pipeline_of",
    "schemas_of",
    "settings_for",
]

console = Console(emoji=False)  # h:m:s is no emoji
# A long line is the terminal's to break: the place in a query is shown below the text by blanks.
errors = Console(stderr=True, emoji=False, soft_wrap=True)

ArchiveOption = Annotated[
    str | None,
    typer.Option(
        "--archive",
        "-a",
        metavar="FOLDER",
        help="The archive. Default: the setting archive.url (LASAIR_ARCHIVE__URL), else ./lasair-data.",
    ),
]


def fail(message: str, hint: str | None = None) -> typer.Exit:
    """Tell an error and what to do about it; raise the result to leave with exit code 1."""
    errors.print(f"[bold red]error:[/] {message}", highlight=False)
    if hint:
        errors.print(f"[dim]{hint}[/]", highlight=False)
    return typer.Exit(1)


def settings_for(archive: str | None, **sections: Any) -> Settings:
    """The settings, with the archive that a command was given."""
    if archive is not None:
        sections["archive"] = {"url": archive}
    return load(**sections)


@contextmanager
def opened(archive: str | None, *, read_only: bool = False) -> Iterator[Archive]:
    """The archive that a command works on, closed afterwards; if it only reads, also while a worker has it
    open.

    Raises
    ------
    Exit
        If there is none.
    ArchiveError
        If it cannot be opened.
    """
    settings = settings_for(archive).archive
    if "://" not in settings.url and not Path(settings.url).is_dir():
        raise fail(
            f"there is no archive at {escape(settings.url)}",
            "Name it with --archive or LASAIR_ARCHIVE__URL, or make one: lasair ingest FILES",
        )
    with open_archive(settings, read_only=read_only) as found:
        yield found


def pipeline_of(
    settings: Settings,
    lists: Resource[ActiveLists] | None = None,
    catalogues: ContextLoader | None = None,
    messengers: MessengerLoader | None = None,
) -> Pipeline:
    """The pipeline of an installation: where it finds schemas, and its stages; `lists` are matched in it, and
    `catalogues` are those of `context_of`, `messengers` those of `messengers_of`."""
    matching = () if lists is None else list_stages(lists)
    events = EventLoader(settings.context.catalogues)
    context = catalogues or context_of(settings)
    stages = standard_stages(
        Resource(features_of(settings)),
        context,
        matching,
        events,
        messengers=messengers or messengers_of(settings),
    )
    return Pipeline(schemas_of(settings), stages, poison_limit=settings.stream.poison_limit)


def messengers_of(settings: Settings) -> MessengerLoader:
    """Events with their maps."""
    return MessengerLoader(settings.context.catalogues, tests=settings.messengers.tests)


def schemas_of(settings: Settings) -> SchemaStore:
    """Where an installation finds writer schemas."""
    where = settings.schemas
    return SchemaStore(
        where.folders,
        where.registry_url or None,
        where.use_installed,
        registry_username=where.registry_username,
        registry_password=where.registry_password.get_secret_value(),
        cache_folder=None if "://" in settings.archive.url else Path(settings.archive.url) / "schemas",
    )


def features_of(settings: Settings) -> FeatureResources:
    """What features are computed with."""
    return FeatureResources(settings.context.hubble, settings.context.omega_matter)


def context_of(settings: Settings) -> ContextLoader:
    """Catalogues, rules and dust of an installation.

    Raises
    ------
    ContextError
        If rules or map cannot be used.
    """
    where = settings.context
    cosmology = Cosmology(where.hubble, where.omega_matter)
    return ContextLoader(where.catalogues, where.rules, where.dust, cosmology)
