"""Which source files the kernels of a module are made of."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["sources", "stamp"]


@cache
def stamp(path: Path) -> str:
    """A digest of the files that the kernels in the module at `path` are made of."""
    digest = hashlib.blake2b(digest_size=16)
    for source in sorted(sources(path)):
        digest.update(hashlib.blake2b(source.read_bytes(), digest_size=16).digest())
    return digest.hexdigest()


def sources(path: Path) -> set[Path]:
    """The module at `path`, and those from which its kernels take what they use, and so on."""
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += _used(module)
    return found


@cache
def _used(path: Path) -> frozenset[Path]:
    """The modules of this package from which decorated functions, and constants, use a name."""
    tree = _parsed(path)
    used = {
        name.id
        for part in tree.body
        if isinstance(part, ast.Assign | ast.AnnAssign)
        or (isinstance(part, ast.FunctionDef) and part.decorator_list)
        for name in ast.walk(part)
        if isinstance(name, ast.Name)
    }
    modules = (_source(path, imported, name) for name, imported in _imports(tree) if name in used)
    return frozenset(module for module in modules if module is not None)


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


def _imports(tree: ast.Module) -> Iterator[tuple[str, ast.ImportFrom]]:
    """The names that a module imports by ``from … import``, each with its statement."""
    for part in tree.body:
        if isinstance(part, ast.ImportFrom):
            for alias in part.names:
                yield alias.asname or alias.name, part


def _offers(package: ast.Module) -> Iterator[tuple[str, ast.ImportFrom]]:
    """The same for what a package passes on, be it only when it is used (`lasair_broker.deferred`)."""
    yield from _imports(package)
    for part in package.body:
        if isinstance(part, ast.If):
            yield from _imports(ast.Module(part.body, []))


def _source(path: Path, imported: ast.ImportFrom, name: str) -> Path | None:
    """The module of this package that a name comes from; None if it is another package's.

    A package that only passes the name on is passed through.
    """
    root = Path(__file__).parents[1]
    words = (imported.module or "").split(".") if imported.module else []
    if imported.level:
        base = path.parents[imported.level - 1]
    elif words[:1] == [root.name]:
        base, words = root, words[1:]
    else:
        return None
    original = next(alias.name for alias in imported.names if (alias.asname or alias.name) == name)
    target = base.joinpath(*words)
    if target == Path(__file__).parent:
        return None  # how kernels are made is no part of them
    for module in (target.with_suffix(".py") if words else target / "__init__.py", target / f"{original}.py"):
        if module.is_file() and module.name != "__init__.py":
            return module
    package = target / "__init__.py"
    if not package.is_file():
        return None
    for passed, statement in _offers(_parsed(package)):
        if passed == original:
            return _source(package, statement, original)
    return package
