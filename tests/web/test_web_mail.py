"""E-mails of hits through a real mail server, and the link that ends them."""

from __future__ import annotations

import email
import email.policy
import json
import socket
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pyarrow as pa
import pytest
from aiosmtpd.controller import Controller
from django.core import signing
from django.test import Client

from lasair_broker.packets import mjd_tai_now
from lasair_broker.schema import arrow_schema
from lasair_broker.settings import DeliverySettings
from lasair_broker.stream.delivery import Channel, DeliveryError, Output, Parcel
from lasair_broker.web.delivery.mail import UNSUBSCRIBE_SALT, EmailSender
from lasair_broker.web.filters import outputs
from lasair_broker.web.filters import services as filters
from lasair_broker.web.filters.models import FilterOutput
from lasair_broker.web.filters.services import Wording


class Inbox:
    """Takes every mail, or refuses it."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # aiosmtpd's name
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append((envelope.rcpt_tos, mail))
        return self.answer


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, DeliverySettings]]:
    handler = Inbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Controller(handler, hostname="127.0.0.1", port=port)
    server.start()
    yield (
        handler,
        DeliverySettings(
            mail_host="127.0.0.1",
            mail_port=port,
            mail_from="lasair@example.org",
            site_url="https://lasair.example/",
        ),
    )
    server.stop()


def output(name: str = "supernovae", output_id: int = 7) -> Output:
    return Output(output_id, 3, name, Channel.EMAIL, (0.0, ""), address="ann@example.org", hourly_limit=10)


def parcel(count: int, **values: Any) -> Parcel:
    schema = arrow_schema("filter_hits")
    known = {
        "hitId": [f"{n:032}" for n in range(count)],
        "filterId": [3] * count,
        "filterVersion": [1] * count,
        "diaObjectId": [2**60 + n for n in range(count)],
        "content": [json.dumps({"diaObjectId": 2**60 + n, "ra": 1.5 * n, **values}) for n in range(count)],
        "committedMjdTai": [mjd_tai_now()] * count,
    }
    columns = [pa.array(known.get(field.name, [None] * count), field.type) for field in schema]
    return Parcel(pa.table(columns, schema=schema))


def parts(mail: EmailMessage) -> tuple[str, str]:
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content(), html.get_content()


def test_a_mail_has_text_html_and_the_way_out(inbox: tuple[Inbox, DeliverySettings]) -> None:
    box, settings = inbox
    sender = EmailSender(settings)
    assert (
        sender.send(output("<b>SN</b>\nBcc: x@y.z"), parcel(60, name="<script>alert(1)</script>"), 20) == {}
    )
    ((to, mail),) = box.mails
    assert to == ["ann@example.org"]
    assert mail["subject"] == "<b>SN</b> Bcc: x@y.z: 60 hits"
    assert mail["bcc"] is None
    assert mail["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    link = mail["list-unsubscribe"].strip().strip("<>")
    assert link.startswith("https://lasair.example/unsubscribe/")
    assert signing.loads(link.rstrip("/").rsplit("/", 1)[1], salt=UNSUBSCRIBE_SALT) == 7
    text, html = parts(mail)
    assert f"https://lasair.example/objects/{2**60}/" in text
    assert "And 10 more" in text
    assert "<script>alert(1)</script>" in text, "text is text"
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert f"/objects/{2**60 + 49}/" in html


def test_digest_summary_and_test(inbox: tuple[Inbox, DeliverySettings]) -> None:
    box, settings = inbox
    digest = EmailSender(settings, digest=True)
    digest.send(output(), parcel(1), 20)
    digest.summarise(output(), 42, 20)
    assert "took a test mail" in digest.test(output(), 20)
    subjects = [mail["subject"] for _, mail in box.mails]
    assert subjects == ["supernovae: 1 hit", "supernovae: 42 more hits", "supernovae: a test"]
    assert "in the last day" in parts(box.mails[0][1])[0]
    assert "limit of 10 an hour" in parts(box.mails[1][1])[1]


def test_a_refusal_is_told_without_the_servers_words(inbox: tuple[Inbox, DeliverySettings]) -> None:
    box, settings = inbox
    box.answer = "554 secret words"
    with pytest.raises(DeliveryError, match="554") as error:
        EmailSender(settings).send(output(), parcel(1), 20)
    assert "secret" not in str(error.value)
    with pytest.raises(DeliveryError, match=r"delivery\.mail_host"):
        EmailSender(DeliverySettings()).send(output(), parcel(1), 20)
    nobody = settings.model_copy(update={"mail_port": 1})
    with pytest.raises(DeliveryError, match="ConnectionRefused"):
        EmailSender(nobody).send(output(), parcel(1), 20)


def test_unsubscribing_takes_one_click(people: Any) -> None:
    made = filters.create(people.ann, "f", Wording(adql="SELECT diaObjectId FROM objects"))
    found = outputs.add(people.ann, made.pk, "email")
    address = f"/unsubscribe/{signing.dumps(found.pk, salt=UNSUBSCRIBE_SALT)}/"
    client = Client(enforce_csrf_checks=True, SERVER_NAME="localhost")
    asked = client.get(address)
    assert asked.status_code == 200
    assert b"<form" in asked.content
    assert FilterOutput.objects.get().enabled, "looking at the page does nothing"
    done = client.post(address, {"List-Unsubscribe": "One-Click"})
    assert done.status_code == 200
    assert not FilterOutput.objects.get().enabled
    for forged in ("x", signing.dumps(found.pk, salt="other"), signing.dumps("a", salt=UNSUBSCRIBE_SALT)):
        assert client.post(f"/unsubscribe/{forged}/").status_code == 404
    FilterOutput.objects.all().delete()
    assert client.post(address).status_code == 200
