"""Opening an account and coming in: single use, bound to the account, expiring, throttled."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client, override_settings

PASSWORD = "a nova in the southern sky"  # noqa: S105 - of nobody
GIVEN = {
    "email": "vera@example.org",
    "username": "vera",
    "password1": PASSWORD,
    "password2": PASSWORD,
}


@pytest.fixture(autouse=True)
def a_site_that_sends_mail() -> Iterator[None]:
    """Attempts are counted anew, too."""
    cache.clear()
    mail.outbox.clear()
    with override_settings(EMAIL_HOST="mail.example.org", ACCOUNT_EMAIL_VERIFICATION="mandatory"):
        yield
    cache.clear()


def link() -> str:
    """The path of the link in the newest mail."""
    found = re.search(r"https?://[^/\s]+(/\S+)", str(mail.outbox[-1].body))
    assert found is not None
    return found[1]


def user(name: str) -> Any:
    from lasair_broker.web.accounts.models import User

    return User.objects.get(username=name)


def logged_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def sign_up(client: Client, **changed: str) -> int:
    return client.post("/accounts/signup/", {**GIVEN, **changed}).status_code


def log_in(client: Client, login: str = "vera@example.org", password: str = PASSWORD) -> bool:
    client.post("/accounts/login/", {"login": login, "password": password})
    return logged_in(client)


def test_nobody_comes_in_before_the_address_is_verified() -> None:
    client = Client()
    assert sign_up(client) == 302
    assert mail.outbox[-1].to == ["vera@example.org"]
    verifying = link()
    assert not logged_in(client)
    assert not log_in(Client())
    token = Client().post("/api/auth-token/", {"username": "vera", "password": PASSWORD})
    assert token.status_code == 400
    assert "not verified" in str(token.json())
    assert not log_in(Client())
    assert client.get(verifying).status_code == 200  # looking is not enough, as programs that scan mail look
    assert not log_in(Client())
    client.post(verifying)
    assert log_in(Client(), "VERA@example.org")
    assert log_in(Client(), "vera")
    assert Client().post("/api/auth-token/", {"username": "vera", "password": PASSWORD}).status_code == 200


def test_a_verification_is_of_that_address_only_and_expires() -> None:
    client = Client()
    sign_up(client)
    verifying = link()
    sign_up(Client(), email="mallory@example.org", username="mallory")
    key = verifying.rstrip("/").rsplit("/", 1)[1]
    forged = verifying.replace(key, f"{key[:-1]}{'a' if key[-1] != 'a' else 'b'}")
    client.post(forged)
    assert not log_in(Client())
    from allauth.account import app_settings

    assert app_settings.EMAIL_CONFIRMATION_EXPIRE_DAYS == 1
    with override_settings(ACCOUNT_EMAIL_CONFIRMATION_EXPIRE_DAYS=-1):
        client.post(verifying)
    assert not log_in(Client())
    client.post(verifying)
    assert log_in(Client())


def test_an_address_that_is_taken_is_not_told(people: Any) -> None:
    assert people.ann.email == "ann@example.org"
    free, taken = Client(), Client()
    answers = [
        free.post("/accounts/signup/", GIVEN),
        taken.post("/accounts/signup/", {**GIVEN, "email": "Ann@example.org", "username": "eve"}),
    ]
    assert [answer.status_code for answer in answers] == [302, 302]
    assert answers[0]["Location"] == answers[1]["Location"]
    assert "already" in str(mail.outbox[-1].body)  # it is told to whom the address belongs
    assert (
        free.post("/accounts/signup/", {**GIVEN, "email": "x@example.org", "username": "ANN"}).status_code
        == 200
    )


def test_bad_passwords_and_names_are_refused() -> None:
    for changed in (
        {"password1": "short", "password2": "short"},
        {"password2": "another one entirely"},
        {"username": "-x"},
        {"username": "a b"},
        {"email": "no address"},
    ):
        assert sign_up(Client(), **changed) == 200  # the form again
    assert not mail.outbox


def test_sign_up_can_be_closed_and_needs_mail() -> None:
    from django.conf import settings

    closed = settings.LASAIR_SITE.model_copy(update={"sign_up": False})
    for changed in ({"LASAIR_SITE": closed}, {"EMAIL_HOST": ""}):
        with override_settings(**changed):
            assert b"No new accounts here" in Client().get("/accounts/signup/").content
            sign_up(Client())
    assert not mail.outbox


def test_a_forgotten_password_is_replaced_once() -> None:
    client = Client()
    sign_up(client)
    client.post(link())
    other = Client()
    assert log_in(other)
    client.post("/accounts/password/reset/", {"email": "vera@example.org"})
    resetting = link()
    assert mail.outbox[-1].to == ["vera@example.org"]
    form = Client()
    place = form.get(resetting)["Location"]
    newer = "another nova in the southern sky"
    form.post(place, {"password1": newer, "password2": newer})
    assert not logged_in(other)  # what was open with the old one ends
    assert not log_in(Client())
    assert log_in(Client(), password=newer)
    assert "bad" in Client().get(resetting, follow=True).content.decode().lower()
    before = len(mail.outbox)
    answer = Client().post("/accounts/password/reset/", {"email": "stranger@example.org"})
    assert answer.status_code == 302  # as for one who is known
    assert all(sent.to != ["vera@example.org"] for sent in mail.outbox[before:])


def test_attempts_are_counted() -> None:
    client = Client()
    sign_up(client)
    client.post(link())
    for _ in range(6):
        assert not log_in(Client(), password="wrong")  # noqa: S106 - of nobody
    assert not log_in(Client())  # now not even with the right one, for a while
    cache.clear()
    assert log_in(Client())
    answers = [sign_up(Client(), email=f"u{n}@example.org", username=f"u{n}") for n in range(12)]
    assert answers[-1] == 429
    assert b"too often" in Client().post("/accounts/signup/", GIVEN).content
    cache.clear()
    asked = [Client().post("/accounts/password/reset/", {"email": "vera@example.org"}) for _ in range(5)]
    assert asked[-1].status_code == 429


def test_a_second_factor_guards_every_door() -> None:
    from allauth.mfa.totp.internal.auth import (
        TOTP,
        format_hotp_value,
        hotp_value,
        yield_hotp_counters_from_time,
    )

    client = Client()
    sign_up(client)
    client.post(link())
    vera = user("vera")
    TOTP.activate(vera, secret := "JBSWY3DPEHPK3PXP")
    assert not log_in(client)
    counter = next(iter(yield_hotp_counters_from_time()))
    code = format_hotp_value(hotp_value(secret, counter))
    wrong = f"{(int(code) + 1) % 10**6:06}"
    client.post("/accounts/2fa/authenticate/", {"code": wrong})
    assert not logged_in(client)
    client.post("/accounts/2fa/authenticate/", {"code": code})
    assert logged_in(client)
    again = Client()
    log_in(again)
    again.post("/accounts/2fa/authenticate/", {"code": code})
    assert not logged_in(again)  # a code is good once
    refused = Client().post("/api/auth-token/", {"username": "vera", "password": PASSWORD})
    assert refused.status_code == 400
    assert "second factor" in str(refused.json())
    vera.is_staff = vera.is_superuser = True
    vera.save()
    admin = Client()
    admin.post("/admin/login/", {"username": "vera@example.org", "password": PASSWORD})
    assert admin.get("/admin/").status_code == 302


def test_what_comes_after_logging_in_is_of_this_site() -> None:
    client = Client()
    sign_up(client)
    client.post(link())
    for place in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        answer = Client().post("/accounts/login/", {"login": "vera", "password": PASSWORD, "next": place})
        assert answer.status_code == 302
        assert "evil" not in answer["Location"]
        assert "javascript" not in answer["Location"]


def test_forms_from_elsewhere_are_refused() -> None:
    strict = Client(enforce_csrf_checks=True)
    for address in ("/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/account/tokens/"):
        answer = strict.post(address, GIVEN)
        assert answer.status_code == 403
        assert b"did not come from this site" in answer.content


def test_a_mail_server_that_is_away_is_told() -> None:
    from unittest.mock import patch

    with (
        patch("django.core.mail.EmailMultiAlternatives.send", side_effect=OSError("refused")),
        patch("django.core.mail.EmailMessage.send", side_effect=OSError("refused")),
    ):
        answer = Client().post("/accounts/signup/", GIVEN)
    assert answer.status_code == 503
    assert b"could not be sent" in answer.content


def test_services_to_log_in_with_need_the_operators_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    from lasair_broker.settings import load
    from lasair_broker.web._logins import hosts_of_providers, settings

    assert b"orcid" not in Client().get("/accounts/login/").content.lower()
    monkeypatch.setenv("LASAIR_SITE__ORCID_CLIENT", "APP-1")
    monkeypatch.setenv("LASAIR_SITE__ORCID_SECRET", "hidden")
    found = load()
    assert hosts_of_providers(found) == ["orcid.org"]
    with override_settings(SOCIALACCOUNT_PROVIDERS=settings(found)["SOCIALACCOUNT_PROVIDERS"]):
        page = Client().get("/accounts/login/").content.lower()
        assert b"orcid" in page
        assert b"github" not in page
        sent = Client().post("/accounts/orcid/login/")
        assert sent["Location"].startswith("https://orcid.org/")
        assert "hidden" not in sent["Location"]
