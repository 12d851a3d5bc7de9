"""What the delivery workers need of outputs, and the account they keep. This acts for the system."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from django.db import close_old_connections, connection, transaction
from django.db.models import Q
from django.utils import timezone

from lasair_broker.packets import posix_micros_to_mjd_tai
from lasair_broker.query import Query, QueryError
from lasair_broker.stream.delivery import Again, Channel, LightCurve, Outcome, Output
from lasair_broker.web.delivery.account import LOG_KEPT, Account
from lasair_broker.web.delivery.models import Delivery, OutputState, Redelivery
from lasair_broker.web.delivery.topics import readers_of, topic_of
from lasair_broker.web.filters.models import FilterOutput, FilterVersion, OutputKind
from lasair_broker.web.filters.queries import query_of
from lasair_broker.web.filters.wording import wording_of
from lasair_broker.web.sharing import Visibility

WINDOW = timedelta(hours=1)
"""For which hits are counted against an output's limit."""

_PRUNE = timedelta(hours=1)


def mjd_tai(moment: datetime) -> float:
    """A moment as MJD TAI."""
    return float(posix_micros_to_mjd_tai(moment.timestamp() * 1e6))


class DjangoOutputs:
    """The outputs in the user database; see `lasair_broker.stream.delivery.Outputs`.

    Parameters
    ----------
    digest_hour
        Hour (UTC) at which digests are made.
    """

    def __init__(self, digest_hour: int = 13) -> None:
        self._digest_hour = digest_hour
        self._pruned = datetime.min.replace(tzinfo=UTC)

    def due(self) -> Sequence[Output]:
        _drop_stale_connections()
        now = _now()
        return self._outputs(FilterOutput.objects.exclude(state__next_attempt__gt=now), now)

    @transaction.atomic
    def take(self, output_ids: Collection[int], holder: str, seconds: float) -> Sequence[Output]:
        now = _now()
        wanted = FilterOutput.objects.filter(pk__in=output_ids)
        OutputState.objects.bulk_create(
            [
                OutputState(output=output, delivered_to=mjd_tai(output.created))
                for output in wanted.filter(state=None)
            ],
            ignore_conflicts=True,
        )
        free = Q(lease_until=None) | Q(lease_until__lte=now) | Q(lease_holder=holder)
        OutputState.objects.filter(free, output__in=output_ids).update(
            lease_holder=holder, lease_until=now + timedelta(seconds=seconds)
        )
        return self._outputs(wanted.filter(state__lease_holder=holder), now)

    def settle(self, outcomes: Sequence[Outcome], holder: str) -> None:
        now = _now()
        Account(outcomes, holder, now).settle()
        if now - self._pruned > _PRUNE:
            self._pruned = now
            Delivery.objects.filter(at__lt=now - LOG_KEPT).delete()

    def query(self, filter_id: int, version: int) -> Query | None:
        _drop_stale_connections()
        found = FilterVersion.objects.filter(filter=filter_id, number=version).select_related(
            "filter__owner", "author"
        )
        wording = found.first()
        if wording is None:
            return None
        try:
            return query_of(wording_of(wording), wording.filter.owner, wording.author)
        except QueryError:
            return None

    def one(self, output: FilterOutput) -> Output:
        """An output as the workers see it, whatever its state; for tests of it."""
        state = OutputState.objects.filter(output=output).first() or OutputState(output=output)
        return self._output(output, state, None, timezone.now())

    def _outputs(self, found: Iterable[FilterOutput], now: datetime) -> list[Output]:
        rows = (
            FilterOutput.objects.filter(pk__in=[output.pk for output in found])
            .filter(enabled=True, filter__owner__is_active=True, filter__deleted=None)
            .exclude(kind=OutputKind.BROWSER)
            .select_related("filter__owner", "filter__collaboration", "recipient", "state")
            .order_by("pk")
        )
        again: dict[int, Redelivery] = {}
        for request in Redelivery.objects.filter(done=None, output__in=rows):
            again.setdefault(request.output_id, request)
        return [
            self._output(output, _state(output), again.get(output.pk), now)
            for output in rows
            if _may_get(output) and not output.quiet_at(now.astimezone(UTC).hour)
        ]

    def _output(
        self, output: FilterOutput, state: OutputState, again: Redelivery | None, now: datetime
    ) -> Output:
        channel = Channel(output.kind)
        if channel is Channel.EMAIL and output.frequency == FilterOutput.Frequency.DIGEST:
            channel = Channel.DIGEST
        recipient = output.recipient
        address = output.url if recipient is None else recipient.email
        kafka = channel is Channel.KAFKA
        begin = mjd_tai(output.created) if state.delivered_to is None else state.delivered_to
        window_over = state.window_began is None or now - state.window_began >= WINDOW
        used = 0 if window_over else state.window_count
        return Output(
            output_id=output.pk,
            filter_id=output.filter_id,
            name=output.filter.name,
            channel=channel,
            cursor=(begin, state.last_hit),
            topic=topic_of(output.filter) if kafka else "",
            readers=readers_of(output.filter) if kafka else None,
            avro=kafka and output.format == FilterOutput.Format.AVRO,
            light_curve=LightCurve(output.light_curve),
            address=address,
            secret=output.secret,
            limit=None if output.hourly_limit is None else max(0, output.hourly_limit - used),
            hourly_limit=output.hourly_limit,
            held_back=state.held_back if window_over else 0,
            digest_until=self._digest_until(output, state, now) if channel is Channel.DIGEST else None,
            again=None if again is None else _again(again),
        )

    def _digest_until(self, output: FilterOutput, state: OutputState, now: datetime) -> float | None:
        """The last moment at which a digest was to be made, unless that has been done."""
        last = now.astimezone(UTC).replace(hour=self._digest_hour, minute=0, second=0, microsecond=0)
        if last > now:
            last -= timedelta(days=1)
        done = state.digest_sent or output.created
        return mjd_tai(last) if done < last else None


def _drop_stale_connections() -> None:
    """Let Django connect anew if the server has gone meanwhile, as it does for each request of a site."""
    if not connection.in_atomic_block:
        close_old_connections()


def _now() -> datetime:
    """The moment by the server's clock, which all workers share: if a worker's own clock were wrong, what it
    takes might be its own for hours."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchall()[0][0]
    return found


def _state(output: FilterOutput) -> OutputState:
    try:
        return output.state
    except OutputState.DoesNotExist:
        return OutputState(output=output)


def _again(request: Redelivery) -> Again:
    reached = request.since_mjd if request.reached_mjd is None else request.reached_mjd
    only = None if request.only is None else frozenset(request.only)
    return Again(request.pk, (reached, request.reached_hit), request.until_mjd, only)


def _may_get(output: FilterOutput) -> bool:
    """Whether the recipient of an e-mail may still see the filter: people leave collaborations."""
    person, of = output.recipient, output.filter
    if person is None or person.pk == of.owner_id:
        return True
    if not person.is_active or of.visibility == Visibility.PRIVATE:
        return False
    return of.collaboration is not None and person.memberships.filter(collaboration=of.collaboration).exists()
