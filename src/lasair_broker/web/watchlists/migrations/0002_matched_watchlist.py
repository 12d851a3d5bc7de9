# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("watchlists", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="MatchedWatchlist",
            fields=[
                ("wl_id", models.BigIntegerField(primary_key=True, serialize=False)),
                (
                    "revision",
                    models.PositiveBigIntegerField(
                        help_text="Of the list that the hits are of; 0: not known."
                    ),
                ),
            ],
        ),
    ]
