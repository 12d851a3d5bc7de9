"""Catalogues that are replaced, damaged or gone while in use; imports that are killed; the commands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import import_worker
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from catalogue_tables import description, sphere, table
from typer.testing import CliRunner

from lasair_broker.cli import app
from lasair_broker.context.catalogues import (
    CatalogueDamagedError,
    CatalogueError,
    CatalogueSet,
    CatalogueUnavailableError,
    _import,
    _read_binary,
    _version_writer,
    add_catalogue,
    check_catalogue,
    remove_catalogue,
    write_catalogue,
)


@pytest.mark.parametrize("step", [1, 3, -3, 6, 8, -9, 0], ids=str)
def test_a_killed_import_goes_on_and_gives_the_same(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = table(*sphere(np.random.default_rng(2), 4600)).rename_columns(["ra", "dec", "name", "g"])
    pq.write_table(rows, tmp_path / "rows.parquet", row_group_size=1300)
    source = str(tmp_path / "rows.parquet")
    worker = Path(__file__).with_name("import_worker.py")
    killed = subprocess.run([sys.executable, worker, tmp_path / "a", source, str(step)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not CatalogueSet.open(tmp_path / "a").states
    for module, name in ((_import, "RUN_ROWS"), (_import, "PART_ROWS"), (_import, "_SAMPLE")):
        monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setattr(_read_binary, "CHUNK_ROWS", _read_binary.CHUNK_ROWS)
    import_worker.in_small_steps()
    kept = len(list((tmp_path / "a" / "test" / "import").glob("run-*.arrow")))
    written = 0
    write_run = _import._write_run

    def counted(*args: object) -> None:
        nonlocal written
        written += 1
        write_run(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(_import, "_write_run", counted)
    resumed = add_catalogue(tmp_path / "a", "test", source, description())
    assert written == 5 - kept
    whole = add_catalogue(tmp_path / "b", "test", source, description())
    assert whole.rows == 4600
    assert len(whole.parts) == 5
    assert (resumed.version, resumed.files) == (whole.version, whole.files)
    assert check_catalogue(tmp_path / "a", "test") == []
    assert not (tmp_path / "a" / "test" / "import").exists()


def test_an_import_of_something_else_starts_anew(tmp_path: Path) -> None:
    rows = table(*sphere(np.random.default_rng(2), 3000)).rename_columns(["ra", "dec", "name", "g"])
    pq.write_table(rows, tmp_path / "rows.parquet")
    worker = Path(__file__).with_name("import_worker.py")
    arguments = [tmp_path / "a", tmp_path / "rows.parquet", "2"]
    subprocess.run([sys.executable, worker, *map(str, arguments)], check=False)
    pq.write_table(rows.slice(0, 10), tmp_path / "rows.parquet")
    assert add_catalogue(tmp_path / "a", "test", str(tmp_path / "rows.parquet"), description()).rows == 10


def test_runs_of_several_chunks_and_files_in_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_import, "RUN_ROWS", 700)
    monkeypatch.setattr(_import, "PART_ROWS", 500)
    monkeypatch.setattr("lasair_broker.context.catalogues._read_text._BLOCK_BYTES", 5000)
    rows = table(*sphere(np.random.default_rng(2), 3000)).rename_columns(["ra", "dec", "name", "g"])
    for k in range(3):
        pa.csv.write_csv(rows.slice(1000 * k, 1000), tmp_path / f"rows-{k}.csv")
    told: list[float] = []
    add_catalogue(
        tmp_path / "c", "test", f"{tmp_path}/rows-*.csv", description(), progress=lambda _, s: told.append(s)
    )
    assert told == sorted(told)
    catalogue = CatalogueSet.open(tmp_path / "c")["test"]
    assert len(catalogue.details.parts) > 3
    names = catalogue.take(np.arange(3000), ["name"])["name"].to_pylist()
    assert sorted(names) == sorted(rows["name"].to_pylist())


def test_a_new_version_is_seen_and_the_old_one_stays_usable(tmp_path: Path) -> None:
    first = write_catalogue(tmp_path, "test", table([10.0], [0.0]), description())
    catalogues = CatalogueSet.open(tmp_path)
    old = catalogues["test"]
    assert not catalogues.refresh()
    second = write_catalogue(tmp_path, "test", table([20.0, 10.0], [0.0, 1.0]), description())
    assert first.version != second.version
    assert catalogues["test"] is old
    assert catalogues.refresh()
    assert [len(old), len(catalogues["test"])] == [1, 2]
    assert len(old.match([10.0], [0.0], 1.0)) == 1
    assert old.take([0], ["name"])["name"].to_pylist() == ["source 0"]
    assert len(catalogues["test"].match([10.0], [0.0], 1.0)) == 0
    # The same once more is the same version.
    assert write_catalogue(tmp_path, "test", table([20.0, 10.0], [0.0, 1.0]), description()) is not None
    assert not catalogues.refresh()


def test_swaps_while_matching_never_mix_versions(tmp_path: Path) -> None:
    versions = [table(np.full(n, 10.0), np.linspace(-0.001, 0.001, n)) for n in (3, 700, 50)]
    write_catalogue(tmp_path, "test", versions[0], description())
    stop = threading.Event()
    sizes: list[int] = []

    def read() -> None:
        catalogues = CatalogueSet.open(tmp_path)
        while not stop.is_set():
            catalogues.refresh()
            catalogue = catalogues["test"]
            found = catalogue.match([10.0], [0.0], 10.0)
            names = catalogue.take(found.row, ["name"])["name"].to_pylist()
            assert sorted(names) == sorted(f"source {i}" for i in range(len(catalogue)))
            sizes.append(len(names))

    with ThreadPoolExecutor(1) as executor:
        reader = executor.submit(read)
        for k in range(30):
            done = len(sizes)
            write_catalogue(tmp_path, "test", versions[k % 3], description())
            while len(sizes) == done and not reader.done():  # of more versions than two the files may be gone
                time.sleep(0.001)
        stop.set()
    reader.result()
    assert set(sizes) == {3, 700, 50}


def test_a_catalogue_that_vanishes_is_flagged_and_comes_back(tmp_path: Path) -> None:
    write_catalogue(tmp_path, "one", table([10.0], [0.0]), description())
    write_catalogue(tmp_path, "two", table([10.0], [0.0]), description())
    catalogues = CatalogueSet.open(tmp_path)
    remove_catalogue(tmp_path, "one")
    assert catalogues.refresh()
    assert set(catalogues) == {"two"}
    assert catalogues.states["one"].state == "missing"
    assert "one is gone" in catalogues.states["one"].message
    assert catalogues.states["two"].state == "ok"
    write_catalogue(tmp_path, "one", table([11.0], [0.0]), description())
    assert catalogues.refresh()
    assert catalogues.states["one"].state == "ok"
    assert len(catalogues["one"].match([11.0], [0.0], 1.0)) == 1


def test_a_part_that_vanishes_is_an_error_of_its_own_and_can_be_withdrawn(tmp_path: Path) -> None:
    version = write_catalogue(tmp_path, "test", table([10.0], [0.0]), description())
    catalogues = CatalogueSet.open(tmp_path)
    (tmp_path / "test" / f"v-{version.version}" / "part-00000.arrow").unlink()
    found = catalogues["test"].match([10.0], [0.0], 1.0)
    with pytest.raises(CatalogueUnavailableError, match="part-00000") as error:
        catalogues["test"].take(found.row)
    catalogues.withdraw("test", error.value)
    assert "test" not in catalogues
    assert catalogues.states["test"].state == "missing"
    assert not catalogues.refresh()


@pytest.mark.parametrize("file", ["cells", "positions", "part-00000.arrow"])
@pytest.mark.parametrize("call", ["match", "take", "positions"])
def test_a_file_cut_off_in_use_is_an_error_and_not_the_end_of_the_process(
    file: str, call: str, tmp_path: Path
) -> None:
    version = write_catalogue(tmp_path, "test", table([10.0], [0.0]), description())
    catalogue = CatalogueSet.open(tmp_path)["test"]
    arguments = {"match": ([10.0], [0.0], 1.0), "take": ([0],), "positions": ([0],)}[call]
    catalogue.take([0])
    os.truncate(tmp_path / "test" / f"v-{version.version}" / file, 0)
    with pytest.raises(CatalogueDamagedError, match=f"{file} had .* bytes, and now has 0; import"):
        getattr(catalogue, call)(*arguments)


@pytest.mark.parametrize("file", ["cells", "positions", "bins", "part-00000.arrow", "version.json"])
def test_damage_is_found(file: str, tmp_path: Path) -> None:
    version = write_catalogue(tmp_path, "test", table(*sphere(np.random.default_rng(1), 100)), description())
    path = tmp_path / "test" / f"v-{version.version}" / file
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert file in " ".join(check_catalogue(tmp_path, "test"))
    opened = CatalogueSet.open(tmp_path)
    assert opened.states["test"].state == "damaged"
    assert file in opened.states["test"].message
    if file != "version.json":
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 64]) + whole[middle + 1 :])
        assert file in " ".join(check_catalogue(tmp_path, "test"))
    path.unlink()
    assert CatalogueSet.open(tmp_path).states["test"].state == "missing"


def test_only_one_may_change_a_catalogue(tmp_path: Path) -> None:
    with _version_writer.locked(tmp_path / "test"), pytest.raises(CatalogueError, match="another process"):
        write_catalogue(tmp_path, "test", table([1.0], [1.0]), description())


def test_a_position_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"row 1 .* decl=91"):
        write_catalogue(tmp_path, "test", table([1.0, 2.0], [1.0, 91.0]), description())
    with pytest.raises(CatalogueError, match="no column mag_g"):
        write_catalogue(tmp_path, "test", table([1.0], [1.0]).drop_columns("mag_g"), description())
    assert not issubclass(CatalogueDamagedError, CatalogueUnavailableError)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["catalogue", *arguments], catch_exceptions=True)
    if isinstance(result.exception, CatalogueError):  # `main` tells it in one line
        return 1, f"{result.output}{result.exception}"
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("LASAIR_CONTEXT__CATALOGUES", str(tmp_path / "catalogues"))
    source = tmp_path / "variables.csv"
    source.write_text("RAJ2000,DEJ2000,VarType\n10 0 0,+1 2 3,RR\n11 0 0,-4 5 6,M\n")
    code, output = run("list")
    assert (code, "There are no catalogues" in output) == (0, True)
    code, output = run("columns", str(source))
    assert (code, output.split()) == (0, ["RAJ2000", "DEJ2000", "VarType"])
    code, output = run("add", "mine", str(source))
    assert (code, "no mapping called mine" in output) == (1, True)
    code, output = run("mappings")
    assert code == 0
    assert "Gaia DR3" in output
    code, mapping = run("mappings", "gcvs")
    assert code == 0
    (tmp_path / "mine.yaml").write_text(mapping)
    code, output = run("add", "mine", str(source), "--mapping", str(tmp_path / "mine.yaml"))
    assert (code, "mine: 2 rows" in output) == (0, True)
    assert "Not in the source: name, period" in output
    code, output = run("list")
    assert code == 0
    assert "mine" in output
    assert "variable" in output
    assert run("check")[0] == 0
    source.write_text("RAJ2000,DEJ2000,VarType\n10 0 0,+91 2 3,RR\n11 0 0,-4 5 6,M\n")
    code, output = run("add", "mine", str(source), "--mapping", str(tmp_path / "mine.yaml"))
    assert code == 1
    assert "line 2, column DEJ2000" in output
    assert "--skip-bad-rows" in output
    code, output = run("add", "mine", str(source), "--mapping", "gcvs", "--skip-bad-rows")
    assert code == 0
    assert "1 faults" in output
    current = (tmp_path / "catalogues" / "mine" / "current").read_text()
    os.truncate(tmp_path / "catalogues" / "mine" / current / "version.json", 10)
    code, output = run("check", "mine")
    assert code == 1
    assert "import it again" in output.replace("\n", " ") or "Import those again" in output
    code, output = run("list")
    assert (code, "damaged" in output) == (0, True)
    assert run("remove", "mine")[0] == 0
    code, output = run("remove", "mine")
    assert (code, "there is no catalogue mine" in output) == (1, True)
