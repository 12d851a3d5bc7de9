"""`lasair filter output`: where the hits of filters go."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ._context import ArchiveOption, console, fail
from ._lists import given
from ._user import UserOption, acting

if TYPE_CHECKING:
    from lasair_broker.web.accounts.models import User

__all__ = ["app"]

app = typer.Typer(help="Where a filter's hits go.", no_args_is_help=True)


class Kind(StrEnum):
    """Where hits go."""

    kafka = "kafka"
    email = "email"
    webhook = "webhook"
    apprise = "apprise"
    browser = "browser"


class LightCurve(StrEnum):
    """How much of the light curve goes with a hit."""

    none = "none"
    lite = "lite"
    full = "full"


class Frequency(StrEnum):
    """How often an e-mail is sent."""

    immediate = "immediate"
    digest = "digest"


class MessageFormat(StrEnum):
    """How a Kafka message is written."""

    json = "json"
    avro = "avro"


FilterArgument = Annotated[int, typer.Argument(metavar="FILTER", help="Number of the filter.")]
OutputArgument = Annotated[int, typer.Argument(metavar="OUTPUT", help="Number of the output.")]
LightCurveOption = Annotated[LightCurve | None, typer.Option(help="How much of the light curve to send.")]
FormatOption = Annotated[MessageFormat | None, typer.Option("--format", help="Of Kafka messages.")]
FrequencyOption = Annotated[Frequency | None, typer.Option(help="Of e-mails.")]
RecipientOption = Annotated[
    str | None, typer.Option("--to", metavar="NAME", help="The user who gets the e-mail. Default: you.")
]
UrlOption = Annotated[str | None, typer.Option(help="Address of a webhook or of an apprise service.")]
LimitOption = Annotated[int | None, typer.Option(help="More hits an hour are summed up in one.", min=1)]


@app.command()
def add(
    filter_id: FilterArgument,
    kind: Annotated[Kind, typer.Argument(help="Where the hits go.")],
    light_curve: LightCurveOption = None,
    message_format: FormatOption = None,
    frequency: FrequencyOption = None,
    recipient: RecipientOption = None,
    url: UrlOption = None,
    hourly_limit: LimitOption = None,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Send a filter's hits somewhere, from now on."""
    with acting(user, archive) as me:
        from lasair_broker.web.filters import outputs

        values = given(
            light_curve=light_curve and light_curve.value,
            format=message_format and message_format.value,
            frequency=frequency and frequency.value,
            recipient=_person(recipient),
            url=url,
            hourly_limit=hourly_limit,
        )
        made = outputs.add(me, filter_id, kind.value, **values)
    console.print(f"output {made.pk} made; try it: lasair deliver test {made.pk}", highlight=False)
    if kind is Kind.webhook:
        console.print(f"its messages are signed with {escape(made.secret)}", highlight=False)


@app.command()
def change(
    output_id: OutputArgument,
    enabled: Annotated[bool | None, typer.Option("--on/--off", help="Whether it is served.")] = None,
    light_curve: LightCurveOption = None,
    message_format: FormatOption = None,
    frequency: FrequencyOption = None,
    recipient: RecipientOption = None,
    url: UrlOption = None,
    hourly_limit: LimitOption = None,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Change an output; what is not given stays."""
    with acting(user, archive) as me:
        from lasair_broker.web.filters import outputs

        values = given(
            enabled=enabled,
            light_curve=light_curve and light_curve.value,
            format=message_format and message_format.value,
            frequency=frequency and frequency.value,
            recipient=_person(recipient),
            url=url,
            hourly_limit=hourly_limit,
        )
        outputs.change(me, output_id, **values)
    console.print(f"output {output_id} changed")


@app.command("list")
def list_outputs(filter_id: FilterArgument, user: UserOption = None, archive: ArchiveOption = None) -> None:
    """Show where a filter's hits go."""
    with acting(user, archive) as me:
        from lasair_broker.web import sharing
        from lasair_broker.web.filters.models import Filter

        found = sharing.editable(Filter.objects.all(), me, filter_id)
        shown = Table("", "kind", "", "light curve", "to", box=None, header_style="bold")
        for each in found.outputs.select_related("recipient").order_by("pk"):
            to = each.url.partition("?")[0] or (each.recipient.username if each.recipient else "")
            shown.add_row(
                str(each.pk),
                each.get_kind_display(),
                "" if each.enabled else "off",
                each.light_curve,
                escape(to if each.kind != Kind.apprise else f"{each.url.partition(':')[0]}://…"),
            )
    console.print(shown)


@app.command()
def secret(output_id: OutputArgument, user: UserOption = None, archive: ArchiveOption = None) -> None:
    """Give a webhook a new signing secret. It is shown this once."""
    with acting(user, archive) as me:
        from lasair_broker.web.filters import outputs

        made = outputs.new_secret(me, output_id)
    console.print(escape(made.secret), highlight=False)


@app.command()
def remove(output_id: OutputArgument, user: UserOption = None, archive: ArchiveOption = None) -> None:
    """Send a filter's hits there no more."""
    with acting(user, archive) as me:
        from lasair_broker.web.filters import outputs

        outputs.remove(me, output_id)
    console.print(f"output {output_id} removed")


def _person(name: str | None) -> User | None:
    from lasair_broker.web.accounts.models import User

    if name is None:
        return None
    found = User.objects.filter(username__iexact=name, is_active=True).first()
    if found is None:
        raise fail(f"there is no user {escape(name)}")
    return found
