"""Telling the owner of a filter that it fails."""

from __future__ import annotations

import structlog
from django.core.mail import EmailMessage, get_connection

from lasair_broker.settings import load
from lasair_broker.web.filters.models import FilterVersion

_log = structlog.get_logger(__name__)

_SECONDS = 20


def tell_owner(version: FilterVersion, message: str) -> None:
    """Mail the owner of a filter what is wrong with it; without a mail server only its health tells."""
    settings = load().delivery
    found, owner = version.filter, version.filter.owner
    _log.info("a filter fails", filter=found.pk, version=version.number, owner=owner.pk)
    if not settings.mail_host:
        return
    text = (
        f"Your filter “{found.name}” (number {found.pk}, version {version.number}) "
        "does not run as it should:\n\n"
        f"    {message}\n\n"
        "Other filters are not affected. What it missed can be found with\n\n"
        f"    lasair filter replay {found.pk}\n\n"
        "You are told once; its health shows whether it goes on: "
        f"lasair filter health {found.pk}\n"
    )
    connection = get_connection(
        "django.core.mail.backends.smtp.EmailBackend",
        host=settings.mail_host,
        port=settings.mail_port,
        username=settings.mail_username or None,
        password=settings.mail_password.get_secret_value() or None,
        use_tls=settings.mail_security == "starttls",
        use_ssl=settings.mail_security == "tls",
        timeout=_SECONDS,
    )
    subject = f"Lasair filter {found.name} fails".replace("\n", " ").replace("\r", " ")
    EmailMessage(subject, text, settings.mail_from, [owner.email], connection=connection).send()
