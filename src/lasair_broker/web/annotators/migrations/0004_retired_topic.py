# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("annotators", "0003_removable"),
    ]

    operations = [
        migrations.CreateModel(
            name="RetiredTopic",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("topic", models.CharField(max_length=255, unique=True)),
                ("retired", models.DateTimeField(auto_now_add=True)),
            ],
        ),
    ]
