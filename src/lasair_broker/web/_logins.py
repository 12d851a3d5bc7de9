"""Settings of django-allauth: how people open accounts and log in; and of the mails that this needs."""

from __future__ import annotations

from typing import Any

from lasair_broker.settings import Settings

APPS = [
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.orcid",
    "allauth.socialaccount.providers.github",
]


def settings(lasair: Settings) -> dict[str, Any]:
    """Django's settings by name.

    Where no mail can be sent, addresses cannot be verified: then accounts are opened by the operator only
    (`lasair user add`, or the admin site).
    """
    site, delivery = lasair.site, lasair.delivery
    mails = bool(delivery.mail_host)
    return {
        "EMAIL_BACKEND": f"django.core.mail.backends.{'smtp' if mails else 'dummy'}.EmailBackend",
        "EMAIL_HOST": delivery.mail_host,
        "EMAIL_PORT": delivery.mail_port,
        "EMAIL_HOST_USER": delivery.mail_username,
        "EMAIL_HOST_PASSWORD": delivery.mail_password.get_secret_value(),
        "EMAIL_USE_TLS": delivery.mail_security == "starttls",
        "EMAIL_USE_SSL": delivery.mail_security == "tls",
        "EMAIL_TIMEOUT": 20,
        "DEFAULT_FROM_EMAIL": delivery.mail_from,
        "ACCOUNT_ADAPTER": "lasair_broker.web.accounts.entry.AccountAdapter",
        "SOCIALACCOUNT_ADAPTER": "lasair_broker.web.accounts.entry.SocialAccountAdapter",
        "ACCOUNT_LOGIN_METHODS": {"email", "username"},
        "ACCOUNT_SIGNUP_FIELDS": ["email*", "username*", "password1*", "password2*"],
        "ACCOUNT_EMAIL_VERIFICATION": "mandatory" if mails else "none",
        "ACCOUNT_EMAIL_SUBJECT_PREFIX": "Lasair: ",
        "ACCOUNT_DEFAULT_HTTP_PROTOCOL": "https" if site.https else "http",
        "ACCOUNT_EMAIL_CONFIRMATION_EXPIRE_DAYS": 1,
        "ACCOUNT_SESSION_REMEMBER": True,
        "ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE": False,  # Django ends the user's other sessions then
        "ACCOUNT_REAUTHENTICATION_REQUIRED": True,
        "ACCOUNT_REAUTHENTICATION_METHODS": ("password", "mfa", *["code"] * mails),
        "ACCOUNT_EMAIL_NOTIFICATIONS": mails,
        "ACCOUNT_PREVENT_ENUMERATION": True,
        "ACCOUNT_RATE_LIMITS": {
            "signup": "10/h/ip",
            "reset_password": "10/h/ip,3/h/key",
            "token": "10/10m/ip,10/10m/key",  # ours, of the API's auth-token
        },
        "ALLAUTH_TRUSTED_PROXY_COUNT": site.proxies,
        "PASSWORD_RESET_TIMEOUT": 3600,
        "MFA_SUPPORTED_TYPES": ["totp", "recovery_codes"],
        "MFA_TOTP_ISSUER": "Lasair",
        "SOCIALACCOUNT_PROVIDERS": _providers(lasair),
        "SOCIALACCOUNT_AUTO_SIGNUP": False,
        "SOCIALACCOUNT_EMAIL_VERIFICATION": "mandatory" if mails else "none",
    }


def _providers(lasair: Settings) -> dict[str, Any]:
    """The services with which people may log in: those for which the operator has keys."""
    site = lasair.site
    keys = {
        "orcid": (site.orcid_client, site.orcid_secret),
        "github": (site.github_client, site.github_secret),
    }
    return {
        name: {"APPS": [{"client_id": client, "secret": secret.get_secret_value()}] if client else []}
        for name, (client, secret) in keys.items()
    }


def hosts_of_providers(lasair: Settings) -> list[str]:
    """Where the browser is sent to log in with these services."""
    site = lasair.site
    return ["orcid.org"] * bool(site.orcid_client) + ["github.com"] * bool(site.github_client)
