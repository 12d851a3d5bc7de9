# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0002_user_database"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="PhotometrySet",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "visibility",
                    models.CharField(
                        choices=[
                            ("private", "only the owner"),
                            ("group", "the members of its collaboration"),
                            ("public", "everybody"),
                        ],
                        default="private",
                        max_length=8,
                    ),
                ),
                ("created", models.DateTimeField(auto_now_add=True)),
                ("modified", models.DateTimeField(auto_now=True)),
                ("name", models.CharField(max_length=200)),
                (
                    "provenance",
                    models.TextField(
                        help_text="Where the points are from: a paper, a telegram, one's own reduction.",
                        max_length=1024,
                    ),
                ),
                (
                    "removed",
                    models.DateTimeField(
                        editable=False, help_text="When it was removed; kept to be undone.", null=True
                    ),
                ),
                (
                    "collaboration",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="%(class)ss",
                        to="accounts.collaboration",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="%(class)ss",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PhotometryPoint",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("diaObjectId", models.BigIntegerField(db_index=True)),
                ("midpointMjdTai", models.FloatField()),
                ("band", models.CharField(max_length=32)),
                ("value", models.FloatField(help_text="As it was given, in `unit`.")),
                ("error", models.FloatField(help_text="One sigma; NULL for a limit.", null=True)),
                ("unit", models.CharField(max_length=16)),
                (
                    "is_limit",
                    models.BooleanField(default=False, help_text="Nothing was seen brighter than this."),
                ),
                ("time", models.FloatField(help_text="MJD as it was given, in `scale`.")),
                ("scale", models.CharField(max_length=3)),
                ("psfFlux", models.FloatField(help_text="nJy; NULL if the unit says none.", null=True)),
                ("psfFluxErr", models.FloatField(help_text="nJy.", null=True)),
                ("instrument", models.CharField(max_length=100)),
                (
                    "photometry",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="points",
                        to="photometry.photometryset",
                    ),
                ),
            ],
            options={
                "ordering": ["diaObjectId", "midpointMjdTai", "pk"],
            },
        ),
        migrations.AddConstraint(
            model_name="photometryset",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("collaboration", None), ("visibility", "private")),
                    models.Q(("visibility", "private"), _negated=True),
                    _connector="OR",
                ),
                name="photometry_photometryset_private_is_alone",
            ),
        ),
    ]
