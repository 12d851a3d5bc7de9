"""What is done with the outputs of filters."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.dispatch import Signal

from lasair_broker.web import sharing
from lasair_broker.web.accounts.models import User
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.filters.models import (
    Filter,
    FilterOutput,
    FilterOutputQuerySet,
    OutputKind,
    new_webhook_secret,
)
from lasair_broker.web.trash import remove_part, removed_among

READABLE_AN_HOUR = 1000
"""The limit an output for people has if none is given."""

resumed = Signal()
"""Sent with `output` when an output is switched on again."""

_SETTABLE = {
    "enabled", "light_curve", "format", "frequency", "recipient", "url", "hourly_limit", "quiet_from",
    "quiet_until",
}  # fmt: skip


@transaction.atomic
def add(user: User, filter_id: int, kind: str, **values: Any) -> FilterOutput:
    """A new output of a filter. A webhook gets a new secret; an e-mail goes to the user if to nobody else.

    It gets the hits that are found from now on.

    Parameters
    ----------
    kind
        As OutputKind.
    values
        Any of enabled, light_curve, format, frequency, recipient, url, hourly_limit, quiet_from,
        quiet_until.

    Raises
    ------
    Invalid
        If a value is unknown or wrong, or an e-mail would go to somebody outside the collaboration.
    """
    found = sharing.editable(Filter.objects.all(), user, filter_id)
    output = FilterOutput(filter=found, kind=kind)
    if kind == OutputKind.WEBHOOK:
        output.secret = new_webhook_secret()
    if kind == OutputKind.EMAIL:
        values.setdefault("recipient", user)
    if kind not in (OutputKind.KAFKA, OutputKind.BROWSER):
        values.setdefault("hourly_limit", READABLE_AN_HOUR)
    _set(output, values)
    return output


@transaction.atomic
def change(user: User, output_id: int, **values: Any) -> FilterOutput:
    """Change an output; as `add`. One that is switched on again gets the hits that are found from then on."""
    output = _editable(user, output_id)
    was_enabled = output.enabled
    _set(output, values)
    if output.enabled and not was_enabled:
        resumed.send(FilterOutput, output=output)
    return output


@transaction.atomic
def new_secret(user: User, output_id: int) -> FilterOutput:
    """Give a webhook a new signing secret."""
    output = _editable(user, output_id)
    if output.kind != OutputKind.WEBHOOK:
        raise Invalid({"": "only webhooks are signed"})
    output.secret = new_webhook_secret()
    output.save(update_fields=["secret"])
    return output


@transaction.atomic
def remove(user: User, output_id: int) -> None:
    """Remove an output; who may change the filter may `restore` it within `trash.KEPT`."""
    remove_part(_editable(user, output_id), "filter")


@transaction.atomic
def restore(user: User, output_id: int) -> FilterOutput:
    """Undo that an output was removed. It gets the hits that are found from now on.

    Raises
    ------
    NotFound
        If it was not removed, or longer ago, or the user may not change the filter.
    Invalid
        If the filter has such an output meanwhile, or the person it wrote to is not of those any more who see
        the filter.
    """
    output = removed(FilterOutput.everything.editable_by(user)).filter(pk=output_id).first()
    if output is None:
        raise NotFound(f"there is no removed output {output_id}")
    if output.recipient is not None and not _may_be_written_to(output.recipient, output.filter):
        name = output.recipient.username
        raise Invalid({"recipient": f"{name} is not of the collaboration that has this filter"})
    sharing.changed(output, {"deleted": None})
    if output.enabled:
        resumed.send(FilterOutput, output=output)
    return output


def removed(among: FilterOutputQuerySet) -> FilterOutputQuerySet:
    """Those that were removed and can be had back, the last removed first."""
    return removed_among(among).select_related("filter", "recipient")


def _editable(user: User, output_id: int) -> FilterOutput:
    output = FilterOutput.objects.editable_by(user).filter(pk=output_id).first()
    if output is None:
        raise NotFound(f"there is no output {output_id}")
    return output


def _set(output: FilterOutput, values: dict[str, Any]) -> None:
    unknown = set(values) - _SETTABLE
    if unknown:
        raise Invalid(
            {name: f"unknown; choose from {', '.join(sorted(_SETTABLE))}" for name in sorted(unknown)}
        )
    recipient = values.get("recipient")
    if recipient is not None and not _may_be_written_to(recipient, output.filter):
        raise Invalid({"recipient": f"{recipient.username} is not of the collaboration that has this filter"})
    sharing.changed(output, values)


def _may_be_written_to(recipient: User, of: Filter) -> bool:
    if recipient.pk == of.owner_id:
        return True
    return (
        of.collaboration is not None and recipient.memberships.filter(collaboration=of.collaboration).exists()
    )
