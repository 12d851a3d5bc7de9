"""Machine code that is kept is of the present sources, wherever they stand."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lasair_broker.compiled import _sources

SOURCE = Path(_sources.__file__).parents[1]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A small package of the same name, in which a kernel calls one of another package."""
    package = tmp_path / "lasair_broker"
    shutil.copytree(SOURCE / "compiled", package / "compiled", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").touch()
    for folder, files in {
        "low": {
            "__init__.py": "from ._twice import twice\n__all__ = ['twice']\n",
            "_twice.py": "from lasair_broker.compiled import njit\nfrom ._factor import FACTOR\n"
            "@njit(cache=True)\ndef twice(x):\n    return FACTOR * x\n",
            "_factor.py": "FACTOR = 2\n",
            "_other.py": "NOTHING = 0\n",
        },
        "high": {
            "__init__.py": "",
            "_kernel.py": "from lasair_broker.compiled import njit\nfrom lasair_broker.low import twice\n"
            "from lasair_broker.low import _other\n"
            "@njit(cache=True)\ndef more(x):\n    return twice(x) + 1\n"
            "def unused():\n    return _other.NOTHING\n",
        },
    }.items():
        (package / folder).mkdir()
        for name, text in files.items():
            (package / folder / name).write_text(text)
    return tmp_path


def answer(house: Path) -> tuple[int, int]:
    """What the kernel says of 10 in a process of its own, and how often it was found compiled."""
    program = (
        "from lasair_broker.high._kernel import more\nprint(more(10), sum(more.stats.cache_hits.values()))\n"
    )
    command = [sys.executable, "-c", program]
    found = subprocess.run(
        command, cwd=house, env={"PYTHONPATH": str(house)}, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    said, hits = found.stdout.split()
    return int(said), int(hits)


def test_a_kernel_follows_what_it_is_made_of(house: Path) -> None:
    assert answer(house) == (21, 0)
    assert answer(house) == (21, 1)
    low = house / "lasair_broker" / "low"
    (low / "_factor.py").write_text("FACTOR = 3\n")
    assert answer(house) == (31, 0)
    twice = low / "_twice.py"
    twice.write_text(twice.read_text().replace("FACTOR * x", "FACTOR * x + 100"))
    assert answer(house) == (131, 0)
    # What no kernel uses compiles none anew.
    (low / "_other.py").write_text("NOTHING = 1\n")
    assert answer(house) == (131, 1)


def test_the_sources_of_a_kernel() -> None:
    found = _sources.sources(SOURCE / "lightcurve" / "_solver.py")
    names = {path.relative_to(SOURCE).as_posix() for path in found}
    assert {"lightcurve/_solver.py", "lightcurve/_models.py", "lightcurve/_kernel.py"} <= names
    assert "lightcurve/_enrich.py" not in names
