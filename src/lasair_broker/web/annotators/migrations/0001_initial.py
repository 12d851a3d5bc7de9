# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Annotator",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "visibility",
                    models.CharField(
                        choices=[
                            ("private", "only the owner"),
                            ("group", "the members of its collaboration"),
                            ("public", "everybody"),
                        ],
                        default="private",
                        max_length=8,
                    ),
                ),
                ("created", models.DateTimeField(auto_now_add=True)),
                ("modified", models.DateTimeField(auto_now=True)),
                (
                    "topic",
                    models.CharField(
                        help_text="As queries name it: annotator:topic.",
                        max_length=255,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Za-z][A-Za-z0-9_]*$", "a letter, then letters, digits and _"
                            )
                        ],
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("person", "people"), ("program", "a program")],
                        default="program",
                        max_length=7,
                    ),
                ),
                ("description", models.TextField(blank=True, max_length=4096)),
                ("url", models.URLField(blank=True, max_length=500)),
                ("active", models.BooleanField(default=True)),
                (
                    "collaboration",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="%(class)ss",
                        to="accounts.collaboration",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="%(class)ss",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "writers",
                    models.ManyToManyField(blank=True, related_name="writes_as", to=settings.AUTH_USER_MODEL),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("collaboration", None), ("visibility", "private")),
                            models.Q(("visibility", "private"), _negated=True),
                            _connector="OR",
                        ),
                        name="annotators_annotator_private_is_alone",
                    )
                ],
            },
        ),
    ]
