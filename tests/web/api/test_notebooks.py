"""The example notebooks run as they stand, against a running site."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
import requests
from nbclient import NotebookClient
from site_under_test import Site

NOTEBOOKS = Path(__file__).parents[3] / "docs" / "notebooks"
NAMES = ("find_objects", "light_curve", "filter", "watchlist")


@pytest.fixture(autouse=True)
def database() -> None:
    """The site has a user database of its own."""


@pytest.fixture(scope="module")
def token(site: Site) -> str:
    site.lasair("user", "create", "nora")
    return site.lasair("user", "token", "nora")


def test_there_are_no_others() -> None:
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_help_leads_to_it(site: Site, name: str) -> None:
    path = f"/help/notebooks/{name}.ipynb"
    assert path in requests.get(f"{site.address}/help/", timeout=60).text
    assert path in requests.get(f"{site.address}/help/api/", timeout=60).text
    given = requests.get(f"{site.address}{path}", timeout=60)
    assert given.content == (NOTEBOOKS / f"{name}.ipynb").read_bytes()
    assert requests.get(f"{site.address}/help/notebooks/nothing.ipynb", timeout=60).status_code == 404


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs(
    site: Site, token: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LASAIR_ADDRESS", site.address)
    monkeypatch.setenv("LASAIR_TOKEN", token)
    monkeypatch.setenv("MPLBACKEND", "agg")
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "the repository keeps no results"
    done = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": tmp_path}}).execute()
    told = [output for cell in done.cells for output in cell.get("outputs", [])]
    assert told
    assert not any(output.output_type == "error" for output in told)


def test_the_notebook_of_an_object_runs(
    site: Site, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"adql": "SELECT TOP 1 diaObjectId FROM objects ORDER BY nDiaSources DESC"}
    rows = requests.post(f"{site.address}/api/v1/query/", json=asked, timeout=60).json()["rows"]
    number = rows[0]["diaObjectId"]
    given = requests.get(f"{site.address}/objects/{number}/notebook.ipynb", timeout=60)
    monkeypatch.setenv("LASAIR_TOKEN", token)
    monkeypatch.delenv("LASAIR_ADDRESS", raising=False)  # it has that of the site it is from
    monkeypatch.setenv("MPLBACKEND", "agg")
    notebook = nbformat.reads(given.text, as_version=4)
    nbformat.validate(notebook)
    done = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": tmp_path}}).execute()
    told = [output for cell in done.cells for output in cell.get("outputs", [])]
    assert len(told) >= 3
    assert not any(output.output_type == "error" for output in told)
