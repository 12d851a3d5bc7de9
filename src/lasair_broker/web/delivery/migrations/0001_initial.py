# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("filters", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="OutputState",
            fields=[
                (
                    "output",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="state",
                        serialize=False,
                        to="filters.filteroutput",
                    ),
                ),
                (
                    "delivered_to",
                    models.FloatField(
                        help_text="Hits committed until then (MJD TAI) are delivered or dead.", null=True
                    ),
                ),
                (
                    "last_hit",
                    models.CharField(blank=True, help_text="The last hitId of that instant.", max_length=64),
                ),
                (
                    "failures",
                    models.PositiveIntegerField(default=0, help_text="Attempts in a row that failed."),
                ),
                ("next_attempt", models.DateTimeField(help_text="Not before.", null=True)),
                (
                    "window_began",
                    models.DateTimeField(help_text="Of the hour that is counted for the limit.", null=True),
                ),
                ("window_count", models.PositiveIntegerField(default=0)),
                (
                    "held_back",
                    models.PositiveIntegerField(
                        default=0, help_text="Hits beyond the limit, for the summary."
                    ),
                ),
                ("digest_sent", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Redelivery",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("since_mjd", models.FloatField(help_text="MJD TAI.")),
                ("until_mjd", models.FloatField(help_text="MJD TAI.")),
                ("asked", models.DateTimeField(auto_now_add=True)),
                ("done", models.DateTimeField(null=True)),
                ("hits", models.PositiveIntegerField(default=0)),
                (
                    "by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "filter",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="redeliveries",
                        to="filters.filter",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DeadLetter",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("hit", models.CharField(max_length=64)),
                ("at", models.DateTimeField()),
                ("attempts", models.PositiveIntegerField()),
                ("message", models.TextField()),
                ("sent_again", models.DateTimeField(null=True)),
                (
                    "output",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="dead_letters",
                        to="filters.filteroutput",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("output", "hit"), name="delivery_dead_letter_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField()),
                (
                    "result",
                    models.CharField(
                        choices=[
                            ("delivered", "delivered"),
                            ("failed", "failed, to be tried again"),
                            ("dead", "given up"),
                            ("summed up", "more than the limit, summed up"),
                            ("test", "a test"),
                        ],
                        max_length=9,
                    ),
                ),
                ("hits", models.PositiveIntegerField()),
                ("first_hit", models.CharField(blank=True, max_length=64)),
                ("last_hit", models.CharField(blank=True, max_length=64)),
                ("seconds", models.FloatField()),
                ("message", models.TextField(blank=True)),
                (
                    "output",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="filters.filteroutput",
                    ),
                ),
            ],
            options={
                "ordering": ["-at", "-pk"],
                "indexes": [models.Index(fields=["output", "-at"], name="delivery_log_of_output")],
            },
        ),
    ]
