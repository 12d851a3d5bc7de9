# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("photometry", "0002_fetched"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Transfer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(choices=[("fetch", "photometry is fetched")], max_length=5),
                ),
                ("subject", models.CharField(help_text="The name of the service.", max_length=32)),
                ("diaObjectId", models.BigIntegerField()),
                (
                    "phase",
                    models.CharField(
                        choices=[
                            ("QUEUED", "waiting"),
                            ("EXECUTING", "running"),
                            ("COMPLETED", "done"),
                            ("ERROR", "failed"),
                            ("ABORTED", "cancelled"),
                            ("ARCHIVED", "done, its result removed"),
                        ],
                        default="QUEUED",
                        max_length=9,
                    ),
                ),
                (
                    "cancel",
                    models.BooleanField(default=False, help_text="Its owner wants it stopped."),
                ),
                (
                    "attempts",
                    models.PositiveSmallIntegerField(default=0, help_text="How often a step was lost."),
                ),
                (
                    "progress",
                    models.CharField(blank=True, help_text="What it does, for its owner.", max_length=200),
                ),
                (
                    "state",
                    models.JSONField(
                        default=dict, editable=False, help_text="What the next step has to know."
                    ),
                ),
                ("created", models.DateTimeField(auto_now_add=True)),
                ("started", models.DateTimeField(editable=False, null=True)),
                (
                    "alive",
                    models.DateTimeField(editable=False, help_text="When the last step began.", null=True),
                ),
                ("ended", models.DateTimeField(editable=False, null=True)),
                (
                    "count",
                    models.PositiveIntegerField(
                        editable=False, help_text="Points that were brought.", null=True
                    ),
                ),
                (
                    "left_out",
                    models.PositiveIntegerField(
                        default=0, editable=False, help_text="Points that the service itself marks as bad."
                    ),
                ),
                ("error", models.TextField(blank=True)),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="transfers",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "photometry",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="photometry.photometryset",
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "indexes": [
                    models.Index(fields=["owner", "diaObjectId", "-id"], name="transfers_of_owner"),
                    models.Index(fields=["owner", "subject", "created"], name="transfers_lately"),
                ],
            },
        ),
    ]
