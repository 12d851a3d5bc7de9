# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("watchlists", "0003_removable"),
    ]

    operations = [
        migrations.AddField(
            model_name="watchlisttrigger",
            name="deleted",
            field=models.DateTimeField(
                editable=False, help_text="It can be restored for some time after that.", null=True
            ),
        ),
    ]
