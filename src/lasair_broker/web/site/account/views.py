"""The overview of one's account, and its end."""

from __future__ import annotations

from typing import cast

from allauth.account.decorators import reauthentication_required
from django import forms
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lasair_broker.web.accounts.leaving import delete_account, left_behind
from lasair_broker.web.accounts.models import User
from lasair_broker.web.delivery.services import unsubscribe
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.filters.models import FilterOutput, OutputKind
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
    """Who one is here, what one may ask for, and what mails one gets."""
    context = {"limits": limits_of(request.user), "mails": _mails_to(request)}
    return render(request, "site/account/index.html", context)


@login_required
@require_POST
def no_mails(request: HttpRequest, output_id: int) -> HttpResponse:
    """Get no more mails of a filter, one's own or another's."""
    output = _mails_to(request).filter(pk=output_id).first()
    if output is None:
        raise NotFound(f"you get no mails of an output {output_id}")
    unsubscribe(output.pk)
    messages.success(request, f"You get no more mails of {output.filter.name}.")
    return redirect("account:index")


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


def _mails_to(request: HttpRequest) -> QuerySet[FilterOutput]:
    """The outputs that write to whoever asks."""
    found = FilterOutput.objects.filter(
        kind=OutputKind.EMAIL, enabled=True, recipient=cast(User, request.user)
    )
    return found.select_related("filter").order_by("filter__name", "pk")
