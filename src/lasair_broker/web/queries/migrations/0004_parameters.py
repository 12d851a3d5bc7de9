# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("queries", "0003_removable")]

    operations = [
        migrations.AddField(
            model_name="job",
            name="parameters",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="Values that it names: name, type, default, unit, description.",
            ),
        ),
        migrations.AddField(
            model_name="savedquery",
            name="parameters",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="Values that it names: name, type, default, unit, description.",
            ),
        ),
    ]
