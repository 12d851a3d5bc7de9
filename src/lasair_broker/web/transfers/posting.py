"""Sending an object to a system of others, or trying whether it takes the token. It acts for the system."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from lasair_broker.http import Patience
from lasair_broker.web.transfers.destinations import SYSTEMS, Reach, RefusedError
from lasair_broker.web.transfers.models import Kind, Transfer
from lasair_broker.web.transfers.parcels import parcel_of
from lasair_broker.web.transfers.sealing import SealError, unseal
from lasair_broker.web.transfers.sending import check_address


def posted(transfer: Transfer) -> dict[str, Any]:
    """What came of a transfer that sends or tries: the values of its columns.

    Raises
    ------
    RefusedError
        If the system does not take it.
    Invalid
        If the operator does not allow its host any more.
    NotFound
        If the object is not in the archive any more.
    """
    of = transfer.destination
    if of is None:
        raise RefusedError("the destination was removed")
    check_address(of.address)
    try:
        token = unseal(of.token)
    except SealError:
        raise RefusedError("the secret key of this site was changed: store the token again") from None
    wanted = settings.LASAIR_SENDING
    patience = Patience(wanted.megabytes * 1_000_000, wanted.seconds)
    system, reach = SYSTEMS[of.system], Reach(of.address, token, patience, of.name)
    if transfer.kind == Kind.TEST or transfer.diaObjectId is None:
        return {"progress": system.test(reach)[:200]}
    parcel, useless = parcel_of(
        transfer.owner, transfer.diaObjectId, private=bool(transfer.state.get("private"))
    )
    sent = system.send(reach, parcel)
    return {"count": sent.count, "left_out": sent.left_out + useless, "link": sent.link, "progress": ""}
