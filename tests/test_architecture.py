"""The floors of the house: a package imports only from below, and only what the other one offers."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "lasair_broker"

FLOORS = {
    "compiled": 0,
    "deferred": 0,
    "http": 0,
    "schema": 0,
    "settings": 0,
    "sky": 1,
    "telemetry": 1,
    "packets": 2,
    "lightcurve": 3,
    "context": 4,
    "classify": 4,
    "messengers": 4,
    "archive": 5,
    "query": 5,
    "stream": 6,
    "client": 7,
    "web": 7,
    "vo": 7,
    "cli": 8,
}


def _imports(path: Path) -> list[tuple[int, str]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.append((node.lineno, node.module))
        elif isinstance(node, ast.Import):
            found.extend((node.lineno, alias.name) for alias in node.names)
    return [(line, name) for line, name in found if name.startswith("lasair_broker.")]


def _modules() -> list[Path]:
    return sorted(p for p in SOURCE.rglob("*.py") if p.parent != SOURCE)


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_only_what_lies_below(path: Path) -> None:
    here = path.relative_to(SOURCE).parts[0]
    assert here in FLOORS, f"{here} has no floor"
    for line, name in _imports(path):
        _, there, *rest = name.split(".")
        if there == here:
            continue
        where = f"{path.relative_to(SOURCE)}:{line} imports {name}"
        assert FLOORS[there] < FLOORS[here], f"{where}, which is not below"
        assert not any(part.startswith("_") for part in rest), f"{where}, which is private"


def test_every_package_says_what_it_offers() -> None:
    for package in sorted(p.parent for p in SOURCE.glob("*/__init__.py")):
        names = {
            target.id
            for node in ast.parse((package / "__init__.py").read_text()).body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        assert "__all__" in names, f"{package.name}/__init__.py lists nothing in __all__"


def test_kernels_are_kept_by_all_their_sources() -> None:
    """The codec's are so by a stamp of their own; others by what `compiled` offers."""
    for path in _modules():
        if path.parts[-2] in ("avro", "compiled"):
            continue
        text = path.read_text()
        assert not re.search(r"from numba import .*\bnjit\b|numba\.njit", text), path
