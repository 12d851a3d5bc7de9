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
            name="Filter",
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
                (
                    "topic",
                    models.CharField(
                        editable=False,
                        help_text="Its Kafka topic; it outlives renaming.",
                        max_length=128,
                        unique=True,
                    ),
                ),
                ("fork_count", models.PositiveIntegerField(default=0, editable=False)),
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
                    "forked_from",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="forks",
                        to="filters.filter",
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
        ),
        migrations.CreateModel(
            name="FilterVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "draft"),
                            ("previewed", "previewed"),
                            ("active", "active"),
                            ("retired", "retired"),
                        ],
                        default="draft",
                        max_length=9,
                    ),
                ),
                ("adql", models.TextField(blank=True, max_length=65536)),
                ("selected", models.TextField(blank=True, max_length=16384)),
                ("tables", models.TextField(blank=True, max_length=4096)),
                ("conditions", models.TextField(blank=True, max_length=65536)),
                (
                    "trigger",
                    models.CharField(
                        choices=[
                            ("alert", "a new alert"),
                            ("annotation", "a new annotation"),
                            ("both", "a new alert or annotation"),
                        ],
                        default="alert",
                        max_length=10,
                    ),
                ),
                (
                    "renotify",
                    models.CharField(
                        choices=[
                            ("every", "at every match"),
                            ("once", "never: once an object"),
                            ("again", "after some days, or when a column changed"),
                        ],
                        default="every",
                        max_length=5,
                    ),
                ),
                ("renotify_days", models.FloatField(blank=True, null=True)),
                ("renotify_columns", models.JSONField(blank=True, default=list)),
                ("comment", models.CharField(blank=True, max_length=500)),
                ("created", models.DateTimeField(auto_now_add=True)),
                ("previewed", models.DateTimeField(editable=False, null=True)),
                ("preview_count", models.BigIntegerField(editable=False, null=True)),
                (
                    "preview_fraction",
                    models.FloatField(editable=False, help_text="Of the alerts looked at.", null=True),
                ),
                (
                    "preview_per_night",
                    models.FloatField(editable=False, help_text="Expected hits a night.", null=True),
                ),
                ("preview_seconds", models.FloatField(editable=False, null=True)),
                (
                    "author",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "filter",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="filters.filter",
                    ),
                ),
            ],
            options={
                "ordering": ["filter", "number"],
            },
        ),
        migrations.CreateModel(
            name="FilterFailure",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("message", models.TextField()),
                ("first", models.DateTimeField()),
                ("last", models.DateTimeField()),
                ("count", models.PositiveBigIntegerField(default=1)),
                ("told", models.DateTimeField(null=True)),
                ("resolved", models.DateTimeField(null=True)),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="failures",
                        to="filters.filterversion",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="FilterActivation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("began", models.DateTimeField()),
                ("ended", models.DateTimeField(null=True)),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="activations",
                        to="filters.filterversion",
                    ),
                ),
            ],
            options={
                "ordering": ["began"],
            },
        ),
        migrations.AddField(
            model_name="filter",
            name="active_version",
            field=models.OneToOneField(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="active_of",
                to="filters.filterversion",
            ),
        ),
        migrations.CreateModel(
            name="FilterOutput",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("kafka", "Kafka topic"),
                            ("email", "e-mail"),
                            ("webhook", "webhook"),
                            ("apprise", "Slack, Telegram and others (apprise)"),
                            ("browser", "browser"),
                        ],
                        max_length=8,
                    ),
                ),
                ("enabled", models.BooleanField(default=True)),
                (
                    "light_curve",
                    models.CharField(
                        choices=[
                            ("none", "none"),
                            ("lite", "the columns needed to plot it"),
                            ("full", "the whole packet without images"),
                        ],
                        default="none",
                        max_length=4,
                    ),
                ),
                (
                    "format",
                    models.CharField(
                        choices=[("json", "JSON"), ("avro", "Avro")], default="json", max_length=4
                    ),
                ),
                (
                    "frequency",
                    models.CharField(
                        choices=[("immediate", "at once"), ("digest", "once a day")],
                        default="immediate",
                        max_length=9,
                    ),
                ),
                ("url", models.CharField(blank=True, help_text="For webhook and apprise.", max_length=2000)),
                ("secret", models.CharField(blank=True, help_text="Signs webhooks.", max_length=200)),
                (
                    "hourly_limit",
                    models.PositiveIntegerField(
                        default=1000, help_text="More hits an hour are summed up in one."
                    ),
                ),
                ("created", models.DateTimeField(auto_now_add=True)),
                (
                    "filter",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="outputs",
                        to="filters.filter",
                    ),
                ),
                (
                    "recipient",
                    models.ForeignKey(
                        blank=True,
                        help_text="For e-mail.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("kind__in", ["kafka", "browser"])),
                        fields=("filter", "kind"),
                        name="filters_output_one_topic",
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="filterversion",
            constraint=models.UniqueConstraint(
                fields=("filter", "number"), name="filters_version_number_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="filterversion",
            constraint=models.CheckConstraint(
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
                name="filters_version_adql_or_triple",
                violation_error_message="give either ADQL, or selected (with tables and conditions)",
            ),
        ),
        migrations.AddConstraint(
            model_name="filter",
            constraint=models.UniqueConstraint(fields=("owner", "name"), name="filters_filter_name_once"),
        ),
        migrations.AddConstraint(
            model_name="filter",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("collaboration", None), ("visibility", "private")),
                    models.Q(("visibility", "private"), _negated=True),
                    _connector="OR",
                ),
                name="filters_filter_private_is_alone",
            ),
        ),
    ]
