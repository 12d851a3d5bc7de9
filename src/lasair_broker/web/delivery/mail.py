"""Hits by e-mail, at once or once a day."""

from __future__ import annotations

import smtplib
from collections.abc import Mapping
from email.utils import make_msgid

from django.core import signing
from django.core.mail import EmailMultiAlternatives, get_connection
from django.template.loader import render_to_string

from lasair_broker.settings import DeliverySettings
from lasair_broker.stream.delivery import DeliveryError, Output, Parcel, number, summary

UNSUBSCRIBE_SALT = "delivery.unsubscribe"
_MOST_COLUMNS = 12


class EmailSender:
    """One mail for the hits that wait, at most one a minute.

    Parameters
    ----------
    settings
        The mail server, the sender, the site.
    digest
        Whether it is the mail of a whole day, with more hits in it.
    """

    def __init__(self, settings: DeliverySettings, *, digest: bool = False) -> None:
        self._settings = settings
        self._digest = digest
        self._shown = 200 if digest else 50
        self.most = 10_000 if digest else 1000
        self.pause = 0.0 if digest else 60.0

    def send(self, output: Output, parcel: Parcel, seconds: float) -> Mapping[str, str]:
        what = "in the last day" if self._digest else "now"
        count = len(parcel)
        subject = f"{output.name}: {count:,} {'hit' if count == 1 else 'hits'}"
        self._mail(output, subject, self._context(output, parcel) | {"when": what}, seconds)
        return {}

    def summarise(self, output: Output, held_back: int, seconds: float) -> None:
        context = {"summary": summary(output, held_back)}
        self._mail(output, f"{output.name}: {held_back:,} more hits", context, seconds)

    def test(self, output: Output, seconds: float) -> str:
        self._mail(output, f"{output.name}: a test", {"test": True}, seconds)
        return "the mail server took a test mail"

    def close(self) -> None:
        pass

    def _context(self, output: Output, parcel: Parcel) -> dict[str, object]:
        shown = parcel.select(0, min(len(parcel), self._shown))
        values = shown.values()
        columns = [name for name in (values[0] if values else {}) if name != "diaObjectId"][:_MOST_COLUMNS]
        site = self._settings.site_url.rstrip("/")
        rows = [
            {
                "diaObjectId": object_id,
                "link": f"{site}/objects/{object_id}/" if site else "",
                "utc": utc,
                "values": [number(value.get(name)) for name in columns],
            }
            for object_id, utc, value in zip(shown.diaObjectIds, shown.utc, values, strict=True)
        ]
        return {"columns": columns, "rows": rows, "count": len(parcel), "more": len(parcel) - len(shown)}

    def _mail(self, output: Output, subject: str, context: Mapping[str, object], seconds: float) -> None:
        settings = self._settings
        if not settings.mail_host:
            raise DeliveryError("this installation has no mail server (setting delivery.mail_host)")
        link = unsubscribe_link(settings, output.output_id)
        headers = {"Message-ID": make_msgid(domain="lasair"), "Auto-Submitted": "auto-generated"}
        if link:
            headers["List-Unsubscribe"] = f"<{link}>"
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        whole = {**context, "name": output.name, "unsubscribe": link}
        mail = EmailMultiAlternatives(
            subject=" ".join(subject.split()),  # a name may hold line ends, a header may not
            body=render_to_string("delivery/hits.txt", whole),
            from_email=settings.mail_from,
            to=[output.address],
            headers=headers,
            connection=get_connection(
                "django.core.mail.backends.smtp.EmailBackend",
                host=settings.mail_host,
                port=settings.mail_port,
                username=settings.mail_username,
                password=settings.mail_password.get_secret_value(),
                use_tls=settings.mail_security == "starttls",
                use_ssl=settings.mail_security == "tls",
                timeout=min(seconds, 20.0),
            ),
        )
        mail.attach_alternative(render_to_string("delivery/hits.html", whole), "text/html")
        try:
            mail.send()
        except (smtplib.SMTPException, OSError) as error:
            code = f" with {error.smtp_code}" if isinstance(error, smtplib.SMTPResponseException) else ""
            raise DeliveryError(f"the mail server refused{code} ({type(error).__name__})") from None


def unsubscribe_link(settings: DeliverySettings, output_id: int) -> str:
    """The address at which an output is switched off without logging in; "" if there is no site."""
    if not settings.site_url:
        return ""
    token = signing.dumps(output_id, salt=UNSUBSCRIBE_SALT)
    return f"{settings.site_url.rstrip('/')}/unsubscribe/{token}/"
