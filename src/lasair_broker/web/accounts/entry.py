"""Who may come in, and how: what django-allauth asks us, and what other doors must ask, too."""

from __future__ import annotations

import smtplib
from typing import Any

import structlog
from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.mfa.utils import is_mfa_enabled
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from django.conf import settings
from django.http import HttpRequest

from lasair_broker.web.accounts.models import User
from lasair_broker.web.errors import Unavailable

_log = structlog.get_logger(__name__)


def may_sign_up() -> bool:
    """Whether anybody may open an account here."""
    return bool(settings.LASAIR_SITE.sign_up and settings.EMAIL_HOST)


def note_verified(user: User) -> None:
    """The operator vouches for the address of a user."""
    EmailAddress.objects.update_or_create(
        user=user, email=user.email, defaults={"verified": True, "primary": True}
    )


def barred_from_passwords(user: User) -> str:
    """Why a program may not log this user in with a password alone; "" if it may."""
    if is_mfa_enabled(user):
        return (
            "This account has a second factor, which programs cannot give: use a token of the account's page."
        )
    if app_settings.EMAIL_VERIFICATION == "mandatory":
        known = EmailAddress.objects.filter(user=user)
        if not known.filter(verified=True).exists():
            return "The e-mail address of this account is not verified yet: log in on the site."
    return ""


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """allauth's questions."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return may_sign_up()

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        try:
            super().send_mail(template_prefix, email, context)
        except (smtplib.SMTPException, OSError) as error:
            _log.error("a mail of an account could not be sent", mail=template_prefix, reason=str(error))
            raise Unavailable("The mail could not be sent. Try again in a moment.") from None


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # as above
    """allauth's questions of log-ins with other services."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return may_sign_up()
