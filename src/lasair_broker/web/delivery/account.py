"""Writing down what became of attempts: cursors, limits, waits, dead letters and the log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from lasair_broker.stream.delivery import Channel, Cursor, Kind, Outcome
from lasair_broker.web.delivery.models import DeadLetter, Delivery, OutputState, Redelivery

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(hours=1)
MAX_ATTEMPTS = 20
"""Attempts in a row, over some twelve hours, before hits are given up."""

LONGEST_WAIT_FOR_KAFKA = timedelta(seconds=20)
"""For the site's own Kafka, which serves all topics: when it is away no output is to blame, nothing is given
up, and all go on as soon as it is back."""

_WINDOW = timedelta(hours=1)
_TOGETHER = timedelta(minutes=1)
"""Deliveries of an output within so long are one line of the log: a busy filter has one every second."""

LOG_KEPT = timedelta(days=30)
"""For which the log is kept."""

_MESSAGE_LENGTH = 2000
_FIELDS = (
    "delivered_to",
    "last_hit",
    "failures",
    "next_attempt",
    "window_began",
    "window_count",
    "held_back",
    "digest_sent",
    "lease_holder",
    "lease_until",
)


def wait_after(failures: int) -> timedelta:
    """How long to wait after so many failures in a row: 5 s, doubled each time, at most an hour."""
    return min(LONGEST_WAIT, FIRST_WAIT * (1 << min(max(failures, 1) - 1, 20)))


class Account:
    """Some outcomes to be written down in one transaction.

    Outcomes of outputs that `holder` does not have any more, or that have been removed, change no state.
    """

    def __init__(self, outcomes: Sequence[Outcome], holder: str, now: datetime | None = None) -> None:
        self._outcomes = outcomes
        self._holder = holder
        self._now = now or timezone.now()
        self._log: list[Delivery] = []
        self._begun: dict[int, Delivery] = {}
        self._dead: list[DeadLetter] = []

    @transaction.atomic
    def settle(self) -> None:
        """Write them down."""
        ids = {outcome.output.output_id for outcome in self._outcomes}
        locked = OutputState.objects.select_for_update().filter(output__in=ids, lease_holder=self._holder)
        states = {state.output_id: state for state in locked}
        begun = Delivery.objects.filter(
            output__in=ids, result=Delivery.Result.DELIVERED, message="", at__gt=self._now - _TOGETHER
        )
        self._begun = {line.output_id: line for line in begun.order_by("at")}
        for outcome in self._outcomes:
            state = states.get(outcome.output.output_id)
            if state is not None:
                self._note(outcome, state)
                state.lease_holder, state.lease_until = "", None
        OutputState.objects.bulk_create(
            states.values(), update_conflicts=True, update_fields=_FIELDS, unique_fields=["output"]
        )
        DeadLetter.objects.bulk_create(
            self._dead,
            update_conflicts=True,
            update_fields=["at", "attempts", "message", "sent_again"],
            unique_fields=["output", "hit"],
        )
        Delivery.objects.bulk_create(self._log)
        if self._begun:
            Delivery.objects.bulk_update(self._begun.values(), ["hits", "last_hit", "seconds"])

    def _note(self, outcome: Outcome, state: OutputState) -> None:
        if outcome.error:
            self._failed(outcome, state)
        elif outcome.kind is Kind.SUMMARY:
            self._delivered(outcome, state, Delivery.Result.SUMMED_UP)
            state.held_back = max(0, state.held_back - outcome.held_back)
        elif outcome.cursor is not None:
            again = outcome.kind is Kind.AGAIN
            self._bury(outcome, outcome.refused.items(), 1)
            if again:
                self._advance_request(outcome, outcome.cursor)
            else:
                self._advance(outcome, outcome.cursor, state)
            self._delivered(outcome, state, Delivery.Result.AGAIN if again else Delivery.Result.DELIVERED)

    def _delivered(self, outcome: Outcome, state: OutputState, result: Delivery.Result) -> None:
        state.failures = 0
        state.next_attempt = self._now + timedelta(seconds=outcome.pause) if outcome.pause else None
        if outcome.hits or outcome.kind is Kind.SUMMARY:
            refused = f"{len(outcome.refused)} could never be sent" if outcome.refused else ""
            self._write(outcome, result, refused)

    def _advance(self, outcome: Outcome, cursor: Cursor, state: OutputState) -> None:
        if state.delivered_to is None or cursor > (state.delivered_to, state.last_hit):
            state.delivered_to, state.last_hit = cursor
        if state.window_began is None or self._now - state.window_began >= _WINDOW:
            state.window_began, state.window_count = self._now, 0
        state.window_count += len(outcome.hits)
        state.held_back += outcome.held_back
        if outcome.output.channel is Channel.DIGEST and outcome.finished:
            state.digest_sent = self._now

    def _advance_request(self, outcome: Outcome, cursor: Cursor) -> None:
        again = outcome.output.again
        if again is None:
            return
        done = self._now if outcome.finished else None
        Redelivery.objects.filter(pk=again.request_id).update(
            reached_mjd=cursor[0], reached_hit=cursor[1], hits=F("hits") + len(outcome.hits), done=done
        )
        if again.only is not None:
            sent = [hit for _, hit in outcome.hits if hit not in outcome.refused]
            dead = DeadLetter.objects.filter(output=outcome.output.output_id, hit__in=sent)
            dead.update(sent_again=self._now)

    def _failed(self, outcome: Outcome, state: OutputState) -> None:
        state.failures += 1
        wait = wait_after(state.failures)
        if outcome.output.channel is Channel.KAFKA:
            state.next_attempt = self._now + min(wait, LONGEST_WAIT_FOR_KAFKA)
            if state.failures.bit_count() == 1:  # every other time a line for thousands of topics is too much
                self._write(outcome, Delivery.Result.FAILED, outcome.error)
            return
        state.next_attempt = self._now + wait
        dead = state.failures >= MAX_ATTEMPTS
        self._write(outcome, Delivery.Result.DEAD if dead else Delivery.Result.FAILED, outcome.error)
        if not dead:
            return
        self._bury(outcome, [(hit, outcome.error) for _, hit in outcome.hits], state.failures)
        state.failures = 0
        if outcome.kind is Kind.SUMMARY:
            state.held_back = 0
        elif outcome.kind is Kind.AGAIN and outcome.output.again is not None:
            Redelivery.objects.filter(pk=outcome.output.again.request_id).update(done=self._now)
        elif outcome.hits:
            state.delivered_to, state.last_hit = outcome.hits[-1]

    def _bury(self, outcome: Outcome, hits: Iterable[tuple[str, str]], attempts: int) -> None:
        committed = {hit: mjd for mjd, hit in outcome.hits}
        self._dead += [
            DeadLetter(
                output_id=outcome.output.output_id,
                hit=hit,
                committed_mjd=committed[hit],
                at=self._now,
                attempts=attempts,
                message=reason[:_MESSAGE_LENGTH],
            )
            for hit, reason in hits
        ]

    def _write(self, outcome: Outcome, result: Delivery.Result, message: str) -> None:
        hits = outcome.hits
        line = self._begun.get(outcome.output.output_id)
        if line is not None and result == Delivery.Result.DELIVERED and not message:
            line.hits += len(hits)
            line.last_hit = hits[-1][1]
            line.seconds += outcome.seconds
            return
        self._log.append(
            Delivery(
                output_id=outcome.output.output_id,
                at=self._now,
                result=result,
                hits=outcome.held_back if outcome.kind is Kind.SUMMARY else len(hits),
                first_hit=hits[0][1] if hits else "",
                last_hit=hits[-1][1] if hits else "",
                seconds=outcome.seconds,
                message=message[:_MESSAGE_LENGTH],
            )
        )
