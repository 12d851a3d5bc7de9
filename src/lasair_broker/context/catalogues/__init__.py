"""Catalogues: imported once, sorted by place, and matched with batches of positions."""

from typing import TYPE_CHECKING

from lasair_broker.deferred import import_when_used

if TYPE_CHECKING:
    from lasair_broker.context.catalogues._catalogue import Catalogue, Matches
    from lasair_broker.context.catalogues._check import check_catalogue
    from lasair_broker.context.catalogues._columns import COLUMNS, Column, column_of
    from lasair_broker.context.catalogues._cut_files import survive_cut_files
    from lasair_broker.context.catalogues._description import (
        ColumnMapping,
        Description,
        TextFormat,
        mapping_text,
        read_description,
        shipped_descriptions,
    )
    from lasair_broker.context.catalogues._import import Progress, add_catalogue
    from lasair_broker.context.catalogues._layout import Version, schema_of
    from lasair_broker.context.catalogues._motion import propagate
    from lasair_broker.context.catalogues._readers import source_columns
    from lasair_broker.context.catalogues._set import CatalogueSet, CatalogueState
    from lasair_broker.context.catalogues._version_writer import remove_catalogue, write_catalogue
    from lasair_broker.context.catalogues.errors import (
        CatalogueDamagedError,
        CatalogueError,
        CatalogueUnavailableError,
    )

__all__ = [
    "COLUMNS",
    "Catalogue",
    "CatalogueDamagedError",
    "CatalogueError",
    "CatalogueSet",
    "CatalogueState",
    "CatalogueUnavailableError",
    "Column",
    "ColumnMapping",
    "Description",
    "Matches",
    "Progress",
    "TextFormat",
    "Version",
    "add_catalogue",
    "check_catalogue",
    "column_of",
    "mapping_text",
    "propagate",
    "read_description",
    "remove_catalogue",
    "schema_of",
    "shipped_descriptions",
    "source_columns",
    "survive_cut_files",
    "write_catalogue",
]

import_when_used(__name__)
