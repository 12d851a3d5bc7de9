"""Values for the parameters of a query, as commands are given them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

__all__ = ["SetOption", "values_of"]

SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="The value of a parameter, which the query names as :NAME; any number of times.",
    ),
]


def values_of(given: Sequence[str] | None) -> dict[str, str]:
    """The values by the names of their parameters.

    Raises
    ------
    BadParameter
        If one is not written as NAME=VALUE, or is there twice.
    """
    found: dict[str, str] = {}
    for each in given or ():
        name, sign, value = each.partition("=")
        name = name.strip().removeprefix(":")
        if not sign or not name:
            raise typer.BadParameter(f"--set {each}: write NAME=VALUE, such as limit=20.5")
        if name in found:
            raise typer.BadParameter(f"--set {each}: {name} is given twice")
        found[name] = value
    return found
