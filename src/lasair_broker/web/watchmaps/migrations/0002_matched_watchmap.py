# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("watchmaps", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="MatchedWatchmap",
            fields=[
                ("ar_id", models.BigIntegerField(primary_key=True, serialize=False)),
                (
                    "revision",
                    models.PositiveBigIntegerField(
                        help_text="Of the map that the hits are of; 0: not known."
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="watchmap",
            name="match_hits",
            field=models.PositiveBigIntegerField(default=0, editable=False),
        ),
    ]
