"""What an archive does, whatever engine keeps its tables."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.packets import AlertBatch, Cutout
from lasair_broker.schema import Engine

from ._images import png_of_fits
from .errors import ArchiveError
from .records import (
    ArchiveStatus,
    Finding,
    LightCurve,
    Packs,
    Progress,
    Rematch,
    Rendered,
    Stored,
    WriteReport,
)

__all__ = ["Archive"]


class Archive(ABC):
    """Where everything is kept: written by one transaction a batch, read by everybody.

    All methods may be called from any thread. Reads see what was committed when they began.

    Attributes
    ----------
    engine
        The engine for which queries have to be rendered.
    """

    engine: Engine

    @abstractmethod
    def write(
        self,
        batches: Sequence[AlertBatch],
        rejected: pa.Table | None = None,
        positions: Mapping[tuple[str, int], int] | None = None,
        tables: Mapping[str, pa.Table] | None = None,
        *,
        renew: bool = False,
        rewound: Collection[tuple[str, int]] = (),
    ) -> WriteReport:
        """Store batches, rejected messages and stream positions, all or nothing.

        Only what is new is stored: an alert that is there byte for byte is left out, as are the light curve
        rows that are known; a detection that is known from a later packet is replaced by that of its own. An
        object's state is replaced unless the archive holds one with a newer
        detection. Cut-outs come as table "cutouts" of a batch, a row an alert, with offsets within the
        alert's datum. A match table of a batch replaces all rows that the archive has in it for the batch's
        objects.

        Parameters
        ----------
        batches
            Enriched batches.
        rejected
            Rows of table `rejected`.
        positions
            The offset to read next, by (topic, partition). One that lies before what is held is left out:
            whoever gives it has slept while another read on.
        tables
            More rows, by table of the schema: each replaces the row of the same primary key. A hit that is
            there already (table `filter_hits`) stays as it is; new hits get their `committedMjdTai` here, and
            in the order of commits it never falls.
        renew
            The batches come from `replay`: what stages say of objects (their states, and match tables keyed
            by object) is stored although their alerts are known, unless the archive holds a state with a
            newer detection. Hits of filters are not stored.
        rewound
            Those of `positions` that may lie before what is held, as somebody reads anew on purpose.

        Raises
        ------
        ArchiveFullError
            If the disk is full.
        ArchiveError
            If the engine failed otherwise. In these cases, and if a batch itself is not what it should be
            (`SchemaError`, say), nothing was stored, and the archive can be used further.
        """

    @abstractmethod
    def positions(self) -> dict[tuple[str, int], int]:
        """The offset to read next, by (topic, partition), as last committed."""

    @abstractmethod
    def object(self, key: int | str, columns: Sequence[str] | None = None) -> pa.Table:
        """The newest state of an object, by `diaObjectId` or `objectName`: a row of table `objects`, or
        none; only `columns` of it, if given."""

    @abstractmethod
    def light_curve(self, diaObjectId: int, columns: Mapping[str, Sequence[str]] | None = None) -> LightCurve:
        """The light curve of an object, in order of time; without rows for an unknown object.

        `columns` names for a light curve table the columns wanted (others: all columns).
        """

    @abstractmethod
    def light_curves(
        self, diaObjectIds: Sequence[int], columns: Mapping[str, Sequence[str]] | None = None
    ) -> LightCurve:
        """The light curves of many objects at once, in order of (diaObjectId, midpointMjdTai)."""

    @abstractmethod
    def light_curves_beyond(
        self, batch: AlertBatch, columns: Mapping[str, Sequence[str]], *, every: bool = False
    ) -> LightCurve:
        """The light curves held of those objects of a batch of which more may be held than the batch brings.

        For each table of its own: without rows for an object whose rows the batch brings all. They are told
        by the ledger, so that a batch of histories that only grow costs one look-up and reads no row.

        Parameters
        ----------
        batch
            As decoded.
        columns
            The columns wanted of each light curve table.
        every
            Also of objects whose rows the batch brings all.
        """

    @abstractmethod
    def rows_of_objects(
        self, name: str, diaObjectIds: Sequence[int], columns: Sequence[str] | None = None
    ) -> pa.Table:
        """The rows that a table with a column `diaObjectId` (annotations, classifications, hits of lists, …)
        has for these objects, in no order."""

    def rows_by_table(
        self, diaObjectIds: Sequence[int], columns: Mapping[str, Sequence[str] | None]
    ) -> dict[str, pa.Table]:
        """What `rows_of_objects` tells of several tables, by their names; `columns` of each, None: all.

        To ask together is faster for who reads the archive of another process.
        """
        return {name: self.rows_of_objects(name, diaObjectIds, some) for name, some in columns.items()}

    @abstractmethod
    def newest_hits(
        self,
        filterIds: Sequence[int],
        diaObjectIds: Sequence[int],
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """For each filter and object of these the newest row of `filter_hits`, whatever its version.

        Without text among `columns` (all by default) it is several times as fast.
        """

    @abstractmethod
    def hits_after(
        self, filterId: int, after: tuple[float, str], *, until: float | None = None, limit: int = 1000
    ) -> pa.Table:
        """The hits of a filter committed after one of them, oldest first by (committedMjdTai, hitId).

        Parameters
        ----------
        after
            The (committedMjdTai, hitId) of the last hit already dealt with.
        until
            Only hits committed until then, MJD TAI.
        """

    @abstractmethod
    def note_deliveries(self, deliveries: pa.Table) -> None:
        """Note how hits were delivered: columns hitId, deliveredMjdTai, deliveryAttempts, deliveryError of
        table `filter_hits`. Attempts are added to those noted before; a time of delivery that is there
        already stays, and with one there is no error."""

    @abstractmethod
    def object_places(
        self, ranges: npt.NDArray[np.int64] | None = None, batch_rows: int = 100_000
    ) -> Iterator[pa.Table]:
        """Number and place (diaObjectId, ra, decl) of every object, in batches.

        Parameters
        ----------
        ranges
            Only objects in these ranges of healpix29: (n, 2), half-open, ascending, disjoint.
        """

    @abstractmethod
    def replace_list_hits(self, name: str, list_id: int, hits: pa.Table, *, first: bool) -> None:
        """Store what matching a list, map or event against the whole archive found.

        Parameters
        ----------
        name
            "watchlist_hits", "area_hits" or "event_hits".
        list_id
            The list's `wl_id`, the map's `ar_id` or the event's `mw_id`.
        hits
            Rows of that table, all of this list; those that are there (by primary key) are replaced.
        first
            Whether this is the first part: all that was there of the list is removed before.
        """

    @abstractmethod
    def renew_list_hits(
        self, name: str, list_id: int, diaObjectIds: Sequence[int], match: Callable[[pa.Table], pa.Table]
    ) -> None:
        """Match some objects anew with a list, map or event, where they are now; nobody writes to them
        meanwhile.

        Parameters
        ----------
        name, list_id
            As of `replace_list_hits`.
        diaObjectIds
            The objects. What hits of the list they had is removed.
        match
            Gives their hits. It gets their `diaObjectId`, `ra` and `decl` (degrees), and may be called again
            if other workers stand in the way.
        """

    @abstractmethod
    def writers(self) -> frozenset[str]:
        """The transactions under way in which other workers write alerts, by names that are used once; none
        where this process is the only one that may."""

    @abstractmethod
    def rematch(
        self,
        matches: Mapping[str, Rematch],
        tables: Mapping[str, pa.Table] | None = None,
        positions: Mapping[tuple[str, int], int] | None = None,
    ) -> WriteReport:
        """Bring match tables up to what is known now of objects of which no alert came, all or nothing.

        States of objects stay as they are; what they owe to a match is renewed by `write` with `renew`.

        Parameters
        ----------
        matches
            New matches, by name of a table whose key has a `diaObjectId`.
        tables, positions
            More rows and positions to store with them, as in `write`; all of the positions may lie before
            what is held.

        Raises
        ------
        ArchiveFullError, ArchiveError
            As `write`.
        """

    @abstractmethod
    def cone(
        self, ra: float, decl: float, radius_arcsec: float, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Objects within `radius_arcsec` of a position (degrees, ICRS), nearest first.

        Columns of `objects` (those named, by default `CONE_COLUMNS`) and `separationArcsec`.
        """

    @abstractmethod
    def cutout(self, diaSourceId: int, which: Cutout) -> bytes | None:
        """An image of a detection as a FITS file; None if there is none.

        Raises
        ------
        ArchiveCorruptError
            If the stored bytes cannot be read.
        """

    def cutout_png(self, diaSourceId: int, which: Cutout, size: int = 256) -> bytes | None:
        """An image of a detection for the eye: PNG, `size` pixels along the longer side; None if there is
        none."""
        image = self.cutout(diaSourceId, which)
        return None if image is None else png_of_fits(image, size)

    @abstractmethod
    def alert_bytes(self, diaSourceId: int) -> tuple[bytes, str] | None:
        """The Avro datum of the newest alert of a detection and its writer schema (JSON); None if there is
        none."""

    @abstractmethod
    def query(
        self,
        sql: str | Rendered,
        *,
        max_rows: int | None = 10_000,
        timeout: float | None = 60.0,
        cancelled: threading.Event | None = None,
    ) -> pa.Table:
        """The result of one SELECT statement, at most `max_rows` rows of it.

        Parameters
        ----------
        sql
            The statement, as `lasair_broker.query` renders it for this engine; or what renders it for an
            engine by name, for an archive that can choose between two.
        max_rows
            None: all, however large the result is.
        timeout
            Seconds; None: for ever.
        cancelled
            Set it in another thread to stop the query.

        Raises
        ------
        QueryTimeoutError
            If it takes longer than `timeout` seconds.
        QueryCancelledError
            If `cancelled` is set meanwhile.
        QueryMemoryError
            If it needs more memory than a query may use beside the stream, or its result is too large.
        QueryError
            If it is not one SELECT statement, or fails.

        Returns
        -------
        Its rows. Where the archive chose another way than usual, the schema's metadata say so as
        "answered_by".
        """

    @abstractmethod
    def status(self) -> ArchiveStatus:
        """Counts, sizes, positions and newest times."""

    @abstractmethod
    def rejected(self, limit: int | None = None) -> pa.Table:
        """Messages that could not be read (table `rejected`), oldest first, at most `limit`."""

    @abstractmethod
    def take_rejected(self, keys: Collection[tuple[str, int, int]] | None = None) -> pa.Table:
        """Remove rejected messages, all or those of the given (topic, partition, offset), and return them."""

    @abstractmethod
    def replay(
        self,
        *,
        diaSourceIds: Sequence[int] | None = None,
        diaObjectIds: Sequence[int] | None = None,
        midpointMjdTai: tuple[float, float] | None = None,
        arrivedMjdTai: tuple[float, float] | None = None,
        newest: bool = False,
        batch_alerts: int = 4000,
    ) -> Iterator[Stored]:
        """Stored alerts, in order of arrival, in batches of one writer schema each.

        Parameters
        ----------
        diaSourceIds, diaObjectIds
            Only these detections or objects.
        midpointMjdTai, arrivedMjdTai
            Only detections at, or alerts that arrived in, this half-open time range, MJD TAI.
        newest
            Of each object only the alert, among these, with the newest detection, and no alert without an
            object.
        batch_alerts
            At most so many alerts at once.

        Raises
        ------
        ArchiveCorruptError
            If a pack is missing or shorter than it should be.
        """

    @abstractmethod
    def check(self, progress: Progress | None = None) -> list[Finding]:
        """Compare the tables with each other and with the packs; empty if all is well."""

    @abstractmethod
    def unknown_packs(self) -> dict[str, int]:
        """Packs in which no alert is known, and their sizes in bytes.

        A crash may leave one, or it comes from a time after the back-up that the archive was restored from;
        so nothing but `compact` removes it, when told to.
        """

    @abstractmethod
    def compact(self, progress: Progress | None = None, *, remove_unknown_packs: bool = False) -> None:
        """Sort everything in, so that look-ups are as fast as they can be. It can be interrupted and resumed.

        Parameters
        ----------
        remove_unknown_packs
            Remove the packs that `unknown_packs` names, for good.
        """

    @abstractmethod
    def export_parquet(
        self, folder: str | Path, tables: Sequence[str] | None = None, progress: Progress | None = None
    ) -> dict[str, int]:
        """Write tables (all by default) as Parquet files; the rows of each table written."""

    @abstractmethod
    def export_hats(
        self,
        folder: str | Path,
        midpointMjdTai: tuple[float, float] | None = None,
        progress: Progress | None = None,
    ) -> dict[str, int]:
        """Write objects and their measurements as catalogues in HATS layout, a folder each; their rows.

        Parameters
        ----------
        midpointMjdTai
            Only measurements in this half-open time range, MJD TAI, and the objects detected in it.

        Raises
        ------
        ArchiveError
            If one of the catalogues is there already.
        """

    @abstractmethod
    def replace_rows(self, name: str, rows: pa.Table, cells: tuple[int, int] | None = None) -> None:
        """Put rows, as they are, in the place of all that a table has, or has in a half-open range of
        healpix29.

        For copying: what tables tell of each other has to be seen to by the caller.
        """

    @abstractmethod
    def packs(self) -> Packs:
        """Where the packs are, and how much of each counts."""

    @abstractmethod
    def add_packs(self, lengths: Mapping[str, int]) -> None:
        """Let packs that have been put into the place of `packs` count, by name and length in bytes."""

    @abstractmethod
    def move_alerts(self, pack: str, alerts: pa.Table, cutouts: pa.Table, lengths: Mapping[str, int]) -> None:
        """Let alerts and images of a pack lie in other packs, or nowhere, and nothing of the pack count.

        One transaction. For `tidy_archive`, which has written those packs.

        Parameters
        ----------
        pack
            The pack.
        alerts
            All of the pack: `diaSourceId`; `packOffset`, where it begins in the pack; `movedPack`,
            `movedOffset` and `movedLength`, where it lies now, NULL if its bytes are not kept.
        cutouts
            `diaSourceId`, `movedPack` and where the three images begin in it (``cutout…Offset``); images that
            are not named are kept no more.
        lengths
            The other packs, by name and length in bytes.
        """

    def unite_packs(self, pack: str, length: int, parts: Mapping[str, int]) -> None:
        """Let all that lies in some packs lie in another one, which has them whole; nothing of them counts
        any more.

        One transaction. For `lasair_broker.archive.unite_packs`, which has written that pack.

        Parameters
        ----------
        pack, length
            The other pack, and its length in bytes.
        parts
            Where each of the packs begins in it.

        Raises
        ------
        ArchiveError
            If packs lie in a folder: there they are large already.
        """
        raise ArchiveError("only packs in an object store are united")

    @abstractmethod
    def remove_packs(self, packs: Collection[str]) -> None:
        """Remove packs of which nothing counts any more (`move_alerts`), for good."""

    @abstractmethod
    def leads(self, chore: str) -> bool:
        """Whether this archive is the one, of all that are open on the same place, that sees to a chore.

        Of a site's workers one at a time leads, from when it first asks until it is closed or dies. An
        embedded archive is open only once, and leads.
        """

    @abstractmethod
    def serve(self) -> None:
        """Let other processes read this archive while it is open, if its engine lets only one open it."""

    @abstractmethod
    def close(self) -> None:
        """Finish; the archive cannot be used afterwards. Closing twice does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
