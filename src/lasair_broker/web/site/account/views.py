"""The overview of one's account, and its end."""

from __future__ import annotations

from typing import cast

from allauth.account.decorators import reauthentication_required
from django import forms
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from lasair_broker.web.accounts.leaving import delete_account, left_behind
from lasair_broker.web.accounts.models import User
from lasair_broker.web.errors import Invalid
from lasair_broker.web.limits import limits_of


class DeleteForm(forms.Form):
    """One's own name, typed, so that nobody does it by mistake."""

    username = forms.CharField(label="Type your username to confirm", max_length=64)

    def __init__(self, *args: object, owner: User, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed on
        self._owner = owner

    def clean_username(self) -> str:
        given = str(self.cleaned_data["username"])
        if given != self._owner.username:
            raise forms.ValidationError("This is not your username.")
        return given


@login_required
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Who one is here, and what one may ask for."""
    return render(request, "site/account/index.html", {"limits": limits_of(request.user)})


@reauthentication_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest) -> HttpResponse:
    """End the account, after saying what goes with it."""
    user = cast(User, request.user)
    form = DeleteForm(request.POST or None, owner=user)
    if request.method == "POST" and form.is_valid():
        try:
            delete_account(user)
        except Invalid as error:
            form.add_error(None, str(error))
        else:
            logout(request)
            messages.success(request, "Your account is deleted.")
            return redirect("front:front")
    return render(request, "site/account/delete.html", {"form": form, "left": left_behind(user)})
