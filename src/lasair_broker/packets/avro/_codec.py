"""The codec of one writer schema."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ._columns import Decoded, Store, gather
from ._container import Block
from ._decode_kernel import decode_rows
from ._encode import encode_buffer
from ._memory import address_of, addresses
from ._plan import Column, build_plan
from ._schema import fingerprint, join_schemas, parse_schema
from ._stamp import STAMP

__all__ = ["MAX_ITEMS", "Codec"]

Int64 = npt.NDArray[np.int64]

MAX_ITEMS = 1_000_000
"""The most array and map items that are accepted in one datum unless told otherwise."""


class Codec:
    """Decodes datums of one writer schema into columns, and encodes columns as datums.

    Parameters
    ----------
    schema
        An Avro schema as JSON text or as what that becomes in Python.
    named
        More schemas that define named types which `schema` refers to.

    Attributes
    ----------
    fingerprint
        The 64-bit Rabin fingerprint of the schema's canonical form, signed.
    schema_json
        The schema as JSON text, complete in itself.

    Raises
    ------
    SchemaError
        If the schema is malformed, incomplete or recursive.
    """

    def __init__(self, schema: Any, named: Sequence[Any] = ()) -> None:
        if named:
            schema = join_schemas(schema, named)
        self.plan = build_plan(parse_schema(schema))
        self.fingerprint = fingerprint(self.plan.root)
        self.schema_json: str = (
            schema if isinstance(schema, str) else json.dumps(schema, separators=(",", ":"))
        )
        self._children = [
            [number for number, level in enumerate(self.plan.levels) if level.parent == mine]
            for mine in range(len(self.plan.levels))
        ]
        # Rows seen for each datum: the room to begin with. Wrong guesses only cost time, so threads may race
        # here.
        self._rows_per_datum = [1.0] + [4.0] * (len(self.plan.levels) - 1)

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns of the schema."""
        return self.plan.columns

    def decode_values(self, values: Sequence[bytes], **options: Any) -> Decoded:
        """Decode one datum from each value, kept alive with the result; options as in `decode`."""
        return self.decode(*addresses(values), owner=values, **options)

    def decode_blocks(self, blocks: Sequence[Block], **options: Any) -> Decoded:
        """Decode all datums of the blocks of a container; options as in `decode`."""
        payloads = [block.payload for block in blocks]
        times = np.array([block.count for block in blocks], np.int64)
        address, length = addresses(payloads)
        continues = np.ones(int(times.sum()), np.bool_)
        continues[np.cumsum(times)[times > 0] - times[times > 0]] = False
        return self.decode(
            np.repeat(address, times),
            np.repeat(length, times),
            continues=continues,
            owner=payloads,
            **options,
        )

    def decode(
        self,
        address: Int64,
        length: Int64,
        *,
        continues: npt.NDArray[np.bool_] | None = None,
        may_trail: bool = False,
        max_items: int = MAX_ITEMS,
        owner: Any = None,
    ) -> Decoded:
        """Decode datums in memory.

        Parameters
        ----------
        address, length
            Where each datum starts and how many bytes may be read for it, shape (n,).
        continues
            Where true, the datum starts where the one before ends, and its address is not looked at; its
            length must be that of the first of the block, as in ``repeat(block_length, datums_in_block)``.
        may_trail
            Accept bytes that are left over after a datum. Otherwise that is an error of the (last) datum.
        max_items
            The most array and map items in one datum; more are an error. Bounds the memory corrupt bytes can
            claim.
        owner
            What keeps the memory of the messages; the result holds on to it.

        Returns
        -------
        Decoded
            One row for each datum; errors are in `Decoded.error` and never raised.
        """
        count = len(address)
        plan = self.plan
        start = np.array(address, np.int64)
        found = np.array(length, np.int64)
        if start.shape != (count,) or found.shape != (count,) or (found < 0).any():
            raise ValueError("address and length must be arrays of one length, and no length negative")
        follows = np.zeros(count, np.uint8) if continues is None else np.array(continues, np.uint8)
        limit = start + found
        if follows.any():
            if follows[0]:
                raise ValueError("the first datum continues nothing")
            begin = np.maximum.accumulate(np.where(follows, 0, np.arange(count)))
            limit = limit[begin]
        room = [count] + [int(count * guess * 1.1) + 64 for guess in self._rows_per_datum[1:]]
        stores = [
            Store(level, children, rows)
            for level, children, rows in zip(plan.levels, self._children, room, strict=True)
        ]
        rows = np.zeros(len(stores), np.int64)
        error = np.zeros(count, np.uint8)
        error_at = np.zeros(count, np.int64)
        error_column = np.full(count, -1, np.int64)
        done = 0
        while True:
            values, valids, lengths, slots, room_now = _tables(stores, len(plan.columns))
            done, level = decode_rows(
                STAMP, plan.ops, plan.branches, address_of(values), address_of(valids), lengths, slots,
                room_now, rows, plan.depth, start, limit, found, follows, error, error_at, error_column, done,
                may_trail, max_items,
            )  # fmt: skip
            if level < 0:
                break
            # What the rest will need if it is like what has been seen, and at least twice the room.
            needed = int(rows[level] * count / (done + 1) * 1.1)
            stores[level].grow(max(2 * stores[level].rows + 64, needed), int(rows[level]))
        if count:
            self._rows_per_datum = [
                max(0.75 * g, r / count) for g, r in zip(self._rows_per_datum, rows, strict=True)
            ]
        levels = gather(plan, stores, rows, error, start, owner)
        return Decoded(count, error, levels, start, found, error_at, error_column, plan, owner)

    def encode(self, columns: Decoded, *, prefix: bytes = b"", ignore_unknown: bool = False) -> list[bytes]:
        """Encode columns, one datum a row of the root; parameters and errors as of `encode_buffer`."""
        buffer, offsets = self.encode_buffer(columns, prefix=prefix, ignore_unknown=ignore_unknown)
        view = buffer.data
        return [view[begin:end].tobytes() for begin, end in itertools.pairwise(offsets.tolist())]

    def encode_buffer(
        self, columns: Decoded, *, prefix: bytes = b"", ignore_unknown: bool = False
    ) -> tuple[npt.NDArray[np.uint8], Int64]:
        """Encode columns into one buffer.

        Parameters
        ----------
        columns
            What `decode` gave, or what `Decoded.build` made. A column that is not given is written as null,
            or else as the default of the schema.
        prefix
            Bytes to put before each datum, such as the framing of a message.
        ignore_unknown
            Pass over columns that the schema does not have; otherwise they are an error.

        Returns
        -------
        buffer, offsets
            Datum i is ``buffer[offsets[i] : offsets[i + 1]]``.

        Raises
        ------
        ColumnError
            If a required column is not given or has a null, has the wrong type or values that do not fit, or
            if offsets are not what they must be.
        """
        return encode_buffer(self.plan, columns, prefix, ignore_unknown)


def _tables(stores: Sequence[Store], num_columns: int) -> tuple[Int64, Int64, Int64, Int64, Int64]:
    """The addresses of all columns as the decoder wants them: values, valids, lengths, slots, room."""
    values = np.zeros(num_columns, np.int64)
    valids = np.zeros(num_columns, np.int64)
    lengths = np.zeros(len(stores), np.int64)
    slots = []
    for number, store in enumerate(stores):
        address = store.address
        values[list(store.values)] = address[list(store.values.values())]
        valids[list(store.valids)] = address[list(store.valids.values())]
        lengths[list(store.offsets)] = address[list(store.offsets.values())]
        # The length of the array of row i stands at i + 1.
        address = address + np.where(np.arange(len(address)) >= len(store.values) + len(store.valids), 8, 0)
        slots.append(np.stack([address, store.widths, np.full(len(address), number)], axis=1))
    room = np.array([store.rows for store in stores], np.int64)
    return values, valids, lengths, np.concatenate(slots), room
