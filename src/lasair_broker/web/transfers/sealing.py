"""Secrets of users that the site must be able to use: they lie encrypted in the user database.

The key comes from the installation's secret key; who has the database alone has no secret.
"""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_PURPOSE = b"lasair: tokens of destinations"


class SealError(Exception):
    """It was encrypted with another key."""


def seal(secret: str) -> str:
    """The secret, encrypted."""
    return _cipher().encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str:
    """The secret.

    Raises
    ------
    SealError
        If it was encrypted with another key, or is damaged.
    """
    try:
        return _cipher().decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise SealError("it was encrypted with another secret key") from None


def _cipher() -> Fernet:
    derived = HKDF(hashes.SHA256(), 32, None, _PURPOSE).derive(settings.SECRET_KEY.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
