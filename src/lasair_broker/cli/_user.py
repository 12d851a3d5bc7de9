"""`lasair user`: the people of this installation; and for every command that acts as one of them, whom."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from lasair_broker.web import migrate

from ._context import ArchiveOption, console, fail

if TYPE_CHECKING:
    from lasair_broker.web.accounts.models import User

__all__ = ["UserOption", "acting", "app", "users_of"]

app = typer.Typer(help="The people who own filters, lists, maps and annotators here.", no_args_is_help=True)

UserOption = Annotated[
    str | None,
    typer.Option(
        "--user",
        "-u",
        metavar="NAME",
        envvar="LASAIR_USER",
        help="Act as this user. Default: the name you are logged in with.",
    ),
]


def users_of(archive: str | None) -> None:
    """Make the user database ready: the one that lies beside the archive of a command."""
    if archive is not None:
        os.environ["LASAIR_ARCHIVE__URL"] = archive  # where Django's settings look
    migrate()


@contextmanager
def acting(user: str | None, archive: str | None = None) -> Iterator[User]:
    """The user as whom a command acts; what the services refuse is told as an error of the command.

    Raises
    ------
    Exit
        If there is no such user, or a service refuses.
    """
    users_of(archive)
    from lasair_broker.web.accounts.models import User
    from lasair_broker.web.errors import Invalid, ServiceError

    name = user or getpass.getuser()
    found = User.objects.filter(username__iexact=name, is_active=True).first()
    if found is None:
        raise fail(
            f"there is no user {escape(name)}",
            f"Make one (lasair user create {escape(name)}), or name another with --user or LASAIR_USER.",
        )
    try:
        yield found
    except ServiceError as error:
        faults = error.faults if isinstance(error, Invalid) else {}
        texts = [f"{name}: {text}" if name else text for name, text in faults.items()] or [str(error)]
        raise fail("\n".join(map(escape, texts))) from None


@app.command()
def create(
    name: Annotated[str | None, typer.Argument(help="Default: the name you are logged in with.")] = None,
    email: Annotated[
        str | None, typer.Option(help="Address for what is sent. Default: NAME@localhost.")
    ] = None,
    administrator: Annotated[bool, typer.Option(help="Let this user see and change everything.")] = False,
    archive: ArchiveOption = None,
) -> None:
    """Make a user. Without a password, which the site asks for: the command line asks for none."""
    users_of(archive)
    from lasair_broker.web.accounts import services
    from lasair_broker.web.errors import ServiceError

    name = name or getpass.getuser()
    try:
        made = services.create_user(name, email or f"{name}@localhost", administrator=administrator)
    except ServiceError as error:
        raise fail(escape(str(error))) from None
    console.print(f"user {escape(made.username)} made", highlight=False)


@app.command("list")
def show(archive: ArchiveOption = None) -> None:
    """Show who there is."""
    users_of(archive)
    from lasair_broker.web.accounts.models import User

    shown = Table("user", "address", "", box=None, header_style="bold")
    for user in User.objects.order_by("username"):
        state = "administrator" if user.is_superuser else "" if user.is_active else "not active"
        shown.add_row(escape(user.username), escape(user.email), state)
    console.print(shown)


@app.command()
def password(
    name: Annotated[str | None, typer.Argument(help="Default: the name you are logged in with.")] = None,
    archive: ArchiveOption = None,
) -> None:
    """Set a user's password for the site; it is asked for, or read from standard input."""
    new = typer.prompt("New password", hide_input=True, confirmation_prompt=sys.stdin.isatty(), err=True)
    with acting(name, archive) as user:
        from django.contrib.auth.password_validation import validate_password
        from django.core.exceptions import ValidationError

        try:
            validate_password(new, user)
        except ValidationError as error:
            raise fail(escape(" ".join(error.messages))) from None
        user.set_password(new)
        user.save(update_fields=["password"])
    console.print(f"password of {escape(user.username)} set", highlight=False)


@app.command()
def token(
    name: Annotated[str | None, typer.Argument(help="Default: the name you are logged in with.")] = None,
    purpose: Annotated[str, typer.Option(help="What it is used for.")] = "command line",
    scope: Annotated[
        list[str] | None, typer.Option(help="read, annotate or write; may be repeated. Default: all.")
    ] = None,
    archive: ArchiveOption = None,
) -> None:
    """Make a token with which programs act for a user through the API. It is shown this once."""
    with acting(name, archive) as user:
        from lasair_broker.web.api import tokens
        from lasair_broker.web.api.models import Scope

        _, text = tokens.create(user, purpose, scope or list(Scope.values))
    console.print(text, highlight=False)


@app.command()
def tier(
    name: Annotated[str, typer.Argument(help="Whom.")],
    new: Annotated[str, typer.Argument(help="user or power.")],
    archive: ArchiveOption = None,
) -> None:
    """Say how much a user may ask for: the usual, or as a power user."""
    with acting(name, archive) as user:
        from lasair_broker.web.sharing import changed

        changed(user, {"tier": new})
    console.print(f"{escape(user.username)} now has {escape(user.get_tier_display())}", highlight=False)
