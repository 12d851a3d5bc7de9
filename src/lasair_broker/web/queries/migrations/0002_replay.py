# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("queries", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="job",
            name="replay",
            field=models.JSONField(
                editable=False,
                help_text="Of a filter over the past: filter_id, version, since_mjd, until_mjd (MJD TAI).",
                null=True,
            ),
        ),
    ]
