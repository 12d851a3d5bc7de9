"""What users do with deliveries. Every function checks that the user may; the text of errors is for users."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone

from lasair_broker.stream.delivery import Channel, DeliveryError, KafkaAccess, Sender
from lasair_broker.web.accounts.models import Collaboration, User
from lasair_broker.web.delivery.models import DeadLetter, Delivery, OutputState, Redelivery
from lasair_broker.web.delivery.running import DjangoOutputs, mjd_tai
from lasair_broker.web.delivery.topics import principal_of
from lasair_broker.web.errors import Invalid, NotAllowed, NotFound
from lasair_broker.web.filters.models import FilterOutput, OutputKind

_TEST_SECONDS = 20.0


@transaction.atomic
def resend_dead_letters(user: User, output_id: int) -> int:
    """Ask to have the hits again that were given up at an output; tells how many they are.

    Raises
    ------
    NotFound
        If the output is not there, or not the user's to change.
    """
    output = _editable(user, output_id)
    dead = DeadLetter.objects.filter(output=output, sent_again=None).order_by("at", "committed_mjd")
    count = 0
    for _, together in itertools.groupby(dead, key=lambda letter: letter.at):
        letters = list(together)
        Redelivery.objects.create(
            output=output,
            since_mjd=letters[0].committed_mjd,
            until_mjd=letters[-1].committed_mjd,
            only=[letter.hit for letter in letters],
            by=user,
        )
        count += len(letters)
    return count


def send_test(user: User, output_id: int, senders: Mapping[Channel, Sender]) -> Delivery:
    """Try an output now, and write that in its log; tells what was done, or why it does not work.

    Raises
    ------
    NotFound
        If the output is not there, or not the user's to change.
    """
    output = _editable(user, output_id)
    if output.kind == OutputKind.BROWSER:
        raise Invalid({"": "a browser's output needs no test: open the filter's page"})
    seen = DjangoOutputs().one(output)
    began = time.monotonic()
    result, message = Delivery.Result.FAILED, f"this installation does not deliver by {seen.channel}"
    if seen.channel in senders:
        try:
            message = senders[seen.channel].test(seen, _TEST_SECONDS)
            result = Delivery.Result.TEST
        except DeliveryError as error:
            message = str(error)
    return Delivery.objects.create(
        output=output,
        at=timezone.now(),
        result=result,
        hits=0,
        seconds=time.monotonic() - began,
        message=message[:2000],
    )


def begin_now(output: FilterOutput) -> None:
    """Let an output have the hits that are found from now on."""
    OutputState.objects.update_or_create(
        output=output,
        defaults={
            "delivered_to": mjd_tai(timezone.now()),
            "last_hit": "",
            "failures": 0,
            "next_attempt": None,
            "held_back": 0,
        },
    )


def new_kafka_password(user: User, access: KafkaAccess, collaboration: str | None = None) -> tuple[str, str]:
    """A new Kafka password for the user, or for a collaboration the user manages: (login, password).

    It is shown this once and kept nowhere but, as Kafka's own hash, in Kafka. The old one ends.

    Raises
    ------
    NotFound, NotAllowed
        If the collaboration is not there, or not the user's to manage.
    DeliveryError
        If Kafka refuses.
    """
    whose: User | Collaboration = user
    if collaboration is not None:
        found = Collaboration.objects.visible_to(user).filter(slug=collaboration).first()
        if found is None:
            raise NotFound(f"there is no collaboration {collaboration}")
        if not Collaboration.objects.editable_by(user).filter(pk=found.pk).exists():
            raise NotAllowed(f"you do not manage the collaboration {collaboration}")
        whose = found
    principal, password = principal_of(whose), secrets.token_urlsafe(24)
    access.set_password(principal, password)
    return principal, password


def unsubscribe(output_id: int) -> FilterOutput | None:
    """Switch an e-mail output off, for whoever holds its signed link."""
    output = FilterOutput.objects.filter(pk=output_id, kind=OutputKind.EMAIL).select_related("filter").first()
    if output is not None:
        output.enabled = False
        output.save(update_fields=["enabled"])
    return output


def _editable(user: User, output_id: int) -> FilterOutput:
    output = FilterOutput.objects.editable_by(user).filter(pk=output_id).select_related("filter").first()
    if output is None:
        raise NotFound(f"there is no output {output_id}")
    return output
