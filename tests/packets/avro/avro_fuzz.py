"""Decodes mutated messages and compares what must not change: a program, so that a crash is seen as one.

    python avro_fuzz.py MESSAGES SEED SCHEMA_FOLDER PACKET

Each message lies right before a page that must not be touched: a read of one byte too many kills the process.
"""

from __future__ import annotations

import ctypes
import json
import math
import mmap
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from avro_oracle import fastavro_read, fastavro_write, same

from lasair_broker.packets.avro import Codec, Decoded

BATCH = 500
SLOT_PAGES = 2
PAGE = mmap.PAGESIZE

EVERYTHING: Any = {
    "type": "record",
    "name": "everything",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "flag", "type": ["null", "boolean"]},
        {"name": "plain", "type": "boolean"},
        {"name": "count", "type": "int"},
        {"name": "name", "type": "string"},
        {"name": "note", "type": ["string", "null"]},
        {"name": "blob", "type": ["null", "bytes"]},
        {"name": "key", "type": {"type": "fixed", "name": "key16", "size": 16}},
        {"name": "colour", "type": {"type": "enum", "name": "colour", "symbols": ["u", "g", "r"]}},
        {"name": "any", "type": ["null", "int", "string", "double", {"type": "array", "items": "float"}]},
        {"name": "nothing", "type": {"type": "array", "items": "null"}},
        {"name": "words", "type": {"type": "map", "values": ["null", "string"]}},
        {
            "name": "inner",
            "type": [
                "null",
                {
                    "type": "record",
                    "name": "point",
                    "fields": [
                        {"name": "flux", "type": ["null", "float"]},
                        {"name": "error", "type": ["null", "float"]},
                        {"name": "time", "type": "double"},
                        {"name": "tags", "type": {"type": "array", "items": "string"}},
                    ],
                },
            ],
        },
        {"name": "history", "type": ["null", {"type": "array", "items": "point"}]},
        {"name": "grid", "type": {"type": "array", "items": {"type": "array", "items": "int"}}},
    ],
}


def point(rng: random.Random) -> dict[str, Any]:
    return {
        "flux": rng.choice([None, rng.gauss(0, 100), math.nan]),
        "error": rng.choice([None, 1.5]),
        "time": rng.random(),
        "tags": ["é" * rng.randrange(4) for _ in range(rng.randrange(3))],
    }


def everything(rng: random.Random) -> dict[str, Any]:
    return {
        "id": rng.getrandbits(63),
        "flag": rng.choice([None, True, False]),
        "plain": rng.random() < 0.5,
        "count": rng.randrange(-(2**31), 2**31),
        "name": "λ" * rng.randrange(10),
        "note": rng.choice([None, "a note"]),
        "blob": rng.choice([None, rng.randbytes(rng.randrange(40))]),
        "key": rng.randbytes(16),
        "colour": rng.choice("ugr"),
        "any": rng.choice([None, 7, "text", 2.5, [1.0, 2.0]]),
        "nothing": [None] * rng.randrange(5),
        "words": {str(i): rng.choice([None, "x"]) for i in range(rng.randrange(3))},
        "inner": rng.choice([None, point(rng)]),
        "history": rng.choice([None, [point(rng) for _ in range(rng.randrange(6))]]),
        "grid": [[rng.randrange(100) for _ in range(rng.randrange(3))] for _ in range(rng.randrange(3))],
    }


def mutate(rng: random.Random, datum: bytes, others: list[bytes]) -> bytes:
    data = bytearray(datum)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        place = rng.randrange(len(data)) if data else 0
        kind = rng.randrange(9)
        if not data or kind == 0:
            data[place:place] = rng.randbytes(rng.randrange(1, 12))
        elif kind == 1:
            data[place] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del data[place:]
        elif kind == 3:
            data[place : place + 1] = b"\xff" * rng.randrange(1, 12) + bytes([rng.randrange(256)])
        elif kind == 4:
            data[place] = rng.randrange(256)
        elif kind == 5:
            del data[place : place + rng.randrange(1, 9)]
        elif kind == 6:
            data = bytearray(rng.randbytes(rng.randrange(300)))
        elif kind == 7:
            other = rng.choice(others)
            data[place:] = other[rng.randrange(len(other)) :]
        else:
            # A negative block count and a size, wherever it may fall.
            data[place:place] = bytes([rng.choice([1, 3, 5, 127]), rng.randrange(256)])
    return bytes(data[: SLOT_PAGES * PAGE])


