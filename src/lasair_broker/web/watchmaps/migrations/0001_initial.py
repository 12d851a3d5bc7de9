# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

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
            name="Watchmap",
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
                ("name", models.CharField(max_length=200)),
                ("description", models.TextField(blank=True, max_length=4096)),
                ("active", models.BooleanField(default=True, help_text="Matched on the stream.")),
                ("moc", models.BinaryField(help_text="FITS.")),
                ("order", models.PositiveSmallIntegerField(editable=False)),
                ("area_deg2", models.FloatField(editable=False, help_text="Square degrees.")),
                (
                    "origin",
                    models.CharField(
                        choices=[
                            ("file", "a MOC file"),
                            ("circle", "a circle"),
                            ("polygon", "a polygon"),
                            ("fields", "a list of fields"),
                        ],
                        editable=False,
                        max_length=7,
                    ),
                ),
                (
                    "definition",
                    models.JSONField(default=dict, editable=False, help_text="What it was drawn from."),
                ),
                ("revision", models.PositiveBigIntegerField(default=1, editable=False)),
                (
                    "match",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting"),
                            ("running", "running"),
                            ("done", "done"),
                            ("failed", "failed"),
                        ],
                        default="waiting",
                        editable=False,
                        max_length=7,
                    ),
                ),
                ("match_done", models.PositiveBigIntegerField(default=0, editable=False)),
                ("match_total", models.PositiveBigIntegerField(default=0, editable=False)),
                ("match_message", models.TextField(blank=True, editable=False)),
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
                    models.UniqueConstraint(fields=("owner", "name"), name="watchmaps_watchmap_name_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("collaboration", None), ("visibility", "private")),
                            models.Q(("visibility", "private"), _negated=True),
                            _connector="OR",
                        ),
                        name="watchmaps_watchmap_private_is_alone",
                    ),
                ],
            },
        ),
    ]
