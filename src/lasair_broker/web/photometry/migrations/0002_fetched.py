# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_user_database"),
        ("photometry", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="photometryset",
            name="flux_of",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "not said"),
                    ("difference", "the difference to a template"),
                    ("total", "the source as it is"),
                ],
                default="",
                editable=False,
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="photometryset",
            name="service",
            field=models.CharField(
                blank=True,
                default="",
                editable=False,
                help_text="Where it was fetched from; empty: it was added.",
                max_length=16,
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="photometryset",
            name="service_object",
            field=models.BigIntegerField(
                editable=False,
                help_text="diaObjectId of the object that it was fetched for.",
                null=True,
            ),
        ),
        migrations.AddIndex(
            model_name="photometryset",
            index=models.Index(fields=["owner", "service_object", "service"], name="photometry_set_fetched"),
        ),
    ]
