"""The collaborations that one is of, and their members."""

from __future__ import annotations

from typing import cast

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lasair_broker.web.accounts import services
from lasair_broker.web.accounts.models import Collaboration, Role, User
from lasair_broker.web.errors import Invalid, NotFound


class CollaborationForm(forms.Form):
    """A new collaboration."""

    name = forms.CharField(label="Name", max_length=100)
    description = forms.CharField(
        label="What it does", max_length=4096, required=False, widget=forms.Textarea({"rows": 3})
    )
    listed = forms.BooleanField(label="Others may know that it exists", required=False)


class MemberForm(forms.Form):
    """A new member."""

    username = forms.CharField(label="Username", max_length=64)
    role = forms.ChoiceField(label="The member", choices=Role.choices, initial=Role.MEMBER)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    """One's collaborations, and others that may be known of; POST founds one."""
    user = _person(request)
    form = CollaborationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = services.create_collaboration(user, **form.cleaned_data)
        except Invalid as error:
            _tell(form, error)
        else:
            messages.success(request, f"{made.name} is founded. Now admit its members.")
            return redirect("account:collaboration", made.slug)
    own = user.memberships.select_related("collaboration").order_by("collaboration__name")
    others = Collaboration.objects.visible_to(user).exclude(memberships__user=user).order_by("name")
    context = {"form": form, "memberships": own, "others": others}
    return render(request, "site/account/collaborations.html", context)


@login_required
@require_safe
def one(request: HttpRequest, slug: str) -> HttpResponse:
    """A collaboration; its members see who they are."""
    return _page(request, slug, MemberForm())


@login_required
@require_POST
def admit(request: HttpRequest, slug: str) -> HttpResponse:
    """Admit a member."""
    form = MemberForm(request.POST)
    if form.is_valid():
        try:
            services.set_member(_person(request), slug, **form.cleaned_data)
        except Invalid as error:
            _tell(form, error)
        except NotFound as error:
            form.add_error("username", str(error))
        else:
            messages.success(request, f"{form.cleaned_data['username']} is a member now.")
            return redirect("account:collaboration", slug)
    return _page(request, slug, form)


@login_required
@require_POST
def change(request: HttpRequest, slug: str, username: str) -> HttpResponse:
    """Change a member's role, or, with `remove`, remove the member; anybody may leave."""
    user = _person(request)
    try:
        if "remove" in request.POST:
            services.remove_member(user, slug, username)
            messages.success(request, f"{username} is not a member any more.")
        else:
            services.set_member(user, slug, username, request.POST.get("role", ""))
            messages.success(request, f"The role of {username} is changed.")
    except Invalid as error:
        messages.error(request, next(iter(error.faults.values())))
    left = not Collaboration.objects.filter(slug=slug, memberships__user=user).exists()
    return redirect("account:collaborations") if left else redirect("account:collaboration", slug)


def _page(request: HttpRequest, slug: str, form: MemberForm) -> HttpResponse:
    user = _person(request)
    found = Collaboration.objects.visible_to(user).filter(slug=slug).first()
    if found is None:
        raise NotFound(f"there is no collaboration {slug}")
    members = found.memberships.select_related("user").order_by("user__username")
    is_member = user.is_superuser or any(member.user_id == user.pk for member in members)
    context = {
        "collaboration": found,
        "members": members if is_member else None,
        "manages": Collaboration.objects.editable_by(user).filter(pk=found.pk).exists(),
        "roles": Role.choices,
        "form": form,
    }
    return render(request, "site/account/collaboration.html", context)


def _tell(form: forms.Form, error: Invalid) -> None:
    for name, fault in error.faults.items():
        form.add_error(name if name in form.fields else None, fault)


def _person(request: HttpRequest) -> User:
    return cast(User, request.user)
