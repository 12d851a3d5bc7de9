# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("photometry", "0002_fetched"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RenameField(model_name="photometryset", old_name="removed", new_name="deleted"),
        migrations.AlterField(
            model_name="photometryset",
            name="deleted",
            field=models.DateTimeField(
                editable=False, help_text="It can be restored for some time after that.", null=True
            ),
        ),
    ]
