# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("filters", "0005_undo_and_quiet_hours"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="filteroutput",
            name="filters_output_one_topic",
        ),
        migrations.AddField(
            model_name="filteroutput",
            name="deleted",
            field=models.DateTimeField(
                editable=False, help_text="It can be restored for some time after that.", null=True
            ),
        ),
        migrations.AddConstraint(
            model_name="filteroutput",
            constraint=models.UniqueConstraint(
                condition=models.Q(("deleted", None), ("kind__in", ["kafka", "browser"])),
                fields=("filter", "kind"),
                name="filters_output_one_topic",
            ),
        ),
    ]
