"""Opening what the stage needs, and keeping up with catalogues that are imported or vanish while it runs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import structlog

from lasair_broker.context._dust import open_dust
from lasair_broker.context._enrich import ContextResources, compile_kernels
from lasair_broker.context._rules import Rules, read_rules
from lasair_broker.context._sources import Sources
from lasair_broker.context._transients import TNS
from lasair_broker.context.catalogues import CatalogueSet, CatalogueState
from lasair_broker.context.errors import ContextError
from lasair_broker.lightcurve import Cosmology

__all__ = ["ContextLoader"]

_NONE = "there are no catalogues, and objects get no context; import some: lasair catalogue add NAME SOURCE"

_log = structlog.get_logger(__name__)


class ContextLoader:
    """Resources of the context stage, renewed as a whole when a catalogue changes. Any thread may ask.

    Parameters
    ----------
    folder
        Of the catalogues; None for none.
    rules
        The classifier's configuration; None for the one that comes with Lasair.
    dust
        The operator's map of reddening; None for the compact table.
    cosmology
        For distances.

    Raises
    ------
    ContextError
        If the rules or the map cannot be used, or do not fit a catalogue.
    """

    def __init__(
        self,
        folder: Path | None = None,
        rules: Path | None = None,
        dust: Path | None = None,
        cosmology: Cosmology | None = None,
    ) -> None:
        self.rules: Rules = read_rules(rules)
        self._dust = open_dust(dust)
        self._cosmology = cosmology or Cosmology()
        self._catalogues = CatalogueSet.open(folder) if folder is not None else None
        compile_kernels()
        self._lock = threading.Lock()
        self._resources = self._loaded(None)

    def current(self) -> ContextResources:
        """The resources, with catalogues as they are now. Cheap enough for every batch.

        A catalogue that has failed or does not fit the rules is left out, and the others go on; `problems`
        says so.
        """
        with self._lock:
            return self._current()

    def _current(self) -> ContextResources:
        sets = self._catalogues
        if sets is None:
            return self._resources
        old = self._resources.sources
        failed = {} if old is None else old.take_failures()
        for name, error in failed.items():
            _log.error(
                "a catalogue failed and is left out until it is imported again",
                catalogue=name,
                reason=str(error),
            )
            sets.withdraw(name, error)
        if sets.refresh() or failed:
            try:
                self._resources = self._loaded(old)
            except ContextError as error:
                # The verdicts go on with what was there before; that is better than none.
                _log.error("a new catalogue does not fit the rules; going on without it", reason=str(error))
        return self._resources

    @property
    def states(self) -> Mapping[str, CatalogueState]:
        """How it is with each catalogue that is or was there."""
        return {} if self._catalogues is None else self._catalogues.states

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the catalogues, for people; empty if nothing is."""
        if self._catalogues is None or not len(self._catalogues):
            told = (
                [s.message for s in self._catalogues.states.values() if s.message] if self._catalogues else []
            )
            return (
                *told,
                _NONE,
            )
        return tuple(state.message for state in self._catalogues.states.values() if state.message)

    def _loaded(self, before: Sources | None) -> ContextResources:
        usable = list(self._catalogues.values()) if self._catalogues is not None else []
        tns = next((catalogue for catalogue in usable if catalogue.name == TNS), None)
        sources = Sources(self.rules, usable, self._cosmology, before)
        for problem in self.problems if self._catalogues is not None else ():
            _log.warning("the context is not complete", problem=problem)
        return ContextResources(sources if sources.names else None, self._dust, self._cosmology, tns)
