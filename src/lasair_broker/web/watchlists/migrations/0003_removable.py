# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_addresses_known_before"),
        ("watchlists", "0002_matched_watchlist"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="watchlist",
            name="watchlists_watchlist_name_once",
        ),
        migrations.AddField(
            model_name="watchlist",
            name="deleted",
            field=models.DateTimeField(
                editable=False, help_text="It can be restored for some time after that.", null=True
            ),
        ),
        migrations.AddConstraint(
            model_name="watchlist",
            constraint=models.UniqueConstraint(
                condition=models.Q(("deleted", None)),
                fields=("owner", "name"),
                name="watchlists_watchlist_name_once",
            ),
        ),
    ]
