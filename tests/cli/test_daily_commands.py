"""The commands of daily work as a person gives them, each in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lasair_broker.cli._chart import chart

DATA = Path(os.environ.get("LASAIR_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


def lasair(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command in `folder`, whose archive is the default one there."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LASAIR_")}
    return subprocess.run(
        [sys.executable, "-c", "from lasair_broker.cli import main; main()", *map(str, arguments)],
        cwd=folder,
        env=environment | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive, into which a folder with broken, empty and good files was ingested."""
    folder = tmp_path_factory.mktemp("daily")
    packets = folder / "packets"
    packets.mkdir()
    whole = DATA / "lsst" / "lsstcam_v9.tar.xz"
    (packets / "a-cut.tar.xz").write_bytes(whole.read_bytes()[:-2000])
    (packets / "b-empty.avro").touch()
    for file in sorted((DATA / "lsst" / "wire_v10").iterdir())[:2]:
        shutil.copy(file, packets)
    shutil.copy(DATA / "ztf" / "sn_ZTF21abiuvdk_v3_3.tar.xz", packets)
    done = lasair(folder, "ingest", packets)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    told = " ".join(done.stderr.split())
    assert "a-cut.tar.xz after" in told
    assert "b-empty.avro: empty file" in told
    assert "safe in the archive" in told
    return folder


def test_broken_files_do_not_keep_others_out(night: Path) -> None:
    counted = lasair(
        night, "query", "--format", "csv", "SELECT survey, COUNT(*) AS n FROM objects GROUP BY survey"
    )
    assert counted.returncode == 0
    rows = dict(line.split(",") for line in counted.stdout.split()[1:])
    assert int(rows["ztf"]) == 1
    assert int(rows["lsst"]) > 2, "two packets, and what the cut archive gave before it broke off"


def test_what_was_ingested_is_not_read_again_unless_asked(night: Path) -> None:
    file = night / "packets" / "sn_ZTF21abiuvdk_v3_3.tar.xz"
    once_more = lasair(night, "ingest", file)
    assert once_more.returncode == 0
    assert "1 file was ingested before" in once_more.stdout
    again = lasair(night, "ingest", "--again", file)
    assert "34 were there already" in again.stdout


def test_an_object_is_shown_with_what_is_known_of_it(night: Path) -> None:
    shown = lasair(night, "object", "ZTF21abiuvdk", "--rows", "2")
    assert shown.returncode == 0
    for words in ("6508904495955070348", "E(B-V)", "18 g, 16 r", "… and 32 earlier detections"):
        assert words in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    missing = lasair(night, "object", "ZTF00nothing")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "no object ZTF00nothing" in missing.stderr


def test_a_file_that_cannot_be_written_is_told_in_a_line(night: Path) -> None:
    (night / "file").touch()
    for options in (("--plot", "nowhere/curve.png"), ("--cutouts", "file")):
        told = lasair(night, "object", "ZTF21abiuvdk", "--rows", "0", *options)
        assert told.returncode == 1
        assert told.stderr.startswith(f"error: {options[1]}: ")


def test_wide_results_are_never_cut_off(night: Path) -> None:
    columns = "diaObjectId, objectName, survey, ra, decl, nDiaSources, latest_psfFlux, lastDiaSourceMjdTai"
    found = lasair(night, "query", f"SELECT {columns} FROM objects WHERE objectName = 'ZTF21abiuvdk'")
    header, row = found.stdout.splitlines()
    assert header.split() == columns.split(", ")
    assert row.split()[:3] == ["6508904495955070348", "ZTF21abiuvdk", "ztf"]


@pytest.mark.parametrize("scale", [1.0, 1e9])
def test_a_drawing_is_as_wide_as_it_is_told(scale: float) -> None:
    time = np.linspace(60000.0, 60010.0, 5)
    lines = chart(time, scale * np.array([1.0, 5.0, 3.0, -2.0, 0.0]), ["g", "r", "i", None, "z"], width=60)
    assert {len(line) for line in lines} == {60}
    assert [sum(line[1:].count(letter) for line in lines) for letter in "gri?z"] == [1] * 5
