"""Django's admin classes with the type arguments that its stubs give them, which they lack when run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin, StackedInline, TabularInline
else:
    from django.contrib import admin

    Child = TypeVar("Child")
    Parent = TypeVar("Parent")

    class ModelAdmin(admin.ModelAdmin, Generic[Child]):
        """Django's ModelAdmin."""

    class StackedInline(admin.StackedInline, Generic[Child, Parent]):
        """Django's StackedInline."""

    class TabularInline(admin.TabularInline, Generic[Child, Parent]):
        """Django's TabularInline."""


__all__ = ["ModelAdmin", "StackedInline", "TabularInline"]
