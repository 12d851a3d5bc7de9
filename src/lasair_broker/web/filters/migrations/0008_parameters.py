# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("filters", "0007_stars_and_categories")]

    operations = [
        migrations.AddField(
            model_name="filterversion",
            name="parameters",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="Values that the query names: name, type, default, unit, description.",
            ),
        ),
    ]
