"""The example notebooks run as they stand, against a running site."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
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
