"""Tokens with which programs act for their user."""

from __future__ import annotations

from datetime import timedelta

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from lasair_broker.web.api import tokens
from lasair_broker.web.api.models import ApiToken, Scope
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.site.contents import StoredRows, shown
from lasair_broker.web.site.people import person
from lasair_broker.web.site.tables import Column

_MADE = "token that was made"
_DAYS = ((30, "in a month"), (90, "in three months"), (365, "in a year"), (0, "never"))

_COLUMNS = (
    Column("name", "For", sortable=True),
    Column("beginning", "Begins", sortable=True, template="site/account/_token_beginning.html"),
    Column(
        "scopes", "May", plain=lambda token: ", ".join(token.scopes), template="site/account/_scopes.html"
    ),
    Column("expires", "Expires", sortable=True, template="site/account/_expires.html"),
    Column("used", "Last used", sortable=True, template="site/account/_used.html"),
    Column("pk", "", template="site/account/_token_actions.html", filed=False),
)


class TokenForm(forms.Form):
    """A new token."""

    name = forms.CharField(
        label="What is it for?",
        max_length=100,
        widget=forms.TextInput({"placeholder": "notebook on my laptop"}),
    )
    scopes = forms.MultipleChoiceField(
        label="It may be used for",
        choices=Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        initial=[Scope.READ],
    )
    days = forms.TypedChoiceField(label="It expires", choices=_DAYS, coerce=int, initial=90)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    """One's tokens; POST makes one."""
    form = TokenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        days = form.cleaned_data["days"]
        expires = timezone.now() + timedelta(days=days) if days else None
        try:
            made, text = tokens.create(
                person(request), form.cleaned_data["name"], form.cleaned_data["scopes"], expires
            )
        except Invalid as error:
            for name, fault in error.faults.items():
                form.add_error(name if name in form.fields else None, fault)
        else:
            return _told_once(request, made, text)
    held = ApiToken.objects.filter(user=person(request))
    table = shown(
        request,
        "tokens",
        _COLUMNS,
        StoredRows(held, _COLUMNS, ("name", "beginning")),
        caption="Your tokens",
        sort="name",
    )
    made_now = request.session.pop(_MADE, None) if request.method == "GET" else None
    context = {"form": form, "made": made_now, "tokens": table}
    return render(request, "site/account/tokens.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def rotate(request: HttpRequest, token_id: int) -> HttpResponse:
    """Give a token a new text, when that is confirmed; the old one ends."""
    if request.method != "POST":
        return _asked(
            request, token_id, "Renew", "Programs that use it are refused until they have the new text."
        )
    return _told_once(request, *tokens.rotate(person(request), token_id))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def end(request: HttpRequest, token_id: int) -> HttpResponse:
    """End a token, when that is confirmed: it cannot be had back, as one in wrong hands must not."""
    if request.method != "POST":
        return _asked(
            request,
            token_id,
            "End",
            "Programs that use it are refused from then on. It cannot be had back, so that nobody who found "
            "it comes in again; make a new one if you need one.",
        )
    tokens.remove(person(request), token_id)
    messages.success(request, "The token is ended: programs that use it are refused from now on.")
    return redirect("account:tokens")


def _asked(request: HttpRequest, token_id: int, what: str, text: str) -> HttpResponse:
    """The page that asks whether that is meant."""
    found = ApiToken.objects.filter(user=person(request), pk=token_id).first()
    if found is None:
        raise NotFound(f"you have no token {token_id}")
    context = {
        "title": f"{what} the token “{found.name}”?",
        "text": text,
        "back": reverse("account:tokens"),
        "submit": f"{what} it",
    }
    return render(request, "site/lists/confirm.html", context)


def _told_once(request: HttpRequest, made: ApiToken, text: str) -> HttpResponse:
    """Let the page of tokens show the text once: loading it anew makes no second token."""
    request.session[_MADE] = {"name": made.name, "text": text}
    return redirect("account:tokens")
