"""What every command shares: the console, the settings, the open archive and how an error is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from lasair_broker.settings import Settings, load

from ._console import console, errors, fail

if TYPE_CHECKING:  # these take long to import, and each command needs few: functions import what they use
    from lasair_broker.archive import Archive
    from lasair_broker.classify import Classifiers
    from lasair_broker.context import ContextLoader
    from lasair_broker.lightcurve import FeatureResources
    from lasair_broker.packets import SchemaStore
    from lasair_broker.stream import ActiveLists, Pipeline, Resource
    from lasair_broker.stream.messengers import MessengerLoader

__all__ = [
    "ArchiveOption",
    "classifiers_of",
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

ArchiveOption = Annotated[
    str | None,
    typer.Option(
        "--archive",
        "-a",
        metavar="FOLDER",
        help="The archive. Default: the setting archive.url (LASAIR_ARCHIVE__URL), else ./lasair-data.",
    ),
]


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
    from lasair_broker.archive import open_archive

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
    from lasair_broker.context.events import EventLoader
    from lasair_broker.stream import Pipeline, Resource, standard_stages
    from lasair_broker.stream.lists import list_stages

    matching = () if lists is None else list_stages(lists)
    events = EventLoader(settings.context.catalogues)
    context = catalogues or context_of(settings)
    stages = standard_stages(
        Resource(features_of(settings)),
        context,
        matching,
        events,
        classifiers_of(settings),
        messengers or messengers_of(settings),
    )
    return Pipeline(schemas_of(settings), stages, poison_limit=settings.stream.poison_limit)


def messengers_of(settings: Settings) -> MessengerLoader:
    """Events with their maps."""
    from lasair_broker.stream.messengers import MessengerLoader

    return MessengerLoader(settings.context.catalogues, tests=settings.messengers.tests)


def schemas_of(settings: Settings) -> SchemaStore:
    """Where an installation finds writer schemas."""
    from lasair_broker.packets import SchemaStore

    where = settings.schemas
    return SchemaStore(
        where.folders,
        where.registry_url or None,
        where.use_installed,
        registry_username=where.registry_username,
        registry_password=where.registry_password.get_secret_value(),
        cache_folder=None if "://" in settings.archive.url else Path(settings.archive.url) / "schemas",
    )


def classifiers_of(settings: Settings) -> Classifiers:
    """The model that gives class probabilities, and what to expect over the sky.

    Raises
    ------
    ModelError, PriorsError
        If a file of ours that the settings name is missing or none of its kind. A model of somebody else
        that cannot be used is left out and named in the log.
    """
    from lasair_broker.classify import Classifiers, load_model, load_priors, shipped_model
    from lasair_broker.classify.others import load_other_models

    wanted = settings.classify
    if not wanted.enabled:
        return Classifiers()
    model = shipped_model() if wanted.model is None else load_model(wanted.model)
    return Classifiers(
        model,
        load_priors(wanted.priors) if wanted.shift else None,
        load_other_models(wanted.others, wanted.threads),
    )


def features_of(settings: Settings) -> FeatureResources:
    """What features are computed with."""
    from lasair_broker.lightcurve import FeatureResources

    return FeatureResources(settings.context.hubble, settings.context.omega_matter)


def context_of(settings: Settings) -> ContextLoader:
    """Catalogues, rules and dust of an installation.

    Raises
    ------
    ContextError
        If rules or map cannot be used.
    """
    from lasair_broker.context import ContextLoader
    from lasair_broker.lightcurve import Cosmology

    where = settings.context
    cosmology = Cosmology(where.hubble, where.omega_matter)
    return ContextLoader(where.catalogues, where.rules, where.dust, cosmology)
