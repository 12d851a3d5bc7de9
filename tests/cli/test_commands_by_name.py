"""Commands are imported when they are called: what stands of them before must be what they are."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from lasair_broker.archive import ArchiveError, ArchiveLockedError
from lasair_broker.cli._commands import COMMANDS
from lasair_broker.cli._told import TOLD, hint_of, is_told

_HEAVY = ("astropy", "django", "duckdb", "numba", "pyarrow")
_OF_OTHERS = ("astropy", "django", "matplotlib", "numba", "scipy")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--help"], 0, "Run a read-only query on the archive."),
        (["--version"], 0, "lasair-broker"),
        (["satus"], 2, "Did you mean 'status'?"),
        (["user", "--help"], 0, "The people who own filters"),
    ],
)
def test_light_commands_import_nothing_heavy(arguments, code, says):
    program = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print('heavy:', *[name for name in {_HEAVY} if name in sys.modules]))\n"
        "from lasair_broker.cli import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert says in done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].strip() == "heavy:"


def test_commands_that_read_wait_for_no_library_that_they_do_not_need(tmp_path):
    """An embedded archive is opened and asked, and nothing compiled."""
    program = (
        "import sys\n"
        "from lasair_broker.archive import open_archive\n"
        "from lasair_broker.cli import _object, _query, _status\n"
        f"with open_archive({str(tmp_path / 'archive')!r}) as archive:\n"
        "    archive.object(5)\n"
        "    archive.light_curve(5)\n"
        "    archive.status()\n"
        f"print(*[name for name in {_OF_OTHERS} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_begins_with_what_stands_in_the_list(name):
    command = COMMANDS[name].imported(name)
    assert command.name == name
    assert command.hidden == COMMANDS[name].hidden
    assert " ".join(command.help.split("\n\n")[0].split()) == COMMANDS[name].help


def test_the_errors_that_are_told_are_those_of_the_house():
    for package, name in TOLD:
        places = [importlib.import_module(f"lasair_broker.{package}")]
        if package == "context":
            places.append(importlib.import_module("lasair_broker.context.catalogues"))
        (kind,) = [getattr(place, name) for place in places if name in place.__all__]
        assert is_told(kind.__new__(kind)), name
        assert is_told(type("Another", (kind,), {}).__new__(kind))
    assert not is_told(RuntimeError("what nobody thought of"))
    assert not is_told(type("ArchiveError", (Exception,), {})())
    assert "one user at a time" in hint_of(ArchiveLockedError("it is open"))
    assert hint_of(ArchiveError("broken")) is None
