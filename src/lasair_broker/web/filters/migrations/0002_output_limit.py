from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Outputs without a limit."""

    dependencies: ClassVar = [("filters", "0001_initial")]

    operations: ClassVar = [
        migrations.AlterField(
            model_name="filteroutput",
            name="hourly_limit",
            field=models.PositiveIntegerField(
                blank=True, help_text="More hits an hour are summed up in one. Empty: no limit.", null=True
            ),
        ),
    ]
