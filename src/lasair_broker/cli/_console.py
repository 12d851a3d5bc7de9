"""Where commands write, and how an error is told."""

from __future__ import annotations

import typer
from rich.console import Console

__all__ = ["console", "errors", "fail"]

console = Console(emoji=False)  # h:m:s is no emoji
# A long line is the terminal's to break: the place in a query is shown below the text by blanks.
errors = Console(stderr=True, emoji=False, soft_wrap=True)


def fail(message: str, hint: str | None = None) -> typer.Exit:
    """Tell an error and what to do about it; raise the result to leave with exit code 1."""
    errors.print(f"[bold red]error:[/] {message}", highlight=False)
    if hint:
        errors.print(f"[dim]{hint}[/]", highlight=False)
    return typer.Exit(1)
