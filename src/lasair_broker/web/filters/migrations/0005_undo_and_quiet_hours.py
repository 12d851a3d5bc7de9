# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_addresses_known_before"),
        ("filters", "0004_trigger_context"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="filter",
            name="filters_filter_name_once",
        ),
        migrations.AddField(
            model_name="filter",
            name="deleted",
            field=models.DateTimeField(
                editable=False, help_text="It can be restored for some time after that.", null=True
            ),
        ),
        migrations.AddField(
            model_name="filteroutput",
            name="quiet_from",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="Hour (UTC) from which nothing is sent; hits wait. Empty: none.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="filteroutput",
            name="quiet_until",
            field=models.PositiveSmallIntegerField(
                blank=True, help_text="Hour (UTC) from which is sent again.", null=True
            ),
        ),
        migrations.AddConstraint(
            model_name="filter",
            constraint=models.UniqueConstraint(
                condition=models.Q(("deleted", None)),
                fields=("owner", "name"),
                name="filters_filter_name_once",
            ),
        ),
    ]
