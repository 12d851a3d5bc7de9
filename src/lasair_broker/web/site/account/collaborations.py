"""The collaborations that one is of, and their members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lasair_broker.web.accounts import services
from lasair_broker.web.accounts.models import Collaboration, Membership, Role
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.site.contents import StoredRows, shown
from lasair_broker.web.site.people import person
from lasair_broker.web.site.tables import Column, Table

_OWN = (
    Column("name", "Collaboration", sortable=True, template="site/account/_collaboration.html"),
    Column("role", "You are", sortable=True),
    Column("members", "Members", numeric=True, sortable=True),
    Column("since", "Since", sortable=True, template="site/account/_day.html"),
)
_OTHERS = (
    Column("name", "Collaboration", sortable=True, template="site/account/_collaboration.html"),
    Column("description", "What it does", template="site/account/_shortly.html"),
)
_MEMBERS = (
    Column("username", "Username", sortable=True),
    Column("role", "Role", sortable=True, template="site/account/_role.html"),
    Column("since", "Since", sortable=True, template="site/account/_day.html"),
    Column("own", "", template="site/account/_member_actions.html", filed=False),
)


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
    user = person(request)
    form = CollaborationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = services.create_collaboration(user, **form.cleaned_data)
        except Invalid as error:
            _tell(form, error)
        else:
            messages.success(request, f"{made.name} is founded. Now admit its members.")
            return redirect("account:collaboration", made.slug)
    others = Collaboration.objects.visible_to(user).exclude(memberships__user=user)
    context = {
        "form": form,
        "own": shown(
            request,
            "own",
            _OWN,
            StoredRows(
                user.memberships.select_related("collaboration").annotate(
                    members=Count("collaboration__memberships")
                ),
                _OWN,
                ("collaboration__name", "collaboration__description"),
                {"name": "collaboration__name"},
                _own,
            ),
            caption="Yours",
            title=True,
            sort="name",
            empty="You are of no collaboration yet. Its manager can admit you by your username, or found one "
            "yourself.",
        ),
        "others": shown(
            request,
            "others",
            _OTHERS,
            StoredRows(others, _OTHERS, ("name", "description")),
            caption="Others",
            title=True,
            sort="name",
        ),
    }
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
            services.set_member(person(request), slug, **form.cleaned_data)
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
    user = person(request)
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
    user = person(request)
    found = Collaboration.objects.visible_to(user).filter(slug=slug).first()
    if found is None:
        raise NotFound(f"there is no collaboration {slug}")
    is_member = user.is_superuser or found.memberships.filter(user=user).exists()
    manages = Collaboration.objects.editable_by(user).filter(pk=found.pk).exists()
    context = {
        "collaboration": found,
        "members": _members(request, found, manages=manages) if is_member else None,
        "manages": manages,
        "form": form,
    }
    return render(request, "site/account/collaboration.html", context)


def _members(request: HttpRequest, found: Collaboration, *, manages: bool) -> Table:
    user = person(request)

    def made(members: Sequence[Membership]) -> list[dict[str, Any]]:
        return [
            {
                "slug": found.slug,
                "username": each.user.username,
                "role": each.role,
                "since": each.since,
                "roles": Role.values if manages else (),
                "own": each.user_id == user.pk,
            }
            for each in members
        ]

    return shown(
        request,
        "members",
        _MEMBERS,
        StoredRows(
            found.memberships.select_related("user"),
            _MEMBERS,
            ("user__username", "role"),
            {"username": "user__username"},
            made,
        ),
        caption="Members",
        title=True,
        sort="username",
        search_label="Search members",
        path=reverse("account:collaboration", args=[found.slug]),
    )


def _own(memberships: Sequence[Membership]) -> list[dict[str, Any]]:
    return [
        {
            "slug": each.collaboration.slug,
            "name": each.collaboration.name,
            "role": each.role,
            "members": each.members,  # type: ignore[attr-defined]  # the query counts them
            "since": each.since,
        }
        for each in memberships
    ]


def _tell(form: forms.Form, error: Invalid) -> None:
    for name, fault in error.faults.items():
        form.add_error(name if name in form.fields else None, fault)
