"""`lasair messenger`, as a person uses it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from lasair_broker.cli._app import app
from lasair_broker.sky import Moc, read_skymap

DATA = Path(os.environ.get("LASAIR_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("LASAIR_CONTEXT__CATALOGUES", str(tmp_path / "catalogues"))
    monkeypatch.setenv("LASAIR_MESSENGERS__TESTS", "true")
    monkeypatch.setenv("COLUMNS", "200")
    yield tmp_path
    structlog.reset_defaults()


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words))
    return result.exit_code, result.output


def test_an_event_of_the_files_that_were_sent(folder: Path) -> None:
    files = [str(DATA / "messengers" / f"igwn_MS181101ab_{s}.json.gz") for s in ("preliminary", "initial")]
    assert "tests left out" in run("event", "add", *files)[1]
    code, told = run("event", "add", "--tests", *files)
    assert (code, "1 new events" in told) == (0, True)
    assert "31.0 deg²" in run("event", "list")[1]
    told = run("messenger", "versions", "MS181101ab")[1]
    assert "preliminary" in told
    assert "initial" in told
    out = folder / "90.fits"
    assert run("messenger", "map", "MS181101ab", "--out", str(out), "--level", "0.9")[0] == 0
    sent = Moc.read((DATA / "messengers" / "MS181101ab_mock_90pc.moc.fits").read_bytes())
    assert Moc.read(out.read_bytes()).ranges.tolist() == sent.ranges.tolist()
    text = folder / "90.txt"
    run("messenger", "map", "MS181101ab", "--out", str(text), "--level", "0.9")
    assert Moc.read(text.read_bytes()).area_deg2 == pytest.approx(sent.area_deg2)
    assert run("messenger", "map", "MS181101ab", "--out", str(out))[0] == 0
    assert read_skymap(out.read_bytes()).area_deg2(0.9) == pytest.approx(sent.area_deg2)
    assert "There are none" in run("messenger", "joint")[1]


def test_what_is_not_there(folder: Path) -> None:
    assert run("messenger", "versions", "S1")[0] == 1
    code, told = run("messenger", "listen")
    assert code == 1
    assert "LASAIR_MESSENGERS__TOPICS" in told
