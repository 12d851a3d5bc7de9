# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("transfers", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Destination",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                (
                    "system",
                    models.CharField(
                        choices=[("skyportal", "SkyPortal"), ("tom", "TOM (TOM Toolkit)")], max_length=9
                    ),
                ),
                ("address", models.CharField(max_length=300)),
                (
                    "token",
                    models.TextField(
                        editable=False, help_text="Encrypted (`sealing`); it is shown to nobody."
                    ),
                ),
                ("created", models.DateTimeField(auto_now_add=True)),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="destinations",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ["name"]},
        ),
        migrations.AddConstraint(
            model_name="destination",
            constraint=models.UniqueConstraint(
                fields=("owner", "name"), name="transfers_destination_name_once"
            ),
        ),
        migrations.AddField(
            model_name="transfer",
            name="destination",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="transfers",
                to="transfers.destination",
            ),
        ),
        migrations.AddField(
            model_name="transfer",
            name="link",
            field=models.CharField(
                blank=True,
                default="",
                editable=False,
                help_text="The object's page there.",
                max_length=1000,
            ),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name="transfer",
            name="diaObjectId",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name="transfer",
            name="kind",
            field=models.CharField(
                choices=[
                    ("fetch", "photometry is fetched"),
                    ("send", "an object is sent"),
                    ("test", "a destination is tried"),
                ],
                max_length=5,
            ),
        ),
        migrations.AlterField(
            model_name="transfer",
            name="subject",
            field=models.CharField(
                help_text="The name of the service, or the kind of system.", max_length=32
            ),
        ),
        migrations.AlterField(
            model_name="transfer",
            name="count",
            field=models.PositiveIntegerField(
                editable=False, help_text="Points that were brought or sent.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="transfer",
            name="left_out",
            field=models.PositiveIntegerField(
                default=0,
                editable=False,
                help_text="Points that the service marks as bad, or that the system cannot have.",
            ),
        ),
    ]
