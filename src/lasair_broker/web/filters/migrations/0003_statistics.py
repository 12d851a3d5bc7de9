from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("filters", "0002_output_limit")]
    operations: ClassVar = [
        migrations.CreateModel(
            name="FilterStatistics",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("night", models.DateField()),
                ("batches", models.PositiveBigIntegerField(default=0)),
                ("alerts", models.PositiveBigIntegerField(default=0)),
                ("rows", models.PositiveBigIntegerField(default=0)),
                ("failures", models.PositiveBigIntegerField(default=0)),
                ("seconds", models.FloatField(default=0.0)),
                ("longest", models.FloatField(default=0.0, help_text="Seconds of the slowest run.")),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="statistics",
                        to="filters.filterversion",
                    ),
                ),
            ],
            options={"ordering": ["-night"]},
        ),
        migrations.AddConstraint(
            model_name="filterstatistics",
            constraint=models.UniqueConstraint(
                fields=("version", "night"), name="filters_statistics_once_a_night"
            ),
        ),
    ]
