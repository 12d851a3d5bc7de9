"""Packages that import what they offer when it is used."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "lasair_broker"

OFFERS = """
from typing import TYPE_CHECKING

from lasair_broker.deferred import import_when_used

if TYPE_CHECKING:
    from ._one import ONE
    from ._two import two, two as also_two
    from deferred_house.rooms._one import ONE as SAME

__all__ = ["ONE", "SAME", "also_two", "two"]

import_when_used(__name__)
"""


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package of packages; the name of the one that defers."""
    inner = tmp_path / "deferred_house" / "rooms"
    inner.mkdir(parents=True)
    (inner.parent / "__init__.py").touch()
    (inner / "__init__.py").write_text(OFFERS)
    (inner / "_one.py").write_text("ONE = [1]\n")
    (inner / "_two.py").write_text("from . import ONE\n\ndef two():\n    return ONE * 2\n")
    (inner / "plain.py").write_text("PLAIN = 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "deferred_house.rooms"
    for name in [name for name in sys.modules if name.startswith("deferred_house")]:
        del sys.modules[name]


def test_each_name_is_imported_when_it_is_used(rooms: str) -> None:
    package = importlib.import_module(rooms)
    assert {"ONE", "SAME", "also_two", "two"} <= set(dir(package))
    assert not [name for name in sys.modules if name.startswith(f"{rooms}.")]
    assert package.ONE is package.SAME is package._one.ONE
    assert f"{rooms}._two" not in sys.modules
    assert package.also_two() == [1, 1]
    assert package.two is package.also_two is package.__dict__["two"]
    submodule = importlib.import_module(f"{rooms}.plain")
    assert package.plain is submodule


def test_other_names_are_told_as_python_does(rooms: str) -> None:
    package = importlib.import_module(rooms)
    with pytest.raises(AttributeError, match=f"module '{rooms}' has no attribute 'three'"):
        package.three  # noqa: B018 - that it is asked for is the point
    with pytest.raises(ImportError, match="three"):
        exec(f"from {rooms} import three")  # noqa: S102 - text of this test


DEFERRING = sorted(
    ".".join(["lasair_broker", *path.parent.relative_to(SOURCE).parts])
    for path in SOURCE.rglob("__init__.py")
    if "import_when_used(__name__)" in path.read_text().splitlines() and path.parent.name != "deferred"
)


@pytest.mark.parametrize("name", DEFERRING)
def test_ours_offer_what_they_say(name: str) -> None:
    package = importlib.import_module(name)
    for offered in package.__all__:
        assert getattr(package, offered) is not None, offered


def test_a_kernel_brings_numba_when_it_is_called() -> None:
    program = (
        "import sys\n"
        "import numpy as np\n"
        "from lasair_broker.sky import healpix29\n"
        "assert healpix29.__name__ == 'healpix29' and 'numba' not in sys.modules\n"
        "assert healpix29(np.array([10.0]), np.array([-20.0])).dtype == np.int64\n"
        "assert 'numba' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
