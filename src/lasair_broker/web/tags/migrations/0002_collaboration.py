# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_cache"),
        ("tags", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="tag",
            name="collaboration",
            field=models.ForeignKey(
                blank=True,
                help_text="Whose members see it, too.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="tags",
                to="accounts.collaboration",
            ),
        ),
    ]
