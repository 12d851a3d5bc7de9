"""`lasair place` and `lasair tns update`, as a person uses them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
import structlog
import yaml
from made_up_sky import RULES, catalogue
from test_known_transients import HEADER, LIST
from typer.testing import CliRunner

from lasair_broker.archive import open_archive
from lasair_broker.cli._app import app
from lasair_broker.context import ContextError
from lasair_broker.context.catalogues import CatalogueSet
from lasair_broker.schema import arrow_schema


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installation of nothing but catalogues."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump(RULES))
    monkeypatch.setenv("LASAIR_CONTEXT__CATALOGUES", str(tmp_path / "catalogues"))
    monkeypatch.setenv("LASAIR_CONTEXT__RULES", str(rules))
    monkeypatch.setenv("COLUMNS", "200")
    yield tmp_path / "catalogues"
    structlog.reset_defaults()  # commands send the log to an output that is gone now


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words))
    if isinstance(result.exception, ContextError):
        raise result.exception
    return result.exit_code, result.output


def test_a_place(folder: Path) -> None:
    place = {"ra": 150.0, "decl": -2.0, "name": "NGC [1]", "redshift": 0.01, "redshift_kind": "spec"}
    shape = {"mag_B": 14.0, "major_axis": 60.0, "minor_axis": 40.0, "position_angle": 30.0}
    catalogue(folder, "galaxies", [place | shape])
    code, told = run("place", "--", "150.001", "-2.001")
    assert code == 0
    assert told.startswith("SN ")
    assert "NGC [1]" in told  # names are shown as they are, brackets too
    assert "redshift 0.0100 (spec)" in told
    assert "E(B-V) 0.0" in told


def test_a_place_where_nothing_is(folder: Path) -> None:
    catalogue(folder, "stars", [{"ra": 1.0, "decl": 1.0, "name": "x", "mag_G": 12.0}])
    code, told = run("place", "200", "45")
    assert code == 0
    assert told.startswith("ORPHAN")


def test_what_is_no_place(folder: Path) -> None:
    assert run("place", "400", "0")[0] == 2
    assert run("place", "10", "91")[0] == 2
    code, _ = run("place", "10", "20")
    assert code == 1  # there are no catalogues


def test_following_tns(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "tns_public_objects.csv"
    file.write_text(LIST)
    code, told = run("tns", "update", str(file))
    assert code == 0
    assert "2 new transients, 0 changed; 2 are known" in told
    assert len(CatalogueSet.open(folder)["tns"]) == 2
    file.write_text("\n".join(('"2023-05-21"', HEADER, "")))
    assert "0 new transients, 0 changed; 2 are known" in run("tns", "update", str(file))[1]
    with pytest.raises(ContextError, match=r"missing\.csv: No such file"):
        run("tns", "update", str(tmp_path / "missing.csv"))


def test_tns_reaches_objects_that_are_stored(folder: Path, tmp_path: Path) -> None:
    """A night is taken in, then TNS names one of its objects."""
    archive = str(tmp_path / "archive")
    assert run("ingest", "--simulate", "300", "--archive", archive)[0] == 0
    with open_archive(Path(archive)) as store:
        (row,) = store.query(
            "SELECT diaObjectId, ra, decl FROM objects ORDER BY diaObjectId LIMIT 1"
        ).to_pylist()
    file = tmp_path / "tns_public_objects.csv"
    file.write_text(LIST.replace('"32.0","10.0"', f'"{row["ra"]}","{row["decl"]}"'))
    code, told = run("tns", "update", str(file), "--archive", archive)
    assert code == 0
    assert "the archive is up to date" in told
    with open_archive(Path(archive)) as store:
        named = store.query(
            "SELECT diaObjectId, tns_name FROM objects WHERE tns_name IS NOT NULL"
        ).to_pylist()
        known = store.query("SELECT tns_name, tns_prefix FROM crossmatch_tns").to_pylist()
    assert named == [{"diaObjectId": row["diaObjectId"], "tns_name": "2023xyz"}]
    # The archive has the whole list, as Lasair always had it.
    assert sorted(r["tns_name"] for r in known) == ["2023abc", "2023xyz"]


def test_a_changed_catalogue_reaches_objects_that_are_stored(folder: Path, tmp_path: Path) -> None:
    """Only those that it has not reached yet are computed anew; and then there is nothing left to do."""
    archive = str(tmp_path / "archive")
    catalogue(folder, "stars", [{"ra": 1.0, "decl": 1.0, "name": "elsewhere", "mag_G": 12.0}])
    assert run("ingest", "--simulate", "60", "--archive", archive)[0] == 0
    assert "the archive is up to date" in run("replay", "--outdated", "--archive", archive)[1]
    query = "SELECT classification, COUNT(*) AS n FROM sherlock_classifications GROUP BY classification"
    with open_archive(Path(archive)) as store:
        (before,) = store.query(query).to_pylist()
        objects = store.query("SELECT ra, decl FROM objects").to_pylist()
    assert before["classification"] == "ORPHAN"
    catalogue(folder, "stars", [{**place, "name": "here", "mag_G": 18.0} for place in objects])
    code, told = run("replay", "--outdated", "--archive", archive)
    assert code == 0
    assert "the archive is up to date" in told
    with open_archive(Path(archive)) as store:
        assert store.query(query).to_pylist() == [{"classification": "VS", "n": before["n"]}]
    code, told = run("replay", "--outdated", "--object", "1", "--archive", archive)
    assert code == 1
    assert "--outdated chooses the objects itself" in told
    with open_archive(Path(archive)) as store:
        assert "context" in {row["chore"] for row in store.query("SELECT chore FROM chores").to_pylist()}
        # While a stream has it open, that sees to it.
        assert "open in a stream" in run("replay", "--outdated", "--archive", archive)[1]
    shutil.rmtree(folder / "stars")
    assert run("replay", "--outdated", "--archive", archive)[0] == 0
    assert "no catalogues" in run("status", "--archive", archive)[1]


def test_status_says_what_the_stream_has_noted(folder: Path, tmp_path: Path) -> None:
    """How far news are, what fails, and which catalogue vanished while the stream ran."""
    rows = [
        ("catalogue gaia_dr3", "missing", "gaia_dr3 is gone; import it again", None, None),
        ("catalogue old", "removed", None, None, None),
        ("context", "working", None, 1200, 50000),
        ("events", "ok", None, None, None),
        ("tns lists", "failed", "the server answers 401 [Unauthorized]", None, None),
    ]
    names = ("chore", "state", "message", "done", "total")
    told = [dict(zip(names, row, strict=True)) | {"changedMjdTai": 61370.0} for row in rows]
    with open_archive(tmp_path / "archive") as store:
        store.write([], tables={"chores": pa.Table.from_pylist(told, arrow_schema("chores"))})
    code, shown = run("status", "--archive", str(tmp_path / "archive"))
    assert code == 0
    shown = " ".join(shown.split())
    assert "up to the catalogues in use: 1,200 of 50,000, since 2026-11-25" in shown
    assert "fetching lists of TNS fails since 2026-11-25" in shown
    assert "the server answers 401 [Unauthorized]" in shown
    assert "gaia_dr3 is gone; import it again (the stream goes on without it since 2026-11-25" in shown
    assert "old" not in shown
    assert "events" not in shown
