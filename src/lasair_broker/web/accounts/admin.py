"""People and collaborations in the admin site."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.http import HttpRequest

from lasair_broker.web._admin import ModelAdmin, TabularInline
from lasair_broker.web.accounts.entry import note_verified
from lasair_broker.web.accounts.models import Collaboration, Membership, User


@admin.register(User)
class UserAdmin(DjangoUserAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """As Django's, with the e-mail address as the key."""

    list_display = ("username", "email", "tier", "is_active", "is_staff", "last_login")
    list_filter = ("tier", "is_active", "is_staff")
    ordering = ("username",)
    fieldsets = (
        (None, {"fields": ("email", "username", "password")}),
        ("Person", {"fields": ("first_name", "last_name")}),
        (
            "Rights",
            {"fields": ("tier", "is_active", "is_staff", "is_superuser", "groups", "user_permissions")},
        ),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "username", "password1", "password2")}),)

    def save_model(self, request: HttpRequest, obj: User, form: object, change: bool) -> None:
        """An address that the operator gives counts as verified."""
        super().save_model(request, obj, form, change)
        if not change:
            note_verified(obj)


class MembershipInline(TabularInline[Membership, Collaboration]):
    """The members of a collaboration."""

    model = Membership
    autocomplete_fields = ("user",)
    extra = 0


@admin.register(Collaboration)
class CollaborationAdmin(ModelAdmin[Collaboration]):
    """Collaborations with their members."""

    list_display = ("name", "slug", "listed", "created")
    search_fields = ("name", "slug")
    prepopulated_fields: ClassVar = {"slug": ("name",)}
    inlines: ClassVar = [MembershipInline]
