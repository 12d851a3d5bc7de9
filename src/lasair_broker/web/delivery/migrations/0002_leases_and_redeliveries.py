from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Workers that hold outputs, and redeliveries to one output each. Nothing was delivered before this."""

    dependencies: ClassVar = [
        ("delivery", "0001_initial"),
        ("filters", "0002_output_limit"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations: ClassVar = [
        migrations.AddField(
            model_name="outputstate",
            name="lease_holder",
            field=models.CharField(blank=True, help_text="The worker that is at it.", max_length=200),
        ),
        migrations.AddField(
            model_name="outputstate",
            name="lease_until",
            field=models.DateTimeField(help_text="If not prolonged.", null=True),
        ),
        migrations.AddField(
            model_name="deadletter",
            name="committed_mjd",
            field=models.FloatField(default=0.0, help_text="When the hit was found, MJD TAI."),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name="delivery",
            name="result",
            field=models.CharField(
                choices=[
                    ("delivered", "delivered"),
                    ("again", "delivered again, as asked"),
                    ("failed", "failed, to be tried again"),
                    ("dead", "given up"),
                    ("summed up", "more than the limit, summed up"),
                    ("test", "a test"),
                ],
                max_length=9,
            ),
        ),
        migrations.DeleteModel(name="Redelivery"),
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
                ("only", models.JSONField(help_text="Just these hits.", null=True)),
                ("asked", models.DateTimeField(auto_now_add=True)),
                ("reached_mjd", models.FloatField(help_text="How far it has come, MJD TAI.", null=True)),
                ("reached_hit", models.CharField(blank=True, max_length=64)),
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
                    "output",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="redeliveries",
                        to="filters.filteroutput",
                    ),
                ),
            ],
            options={"ordering": ["pk"]},
        ),
    ]
