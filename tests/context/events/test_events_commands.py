"""`lasair event`, as a person uses it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from lasair_broker.archive import open_archive
from lasair_broker.cli._app import app
from lasair_broker.context import ContextError

DATA = Path(os.environ.get("LASAIR_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("LASAIR_CONTEXT__CATALOGUES", str(tmp_path / "catalogues"))
    monkeypatch.setenv("LASAIR_SCHEMAS__FOLDERS", json.dumps([str(DATA / "lsst" / "schemas")]))
    monkeypatch.setenv("COLUMNS", "250")
    yield tmp_path
    structlog.reset_defaults()  # commands send the log to an output that is gone now


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["event", *words])
    if isinstance(result.exception, ContextError):
        raise result.exception
    return result.exit_code, result.output


def notice(folder: Path, name: str, **changed: object) -> str:
    path = folder / f"{name}.json"
    content = {"mission": "My [X]", "id": name, "ra": 10.0, "dec": 20.0, "ra_dec_error": 0.5}
    path.write_text(json.dumps(content | {"trigger_time": "2026-03-01T00:00:00Z"} | changed))
    return str(path)


def test_events_come_are_seen_and_go(folder: Path) -> None:
    assert "There are no events" in run("list")[1]
    code, told = run("add", notice(folder, "a"), notice(folder, "b", ra=None), notice(folder, "c", dec=95))
    assert code == 1
    assert "2 new events, 0 changed; 2 are known" in told
    assert "c.json: ra=10.0, dec=95 is no position" in told
    code, told = run("add", notice(folder, "a"))
    assert (code, "0 new events, 0 changed" in told) == (0, True)
    assert "0.50°" in run("list")[1]
    assert "eventMjdTai" in run("show", "a")[1]
    assert run("remove", "a")[0] == 0
    assert run("remove", "a")[0] == 1
    assert run("show", "a")[0] == 1


def test_tests_and_what_cannot_match_are_told(folder: Path) -> None:
    code, told = run("add", notice(folder, "a", alert_tense="test"), notice(folder, "b", ra_dec_error=None))
    assert code == 0
    assert "1 tests left out" in told
    assert "1 of them have no position with an error" in told
    assert "2 are known" in run("add", "--tests", notice(folder, "a", alert_tense="test"))[1]


def test_bad_rows_of_tables_are_told(folder: Path) -> None:
    table = folder / "t.csv"
    table.write_text("n,r,d\nx,1,2\ny,1,99\n")
    mapping = folder / "m.yaml"
    mapping.write_text("title: T\norigin: O\ncolumns: {name: n, ra: r, decl: d}\nerror: 3\n")
    code, told = run("add", str(table), "--mapping", str(mapping))
    assert code == 1
    assert "t.csv line 3, column d: no angle of at most 90 degrees" in told
    assert "1 new events" in told
    with pytest.raises(ContextError, match="there is no mapping nothing"):
        run("add", str(table), "--mapping", "nothing")


def test_mappings_are_shown() -> None:
    assert "gaia_alerts" in run("mappings")[1]


def hits(archive: Path) -> list[tuple[int, str]]:
    with open_archive(archive, read_only=True) as store:
        found = store.query("SELECT diaObjectId, eventName FROM event_hits").to_pylist()
    return [(row["diaObjectId"], row["eventName"]) for row in found]


def test_objects_stored_are_matched_and_new_alerts_too(folder: Path) -> None:
    archive = folder / "archive"
    packets = str(DATA / "lsst" / "wire_v10")
    assert CliRunner().invoke(app, ["ingest", packets, "--archive", str(archive)]).exit_code == 0
    with open_archive(archive, read_only=True) as store:
        first = store.query("SELECT diaObjectId, ra, decl FROM objects ORDER BY diaObjectId").to_pylist()[0]
    here = {"ra": first["ra"], "dec": first["decl"], "ra_dec_error": 1.0 / 3600.0}
    code, told = run("add", notice(folder, "a", **here), "--archive", str(archive))
    assert code == 0, told
    assert "the archive is up to date" in told
    assert hits(archive) == [(first["diaObjectId"], "a")]
    # The same alerts in an archive that is new: now it is they that find the event.
    other = folder / "other"
    assert CliRunner().invoke(app, ["ingest", packets, "--archive", str(other)]).exit_code == 0
    assert hits(other) == [(first["diaObjectId"], "a")]
    back = notice(folder, "a", alert_type="retraction", record_number=2)
    assert run("add", back, "--archive", str(archive))[0] == 0
    assert hits(archive) == []
    assert run("remove", "a", "--archive", str(other))[0] == 0
    assert hits(other) == []
