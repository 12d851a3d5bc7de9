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
            name="Job",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("adql", models.TextField(blank=True, max_length=65536)),
                ("selected", models.TextField(blank=True, max_length=16384)),
                ("tables", models.TextField(blank=True, max_length=4096)),
                ("conditions", models.TextField(blank=True, max_length=65536)),
                ("name", models.CharField(blank=True, max_length=200)),
                ("most_rows", models.PositiveIntegerField(help_text="At most so many rows are kept.")),
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
                ("cancel", models.BooleanField(default=False, help_text="Its owner wants it stopped.")),
                (
                    "attempts",
                    models.PositiveSmallIntegerField(default=0, help_text="How often it was begun."),
                ),
                ("created", models.DateTimeField(auto_now_add=True)),
                ("started", models.DateTimeField(editable=False, null=True)),
                (
                    "alive",
                    models.DateTimeField(
                        editable=False, help_text="When the process that runs it last said so.", null=True
                    ),
                ),
                ("ended", models.DateTimeField(editable=False, null=True)),
                (
                    "expires",
                    models.DateTimeField(
                        editable=False, help_text="Until when the result is kept.", null=True
                    ),
                ),
                ("rows", models.PositiveIntegerField(editable=False, null=True)),
                (
                    "truncated",
                    models.BooleanField(default=False, help_text="There are more rows than were kept."),
                ),
                ("bytes", models.PositiveBigIntegerField(default=0, help_text="Of the result.")),
                (
                    "columns",
                    models.JSONField(
                        default=list,
                        editable=False,
                        help_text="Of the result: name, type, unit, description.",
                    ),
                ),
                ("error", models.TextField(blank=True)),
                (
                    "error_position",
                    models.PositiveIntegerField(editable=False, help_text="In the text, from 0.", null=True),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="jobs",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "indexes": [models.Index(fields=["owner", "-id"], name="queries_job_of_owner")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                models.Q(("adql", ""), _negated=True),
                                ("conditions", ""),
                                ("selected", ""),
                                ("tables", ""),
                            ),
                            models.Q(("adql", ""), models.Q(("selected", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="queries_job_adql_or_triple",
                        violation_error_message="give either ADQL, or selected (with tables and conditions)",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SavedQuery",
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
                ("adql", models.TextField(blank=True, max_length=65536)),
                ("selected", models.TextField(blank=True, max_length=16384)),
                ("tables", models.TextField(blank=True, max_length=4096)),
                ("conditions", models.TextField(blank=True, max_length=65536)),
                ("name", models.CharField(max_length=200)),
                ("description", models.TextField(blank=True, max_length=4096)),
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
                "verbose_name": "saved query",
                "verbose_name_plural": "saved queries",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                models.Q(("adql", ""), _negated=True),
                                ("conditions", ""),
                                ("selected", ""),
                                ("tables", ""),
                            ),
                            models.Q(("adql", ""), models.Q(("selected", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="queries_saved_adql_or_triple",
                        violation_error_message="give either ADQL, or selected (with tables and conditions)",
                    ),
                    models.UniqueConstraint(fields=("owner", "name"), name="queries_saved_name_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("collaboration", None), ("visibility", "private")),
                            models.Q(("visibility", "private"), _negated=True),
                            _connector="OR",
                        ),
                        name="queries_saved_private_is_alone",
                    ),
                ],
            },
        ),
    ]
