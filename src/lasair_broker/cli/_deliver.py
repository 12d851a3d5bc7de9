"""`lasair deliver`: bring hits to users, and what users do with their deliveries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from lasair_broker.archive import ArchiveLockedError, open_archive
from lasair_broker.packets import mjd_tai_now
from lasair_broker.stream import failing_parts, operations_served, stop_on_signals
from lasair_broker.stream.delivery import DeliveryError, DeliveryMetrics, KafkaAccess
from lasair_broker.telemetry import set_up_logging, traced

from ._context import ArchiveOption, console, fail, settings_for
from ._moment import moment
from ._user import UserOption, acting, users_of
from ._watched import MetricsPort, metrics_at, tell_of_metrics

if TYPE_CHECKING:
    from lasair_broker.web.delivery.models import Delivery

__all__ = ["app"]

app = typer.Typer(help="Bring hits to users: Kafka, e-mail, webhooks, notifications.")

OutputArgument = Annotated[int, typer.Argument(metavar="OUTPUT", help="Number of the output.")]
FilterArgument = Annotated[int, typer.Argument(metavar="FILTER", help="Number of the filter.")]


@app.callback(invoke_without_command=True)
def deliver(
    context: typer.Context,
    metrics_port: MetricsPort = None,
    archive: ArchiveOption = None,
) -> None:
    """Deliver hits until stopped, or do one of the commands below.

    For a site whose archive is a database server. An embedded archive has one process, and there
    `lasair run` delivers by itself. Any number of these may run at once.
    """
    if context.invoked_subcommand is not None:
        return
    settings = settings_for(archive, **metrics_at(metrics_port))
    set_up_logging(settings.logging)
    users_of(archive)
    from lasair_broker.web.delivery.senders import deliveries

    metrics = DeliveryMetrics()
    try:
        opened = open_archive(settings.archive)
    except ArchiveLockedError as error:
        raise fail(
            escape(str(error)),
            "An embedded archive has one user at a time. If that is `lasair run`, it delivers by itself.",
        ) from None
    with (
        traced(settings.telemetry, "deliver"),
        opened as store,
        stop_on_signals() as stop,
        deliveries(store, settings.delivery, metrics),
        operations_served(settings.metrics, [metrics], lambda: failing_parts(store)) as port,
    ):
        tell_of_metrics(settings.metrics.address, port)
        console.print("delivering; Ctrl-C stops it, and loses nothing", highlight=False)
        while not stop.wait(1.0):
            pass


@app.command("test")
def try_output(output: OutputArgument, user: UserOption = None, archive: ArchiveOption = None) -> None:
    """Try an output now: say something harmless there, and tell whether it arrived."""
    with acting(user, archive) as who:
        from lasair_broker.web.delivery import services
        from lasair_broker.web.delivery.senders import senders_for

        senders = senders_for(settings_for(archive).delivery)
        try:
            tried = services.send_test(who, output, senders)
        finally:
            for sender in senders.values():
                sender.close()
    if tried.result != tried.Result.TEST:
        raise fail(escape(tried.message))
    console.print(escape(tried.message), highlight=False)


@app.command()
def again(
    filter_id: FilterArgument,
    since: Annotated[
        str | None, typer.Option(help="UTC date and time, MJD (TAI), or how long ago: 2h, 3d.")
    ] = None,
    after: Annotated[
        str, typer.Option(help="In place of --since: committedMjdTai/hitId of the last hit that you have.")
    ] = "",
    until: Annotated[str | None, typer.Option(help="As --since. Default: now.")] = None,
    output: Annotated[int | None, typer.Option(help="Only at this output.")] = None,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Ask to have a filter's hits of some past time delivered again; they have the ids they had."""
    begin = None if since is None else moment(since)
    end = mjd_tai_now() if until is None else moment(until)
    with acting(user, archive) as who:
        from lasair_broker.web.delivery import again as wishes

        asked = wishes.ask(who, filter_id, wishes.span_of(begin, end, after), output)
    console.print(f"asked for at {len(asked)} output{'s' * (len(asked) != 1)}", highlight=False)


@app.command()
def resend(output: OutputArgument, user: UserOption = None, archive: ArchiveOption = None) -> None:
    """Ask to have those hits again that were given up at an output."""
    with acting(user, archive) as who:
        from lasair_broker.web.delivery import services

        count = services.resend_dead_letters(who, output)
    console.print(f"{count:,} hit{'s' * (count != 1)} will be sent again", highlight=False)


@app.command()
def log(
    filter_id: FilterArgument,
    most: Annotated[int, typer.Option(help="So many lines.", min=1)] = 20,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Show what was delivered of a filter, and what went wrong, newest first."""
    with acting(user, archive) as who:
        from lasair_broker.web.delivery.models import Delivery

        found = Delivery.objects.visible_to(who).filter(output__filter=filter_id).select_related("output")
        shown = Table("UTC", "output", "", "hits", "seconds", "", box=None, header_style="bold")
        for attempt in found[:most]:
            shown.add_row(*_row(attempt))
    console.print(shown)


@app.command("kafka-password")
def kafka_password(
    collaboration: Annotated[
        str | None, typer.Argument(help="Slug of a collaboration you manage. Default: your own.")
    ] = None,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Make a new Kafka password, by which topics that are not public can be read. It is shown this once."""
    with acting(user, archive) as who, _kafka_errors():
        from lasair_broker.web.delivery import services

        access = KafkaAccess(settings_for(archive).delivery)
        principal, password = services.new_kafka_password(who, access, collaboration)
    console.print(f"login {escape(principal)}", highlight=False)
    console.print(f"password {escape(password)}", highlight=False)
    console.print("mechanism SCRAM-SHA-512; groups beginning with the login and a dot", highlight=False)


@app.command("kafka-open")
def kafka_open(archive: ArchiveOption = None) -> None:
    """Let everybody read public topics without a login, as Lasair's client does. For the operator."""
    with _kafka_errors():
        KafkaAccess(settings_for(archive).delivery).let_everybody_in()
    console.print("public topics can be read without a login", highlight=False)


@contextmanager
def _kafka_errors() -> Iterator[None]:
    try:
        yield
    except DeliveryError as error:
        raise fail(escape(str(error))) from None


def _row(attempt: Delivery) -> tuple[str, ...]:
    return (
        f"{attempt.at:%Y-%m-%d %H:%M:%S}",
        f"{attempt.output_id} {attempt.output.get_kind_display()}",
        attempt.get_result_display(),
        f"{attempt.hits:,}",
        f"{attempt.seconds:.2f}",
        escape(attempt.message),
    )
