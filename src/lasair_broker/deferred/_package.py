"""Finding what a package offers in its own source."""

from __future__ import annotations

import ast
import functools
import sys
from importlib import import_module
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

__all__ = ["import_when_used"]


def import_when_used(package: str) -> None:
    """Let a package import each name that stands under ``if TYPE_CHECKING`` when it is asked for it."""
    module: Any = sys.modules[package]

    @functools.cache
    def homes() -> dict[str, tuple[str, str]]:
        return _homes(Path(module.__file__), package)

    def found(name: str) -> Any:
        if name not in homes():
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home, original = homes()[name]
        value = getattr(import_module(home), original)
        setattr(module, name, value)
        return value

    module.__getattr__ = found
    module.__dir__ = lambda: [*module.__dict__, *homes()]


def _homes(source: Path, package: str) -> dict[str, tuple[str, str]]:
    """For each name the module that has it, and how it is called there."""
    return {
        alias.asname or alias.name: (
            resolve_name("." * statement.level + (statement.module or ""), package),
            alias.name,
        )
        for part in ast.parse(source.read_bytes()).body
        if isinstance(part, ast.If) and isinstance(part.test, ast.Name) and part.test.id == "TYPE_CHECKING"
        for statement in part.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
