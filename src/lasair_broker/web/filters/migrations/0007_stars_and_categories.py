# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("filters", "0006_removable_parts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="filter",
            name="category",
            field=models.CharField(
                choices=[
                    ("supernova", "supernovae"),
                    ("fast", "fast transients"),
                    ("nuclear", "nuclear: AGN and disruptions"),
                    ("variable", "variable stars"),
                    ("messenger", "counterparts of messengers"),
                    ("odd", "odd ones"),
                    ("other", "other"),
                ],
                default="other",
                max_length=9,
            ),
        ),
        migrations.CreateModel(
            name="FilterStar",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("given", models.DateTimeField(auto_now_add=True)),
                (
                    "filter",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="stars", to="filters.filter"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("filter", "user"), name="filters_star_once")],
            },
        ),
    ]
