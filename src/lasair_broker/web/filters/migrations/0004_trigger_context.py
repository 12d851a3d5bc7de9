from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("filters", "0003_statistics")]

    operations: ClassVar = [
        migrations.AlterField(
            model_name="filterversion",
            name="trigger",
            field=models.CharField(
                choices=[
                    ("alert", "a new alert"),
                    ("annotation", "a new annotation"),
                    ("both", "a new alert or annotation"),
                    ("context", "news of what is known at its place"),
                    ("any", "a new alert or annotation, or news of what is known at its place"),
                ],
                default="alert",
                max_length=10,
            ),
        ),
    ]
