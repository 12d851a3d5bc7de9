# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("comments", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="comment",
            name="period",
            field=models.FloatField(
                editable=False, help_text="Days; of a light curve that folds well on it.", null=True
            ),
        ),
    ]
