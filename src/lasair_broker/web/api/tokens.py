"""What is done with tokens."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from lasair_broker.web.accounts.models import User
from lasair_broker.web.api.models import ApiToken, Scope
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.sharing import save_checked

MOST_TOKENS = 50
_LOGIN = "log-in with a password"
_LOGIN_TOKENS = 10
_NOTE_USE_EVERY = timedelta(hours=1)


def create(
    user: User, name: str, scopes: Sequence[str] = tuple(Scope.values), expires: datetime | None = None
) -> tuple[ApiToken, str]:
    """A new token of the user, and its text, which is shown this once.

    Raises
    ------
    Invalid
        If there is no such scope, or the user has too many tokens, or it would have expired already.
    """
    if not scopes or set(scopes) - set(Scope.values):
        raise Invalid({"scopes": f"choose from {', '.join(Scope.values)}"})
    if ApiToken.objects.filter(user=user).count() >= MOST_TOKENS:
        raise Invalid({"": f"you have {MOST_TOKENS} tokens; remove one that you do not use"})
    if expires is not None and expires <= timezone.now():
        raise Invalid({"expires": "must be in the future"})
    token = ApiToken(user=user, name=name.strip(), scopes=sorted(set(scopes)), expires=expires)
    text = _renew(token)
    save_checked(token)
    return token, text


@transaction.atomic
def rotate(user: User, token_id: int) -> tuple[ApiToken, str]:
    """Give a token a new text; the old one ends now.

    Raises
    ------
    NotFound
        If the user has no such token.
    """
    token = ApiToken.objects.select_for_update().filter(user=user, pk=token_id).first()
    if token is None:
        raise NotFound(f"you have no token {token_id}")
    text = _renew(token)
    token.save(update_fields=["digest", "beginning"])
    return token, text


def remove(user: User, token_id: int) -> None:
    """End a token.

    Raises
    ------
    NotFound
        If the user has no such token.
    """
    if not ApiToken.objects.filter(user=user, pk=token_id).delete()[0]:
        raise NotFound(f"you have no token {token_id}")


@transaction.atomic
def of_login(user: User) -> str:
    """The text of a new token for a program that logs in with name and password.

    Its older ones go on working, but of the many that such programs make only the newest are kept.
    """
    made = ApiToken.objects.filter(user=user, name=_LOGIN)
    kept = list(made.order_by("-pk").values_list("pk", flat=True)[: _LOGIN_TOKENS - 1])
    made.exclude(pk__in=kept).delete()
    return create(user, _LOGIN)[1]


def used(text: str) -> ApiToken | None:
    """The token of this text, if it may be used now."""
    token = ApiToken.objects.select_related("user").filter(digest=_digest(text)).first()
    now = timezone.now()
    if token is None or not token.user.is_active or (token.expires is not None and token.expires <= now):
        return None
    if token.used is None or now - token.used >= _NOTE_USE_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(used=now)
    return token


def _renew(token: ApiToken) -> str:
    text = secrets.token_hex(20)  # as today's tokens look; 160 random bits need no slow hash
    token.digest, token.beginning = _digest(text), text[:6]
    return text


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
