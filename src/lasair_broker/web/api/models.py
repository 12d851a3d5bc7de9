"""Tokens with which programs act for users."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models


class Scope(models.TextChoices):
    """What a token may be used for."""

    READ = "read", "reading what the user may see"
    ANNOTATE = "annotate", "speaking of objects under the user's topics"
    WRITE = "write", "changing filters, lists, maps and annotators"


class ApiToken(models.Model):
    """A token: of itself only its hash is kept, so whoever reads the database cannot use it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100, help_text="What it is used for.")
    digest = models.CharField(max_length=64, unique=True, editable=False, help_text="SHA-256, hexadecimal.")
    beginning = models.CharField(max_length=6, editable=False, help_text="To tell it from others.")
    scopes = models.JSONField(default=list)
    created = models.DateTimeField(auto_now_add=True)
    expires = models.DateTimeField(null=True, blank=True, help_text="Empty: never.")
    used = models.DateTimeField(null=True, editable=False, help_text="Last, to the hour.")

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"{self.name} ({self.beginning}…)"


class RequestCount(models.Model):
    """How many requests processes have taken shares of, of somebody in a window of time (`counting`)."""

    digest = models.CharField(max_length=40, primary_key=True)
    window = models.BigIntegerField(db_index=True, help_text="Which since 1970.")
    count = models.PositiveIntegerField(default=0)
    before = models.PositiveIntegerField(default=0, help_text="Of the window before.")

    def __str__(self) -> str:
        return f"{self.count} in window {self.window}"
