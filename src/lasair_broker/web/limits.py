"""How much the people of each class may ask for."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import AnonymousUser

from lasair_broker.settings import SiteSettings
from lasair_broker.web.accounts.models import User

_GIGABYTE = 1024**3


@dataclass(frozen=True)
class Limits:
    """What somebody may ask for.

    Attributes
    ----------
    name
        Of the class, for people.
    requests
        Of the API in an hour.
    rows, seconds
        Of the result of a query, and that it may take.
    jobs
        Background queries that wait or run at once.
    job_rows, job_seconds
        Of the result of a background query, and that it may take.
    kept_bytes
        Of the results of background queries that are kept; beyond, the oldest are removed.
    """

    name: str
    requests: int
    rows: int
    seconds: float
    jobs: int
    job_rows: int
    job_seconds: float
    kept_bytes: int


def limits_of(user: User | AnonymousUser | None) -> Limits:
    """The limits of a user; None and whoever is not logged in is anonymous."""
    site: SiteSettings = settings.LASAIR_SITE
    if user is None or not user.is_authenticated or not user.is_active:
        return Limits("anonymous", site.anonymous_requests, 1000, 10.0, 0, 0, 0.0, 0)
    if user.is_superuser or user.tier == User.Tier.POWER:
        return Limits(
            "power user", site.power_requests, 1_000_000, 300.0, 20, 3_000_000, 3600.0, 8 * _GIGABYTE
        )
    return Limits("user", site.user_requests, 10_000, 60.0, 5, 1_000_000, 600.0, _GIGABYTE)