class GuardedMemory:
    """Room for messages, each of which ends where a page begins that must not be read."""

    def __init__(self, slots: int) -> None:
        self._stride = (SLOT_PAGES + 1) * PAGE
        self._map = mmap.mmap(-1, slots * self._stride)
        self.base = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        protect = ctypes.CDLL(None, use_errno=True).mprotect
        protect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        for slot in range(slots):
            assert protect(self._end(slot), PAGE, 0) == 0

    def _end(self, slot: int) -> int:
        return self.base + slot * self._stride + SLOT_PAGES * PAGE

    def place(self, messages: list[bytes]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        for slot, message in enumerate(messages):
            ctypes.memmove(self._end(slot) - len(message), message, len(message))
        length = np.array([len(message) for message in messages], np.int64)
        return np.array([self._end(slot) for slot in range(len(messages))], np.int64) - length, length


def rows_of(decoded: Decoded, wanted: npt.NDArray[np.bool_]) -> dict[str, npt.NDArray[Any]]:
    """Every array of the given datums alone, views without the number of the datum."""
    assert decoded.plan is not None
    kept = {"": wanted}
    out: dict[str, npt.NDArray[Any]] = {}
    for number, planned in enumerate(decoded.plan.levels):
        level = decoded.levels[planned.path]
        if number:
            assert level.offsets is not None
            counts = np.diff(level.offsets)
            above = kept[decoded.plan.levels[planned.parent].path]
            kept[planned.path] = np.repeat(above, counts)
            out[f"{planned.path} counts"] = counts[above]
        mine = kept[planned.path]
        for path, values in level.values.items():
            part = values[mine]
            out[f"{planned.path} {path}"] = (
                np.stack([part["offset"], part["length"]]) if part.dtype.names else part
            )
        for path, valid in level.valid.items():
            out[f"{planned.path} {path} valid"] = valid[mine]
    return out


def fuzz(codec: Codec, schema: Any, datums: list[bytes], count: int, rng: random.Random) -> tuple[int, int]:
    """(messages decoded, messages rejected) of `count` mutated ones among clean ones."""
    memory = GuardedMemory(BATCH + BATCH // 10)
    good = bad = 0
    while good + bad < count:
        messages: list[bytes] = []
        mutated: list[bool] = []
        while sum(mutated) < BATCH:
            if len(messages) - sum(mutated) < BATCH // 10 and rng.random() < 0.1:
                messages.append(rng.choice(datums))
                mutated.append(False)
            else:
                messages.append(mutate(rng, rng.choice(datums), datums))
                mutated.append(True)
        changed = np.array(mutated)
        decoded = codec.decode(*memory.place(messages), may_trail=rng.random() < 0.3)
        clean = [message for message, is_mutated in zip(messages, mutated, strict=True) if not is_mutated]
        alone = codec.decode_values(clean)
        assert not decoded.error[~changed].any()
        expected = rows_of(alone, np.ones(len(clean), np.bool_))
        for name, found in rows_of(decoded, ~changed).items():
            if name in expected:
                assert found.tobytes() == expected[name].tobytes(), name
        broken = decoded.error != 0
        for name, found in rows_of(decoded, broken).items():
            assert not found.tobytes().strip(b"\0"), f"{name} of a bad datum"
        assert all(decoded.reason(int(row)) for row in np.flatnonzero(broken)[:5])
        accepted = np.flatnonzero(changed & ~broken)
        bad += int((changed & broken).sum())
        good += len(accepted)
        for row in accepted[:3].tolist():
            length = int(decoded.length[row])
            assert same(decoded.record(row), fastavro_read(schema, [messages[row][:length]])[0])
    return good, bad


def main() -> None:
    count, seed = int(sys.argv[1]), int(sys.argv[2])
    folder, packet = Path(sys.argv[3]), Path(sys.argv[4])
    rng = random.Random(seed)
    parts = [json.loads(path.read_text()) for path in sorted(folder.glob("*.avsc"))]
    alert = next(part for part in parts if part["name"].endswith("alert"))
    lsst = Codec(alert, [part for part in parts if part is not alert])
    made = fastavro_write(EVERYTHING, [everything(rng) for _ in range(50)])
    total_good = total_bad = 0
    for codec, schema, datums in (
        (Codec(EVERYTHING), EVERYTHING, made),
        (lsst, json.loads(lsst.schema_json), [packet.read_bytes()[5:]]),
    ):
        good, bad = fuzz(codec, schema, datums, count // 2, rng)
        assert good > count // 200, "hardly any mutation was harmless: the test has lost its teeth"
        assert bad > count // 20
        total_good += good
        total_bad += bad
    # What `getrusage` tells of a program's most memory begins with its parent's.
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM:"))
    assert peak < 1500, f"{peak} MB"
    print(json.dumps({"good": total_good, "bad": total_bad, "peak_mb": peak}))


if __name__ == "__main__":
    main()
