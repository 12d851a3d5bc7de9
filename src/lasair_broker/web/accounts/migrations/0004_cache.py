# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_addresses_known_before")]

    operations = [
        migrations.CreateModel(
            name="CacheEntry",
            fields=[
                ("cache_key", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("value", models.TextField()),
                ("expires", models.DateTimeField(db_index=True)),
            ],
            options={"db_table": "lasair_cache"},
        ),
    ]
