# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0002_user_database"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Comment",
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
                ("diaObjectId", models.BigIntegerField(db_index=True, editable=False)),
                ("text", models.TextField(help_text="Plain text.", max_length=4096)),
                (
                    "edited",
                    models.DateTimeField(
                        editable=False, help_text="When the text was last changed.", null=True
                    ),
                ),
                (
                    "removed",
                    models.DateTimeField(
                        editable=False, help_text="When it was removed; kept to be undone.", null=True
                    ),
                ),
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
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("collaboration", None), ("visibility", "private")),
                            models.Q(("visibility", "private"), _negated=True),
                            _connector="OR",
                        ),
                        name="comments_comment_private_is_alone",
                    )
                ],
            },
        ),
    ]
