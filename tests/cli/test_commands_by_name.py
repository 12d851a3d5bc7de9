"""Commands are imported when they are called: what stands of them before must be what they are."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lasair_broker.cli._commands import COMMANDS

_HEAVY = ("astropy", "django", "duckdb", "numba", "pyarrow")


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


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_begins_with_what_stands_in_the_list(name):
    command = COMMANDS[name].imported(name)
    assert command.name == name
    assert command.hidden == COMMANDS[name].hidden
    assert " ".join(command.help.split("\n\n")[0].split()) == COMMANDS[name].help
