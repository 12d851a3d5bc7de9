"""What a user may ask for: the tables, and of some only some rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from lasair_broker.schema import TABLES, closest, table

from ._errors import QueryError
from ._types import Type, of_column

__all__ = ["ARCHIVE", "PUBLIC", "Catalogue", "Relation"]

_BOOKKEEPING = {
    "rejected",
    "avro_schemas",
    "stream_positions",
    "object_ledger",
    "filter_hits",
    "watchlist_trigger_states",
    "chores",
    "stage_nights",
}


@dataclass(frozen=True, slots=True)
class Relation:
    """A table as a query sees it.

    Attributes
    ----------
    name
        In the engine.
    columns
        The type of each column, in order.
    place
        The columns of right ascension, declination and HEALPix cell by which it is searched; None if it is
        not.
    only
        For some columns, the values in them that the user may see.
    """

    name: str
    columns: Mapping[str, Type]
    place: tuple[str, str, str] | None = None
    only: tuple[tuple[str, tuple[int | str, ...]], ...] = ()


@dataclass(frozen=True)
class Catalogue:
    """The relations that a user may name.

    `may_use` says whether the user may name a list in Lasair's triple: its arguments are "watchlist",
    "area" or "annotator", and the number or topic.
    """

    relations: Mapping[str, Relation]
    may_use: Callable[[str, str], bool] = field(default=lambda kind, which: True)

    @classmethod
    def of_tables(
        cls,
        names: Iterable[str],
        only: Mapping[str, Mapping[str, Iterable[int | str]]] | None = None,
        may_use: Callable[[str, str], bool] = lambda kind, which: True,
    ) -> Catalogue:
        """Tables of the schema; `only` gives for a table and a column in it the values that the user may
        see."""
        limits = only or {}
        return cls(
            {
                name: _relation(name, tuple((c, tuple(v)) for c, v in limits.get(name, {}).items()))
                for name in names
            },
            may_use,
        )

    def relation(self, name: str, position: int | None) -> Relation:
        """The relation that a user calls `name`, in any case.

        Raises
        ------
        QueryError
            If there is none.
        """
        if name.casefold() == "objects_ext":
            name = "objects"  # Lasair's name for the less used columns of the same table
        found = self.relations.get(name)
        if found is None:
            folded = [known for known in self.relations if known.casefold() == name.casefold()]
            if not folded:
                match = closest(name, self.relations)
                hint = f"did you mean {match}?" if match else f"there are {', '.join(self.relations)}"
                raise QueryError(f"there is no table {name}", position, hint)
            found = self.relations[folded[0]]
        return found


def _relation(name: str, only: tuple[tuple[str, tuple[int | str, ...]], ...]) -> Relation:
    definition = table(name)
    place = None
    if {"ra", "decl"} <= set(definition.by_name) and "healpix29" in definition.by_name:
        # Without a value in every row, a search by cell would lose rows.
        place = None if definition.column("healpix29").nullable else ("ra", "decl", "healpix29")
    return Relation(name, {c.name: of_column(c) for c in definition.columns}, place, only)


ARCHIVE = Catalogue.of_tables(TABLES)
"""Every table: for the keeper of an installation."""

PUBLIC = Catalogue.of_tables(name for name in TABLES if name not in _BOOKKEEPING)
"""Every table that holds astronomy rather than the archive's own bookkeeping."""
