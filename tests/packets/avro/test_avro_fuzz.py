"""Mutated messages: none crashes, none hangs, none spoils its neighbours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(data_folder: Path, count: int, seed: int) -> dict[str, int]:
    lsst = data_folder / "lsst"
    done = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).with_name("avro_fuzz.py")),
            str(count),
            str(seed),
            str(lsst / "schemas/11/1"),
            str(lsst / "wire_fake/lsst.v11_1.avro"),
        ],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        check=False,
    )
    assert done.returncode == 0, f"exit {done.returncode} (a signal if negative)\n{done.stderr[-3000:]}"
    counts: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return counts


def test_a_hundred_thousand_mutated_messages(data_folder: Path) -> None:
    counts = run(data_folder, 100_000, 1)
    assert counts["good"] + counts["bad"] >= 100_000


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
def test_many_more_mutated_messages(data_folder: Path, seed: int) -> None:
    counts = run(data_folder, 400_000, seed)
    assert counts["good"] + counts["bad"] >= 400_000
