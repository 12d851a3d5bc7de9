"""The commands of `lasair`, and how their errors are told."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.markup import escape

from lasair_broker.settings import CONFIG_VARIABLE

from ._commands import CommandsByName
from ._console import console, fail
from ._told import hint_of, is_told

__all__ = ["app", "main"]

app = typer.Typer(
    cls=CommandsByName,
    help="Lasair, an alert broker for astronomy: alerts in, enriched and searchable objects out.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        console.print(f"lasair-broker {version('lasair-broker')}", highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=f"Settings, TOML or YAML. Default: the environment variable {CONFIG_VARIABLE}.",
        ),
    ] = None,
    show_version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and leave.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    if config is not None:
        os.environ[CONFIG_VARIABLE] = str(config)


def main() -> None:
    """Run `lasair`: exit code 0 for success, 1 for an error (told in one line), 2 for a misused command."""
    try:
        app()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        raise SystemExit(141) from None
    except Exception as error:
        if is_told(error):
            _leave(error, hint_of(error))
        if not isinstance(error, OSError) or error.filename is None:
            raise  # of none of the files that a command was given
        _leave(f"{error.filename}: {error.strerror}")


def _leave(error: Exception | str, hint: str | None = None) -> NoReturn:
    raise SystemExit(fail(escape(str(error)), hint).exit_code)
