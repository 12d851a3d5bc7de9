from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("api", "0001_initial")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="RequestCount",
            fields=[
                ("digest", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("window", models.BigIntegerField(db_index=True, help_text="Which since 1970.")),
                ("count", models.PositiveIntegerField(default=0)),
                ("before", models.PositiveIntegerField(default=0, help_text="Of the window before.")),
            ],
        )
    ]
