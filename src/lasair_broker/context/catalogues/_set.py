"""The catalogues of an installation, kept up with what is imported while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lasair_broker.context.catalogues._catalogue import Catalogue, current_version, open_current
from lasair_broker.context.catalogues.errors import CatalogueError, CatalogueUnavailableError

__all__ = ["CatalogueSet", "CatalogueState"]


@dataclass(frozen=True)
class CatalogueState:
    """How it is with a catalogue.

    Attributes
    ----------
    name
        Of the catalogue.
    state
        ``ok``; ``missing`` if it was there and is gone; ``damaged`` if it cannot be used.
    message
        What is wrong, and what to do; empty if nothing is.
    version, rows
        Of the version in use, or of the last one.
    """

    name: str
    state: Literal["ok", "missing", "damaged"]
    message: str
    version: str
    rows: int


class CatalogueSet(Mapping[str, Catalogue]):
    """Usable catalogues by name.

    What a batch has taken out of the set stays usable for it, whatever is imported meanwhile.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._catalogues: dict[str, Catalogue] = {}
        self._states: dict[str, CatalogueState] = {}
        self._seen: dict[str, str] = {}

    @classmethod
    def open(cls, folder: str | Path) -> CatalogueSet:
        """Open every catalogue in a folder; one that is not there holds none.

        A catalogue that cannot be used is left out, and `states` says why.
        """
        found = cls(Path(folder))
        found.refresh()
        return found

    def refresh(self) -> bool:
        """Look for new versions, new catalogues, and those that are gone; returns whether anything changed.

        Cheap enough for every batch: it reads a small file a catalogue. Whoever reads the set at the same
        time sees it as before or as after.
        """
        try:
            present = sorted(p for p in self._folder.iterdir() if (p / "current").exists())
        except OSError:
            present = []
        catalogues, states, seen = dict(self._catalogues), dict(self._states), dict(self._seen)
        for path in present:
            name = path.name
            try:
                version = current_version(path)
            except CatalogueUnavailableError:  # removed this moment: missing at the next look
                continue
            if seen.get(name) == version:
                continue
            seen[name] = version
            try:
                catalogue = open_current(path)
            except CatalogueError as error:
                catalogues.pop(name, None)
                states[name] = _failed(name, error, states.get(name))
            else:
                catalogues[name] = catalogue
                states[name] = CatalogueState(name, "ok", "", catalogue.version, len(catalogue))
        for name in set(seen) - {path.name for path in present}:
            del seen[name]
            catalogues.pop(name, None)
            gone = CatalogueUnavailableError(
                f"the catalogue {name} is gone from {self._folder}; import it again: lasair catalogue add"
            )
            states[name] = _failed(name, gone, states[name])
        different = seen != self._seen
        self._catalogues, self._states, self._seen = catalogues, states, seen
        return different

    def withdraw(self, name: str, error: CatalogueError) -> None:
        """Leave a catalogue out that has failed in use, until it is imported anew; `states` says so."""
        catalogues, states = dict(self._catalogues), dict(self._states)
        catalogues.pop(name, None)
        states[name] = _failed(name, error, states.get(name))
        self._catalogues, self._states = catalogues, states

    @property
    def states(self) -> Mapping[str, CatalogueState]:
        """How it is with each catalogue that is or was there."""
        return dict(self._states)

    def __getitem__(self, name: str) -> Catalogue:
        return self._catalogues[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._catalogues)

    def __len__(self) -> int:
        return len(self._catalogues)


def _failed(name: str, error: CatalogueError, before: CatalogueState | None) -> CatalogueState:
    state: Literal["missing", "damaged"] = (
        "missing" if isinstance(error, CatalogueUnavailableError) else "damaged"
    )
    return CatalogueState(
        name, state, str(error), before.version if before else "", before.rows if before else 0
    )
