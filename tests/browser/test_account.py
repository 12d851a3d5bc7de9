"""One's account, as a person uses it: opening it, a second factor, tokens, collaborations, the end."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import time
from collections.abc import Callable

import pytest
import requests
from mail_server import Inbox
from playwright.sync_api import Page, expect
from site_under_test import Site

PASSWORD = "a nova in the southern sky"  # noqa: S105 - of nobody


def code(secret: str) -> str:
    """What an authenticator shows now (RFC 6238: SHA-1, six digits, half a minute)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1)
    place = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[place : place + 4])[0] & 0x7FFFFFFF) % 10**6:06}"


def confirmed(page: Page) -> None:
    """What matters is asked for the password again."""
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()


def test_sign_up_verify_second_factor_and_back_in(
    page: Page, inbox: Inbox, axe: Callable[..., None], fits: Callable[[Page], None]
) -> None:
    page.goto("/accounts/signup/")
    axe(page)
    page.get_by_label("Email").fill("vera@example.org")
    page.get_by_label("Username").fill("vera")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password (again)").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Verify")
    page.goto(inbox.link("vera@example.org"))
    page.get_by_role("button", name="Confirm").click()
    page.goto("/accounts/login/")
    axe(page)
    page.get_by_label("Login").fill("vera@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="vera")).to_be_visible()

    page.goto("/accounts/2fa/")
    axe(page)
    page.get_by_role("link", name="Activate").click()
    confirmed(page)
    secret = page.get_by_label("Authenticator secret").input_value()
    axe(page)
    page.get_by_label("Authenticator code").fill(code(secret))
    page.get_by_role("button", name="Activate").click()
    expect(page.get_by_text("recovery codes").first).to_be_visible()
    axe(page)
    fits(page)

    page.get_by_role("button", name="vera").click()
    page.get_by_role("button", name="Sign out").click()
    page.goto("/accounts/login/")
    page.get_by_label("Login").fill("vera")
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="vera")).to_have_count(0)
    expect(page.get_by_label("Code")).to_be_visible()
    axe(page)


@pytest.mark.parametrize(("dark", "phone"), [(False, False), (True, True)], ids=["light", "dark-phone"])
def test_tokens(
    new_page: Callable[..., Page],
    signed_in: Callable[..., Page],
    site: Site,
    axe: Callable[..., None],
    fits: Callable[[Page], None],
    dark: bool,
    phone: bool,
) -> None:
    page = signed_in(new_page(dark=dark, phone=phone), "bob")
    page.goto("/account/tokens/")
    name = f"notebook {dark}"
    page.get_by_label("What is it for?").fill(name)
    page.get_by_role("button", name="Make the token").click()
    text = page.get_by_label("The new token").input_value()
    page.get_by_role("button", name="Copy").click()
    assert page.evaluate("navigator.clipboard.readText()") == text
    expect(page.locator(".toast")).to_be_visible()
    axe(page)
    fits(page)

    def asked(token: str) -> int:
        headers = {"Authorization": f"Token {token}"}
        return requests.get(f"{site.address}/api/v1/account/", headers=headers, timeout=20).status_code

    assert asked(text) == 200
    page.reload()
    assert text not in page.content()
    page.get_by_role("link", name=f"Renew {name}").click()
    page.get_by_role("button", name="Renew it").click()
    newer = page.get_by_label("The new token").input_value()
    assert (asked(text), asked(newer)) == (401, 200)
    page.get_by_role("link", name=f"End {name}").click()
    axe(page)
    page.get_by_role("button", name="End it").click()
    expect(page.get_by_text("The token is ended")).to_be_visible()
    assert asked(newer) == 401


def test_collaborations(
    new_page: Callable[..., Page], signed_in: Callable[..., Page], axe: Callable[..., None]
) -> None:
    signed_in(new_page(), "dan")
    page = signed_in(new_page(), "carol")
    page.goto("/account/collaborations/")
    page.get_by_label("Name").fill("Fast blue things")
    page.get_by_role("button", name="Found it").click()
    page.get_by_label("Username").fill("nobody-there")
    page.get_by_role("button", name="Admit").click()
    expect(page.get_by_text("there is no user nobody-there")).to_be_visible()
    axe(page)
    page.get_by_label("Username").fill("dan")
    page.get_by_role("button", name="Admit").click()
    expect(page.get_by_text("dan is a member now")).to_be_visible()
    page.get_by_role("button", name="Leave").click()
    expect(page.get_by_text("carol is the only manager")).to_be_visible()
    page.get_by_label("Role of dan", exact=True).select_option("manager")
    page.get_by_role("button", name="Change the role of dan").click()
    expect(page.get_by_text("The role of dan is changed")).to_be_visible()
    axe(page)
    page.get_by_role("button", name="Leave").click()
    expect(page.get_by_text("carol is not a member any more")).to_be_visible()


def test_the_end_of_an_account(page: Page, site: Site, axe: Callable[..., None]) -> None:
    site.lasair("user", "create", "eve", "--email", "eve@example.org")
    site.lasair("user", "password", "eve", said=f"{PASSWORD}\n")
    page.goto("/account/delete/")
    page.get_by_label("Login").fill("eve")
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main").get_by_role("button", name="Sign in").click()
    confirmed(page)
    axe(page)
    page.get_by_label("Type your username").fill("somebody")
    page.get_by_role("button", name="Delete my account").click()
    expect(page.get_by_text("This is not your username")).to_be_visible()
    page.get_by_label("Type your username").fill("eve")
    page.get_by_role("button", name="Delete my account").click()
    expect(page.get_by_text("Your account is deleted")).to_be_visible()
    page.goto("/account/")
    page.get_by_label("Login").fill("eve")
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
