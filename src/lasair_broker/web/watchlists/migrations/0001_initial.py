# ruff: noqa: RUF012  # written by Django, which reads these lists as class attributes

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Watchlist",
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
                ("description", models.TextField(blank=True, max_length=4096)),
                (
                    "default_radius",
                    models.FloatField(
                        default=5.0,
                        help_text="Arcseconds.",
                        validators=[
                            django.core.validators.MinValueValidator(1.0),
                            django.core.validators.MaxValueValidator(3600.0),
                        ],
                    ),
                ),
                ("active", models.BooleanField(default=False, help_text="Matched on the stream.")),
                ("next_cone_id", models.BigIntegerField(default=1, editable=False)),
                (
                    "revision",
                    models.PositiveBigIntegerField(
                        default=1,
                        editable=False,
                        help_text="Grows with every change of rows, so that the stream knows to reload.",
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
                    "copied_from",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="copies",
                        to="watchlists.watchlist",
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
            name="WatchlistTrigger",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("cone_id", models.BigIntegerField(blank=True, help_text="Empty: every row.", null=True)),
                ("name", models.CharField(blank=True, max_length=200)),
                ("active", models.BooleanField(default=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("crosses", "crosses a magnitude"),
                            ("changes", "changes by some magnitudes"),
                        ],
                        default="crosses",
                        max_length=7,
                    ),
                ),
                (
                    "direction",
                    models.CharField(
                        choices=[("brightens", "brightens"), ("fades", "fades"), ("either", "either")],
                        default="brightens",
                        max_length=9,
                    ),
                ),
                ("magnitude", models.FloatField(blank=True, null=True)),
                ("change", models.FloatField(blank=True, null=True)),
                ("baseline_magnitude", models.FloatField(blank=True, null=True)),
                ("baseline_gap", models.FloatField(default=30.0, help_text="Days.")),
                ("bands", models.CharField(default="ugrizy", max_length=6)),
                ("consecutive", models.PositiveSmallIntegerField(default=2)),
                (
                    "total",
                    models.BooleanField(
                        default=False, help_text="Total flux, not the difference from the template."
                    ),
                ),
                ("forced", models.BooleanField(default=True, help_text="Look at forced photometry too.")),
                ("min_snr", models.FloatField(default=5.0)),
                (
                    "rearm",
                    models.FloatField(default=0.3, help_text="Magnitudes to recover before the next event."),
                ),
                ("cooldown", models.FloatField(default=1.0, help_text="Days.")),
                ("start_mjd", models.FloatField(help_text="MJD TAI; what lies before causes no event.")),
                ("created", models.DateTimeField(auto_now_add=True)),
                (
                    "watchlist",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="triggers",
                        to="watchlists.watchlist",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="WatchlistVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("created", models.DateTimeField(auto_now_add=True)),
                (
                    "source_name",
                    models.CharField(blank=True, help_text="The file it came from.", max_length=255),
                ),
                ("row_count", models.PositiveIntegerField(default=0)),
                (
                    "match",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting"),
                            ("running", "running"),
                            ("done", "done"),
                            ("failed", "failed"),
                        ],
                        default="waiting",
                        max_length=7,
                    ),
                ),
                (
                    "match_done",
                    models.PositiveBigIntegerField(default=0, help_text="Objects of the archive looked at."),
                ),
                ("match_total", models.PositiveBigIntegerField(default=0)),
                ("match_hits", models.PositiveBigIntegerField(default=0)),
                ("match_began", models.DateTimeField(null=True)),
                ("match_ended", models.DateTimeField(null=True)),
                ("match_message", models.TextField(blank=True)),
                (
                    "author",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "watchlist",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="watchlists.watchlist",
                    ),
                ),
            ],
            options={
                "ordering": ["watchlist", "number"],
            },
        ),
        migrations.CreateModel(
            name="WatchlistEdit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("cone_id", models.BigIntegerField()),
                ("deleted", models.BooleanField(default=False)),
                ("name", models.CharField(max_length=256)),
                (
                    "ra",
                    models.FloatField(
                        validators=[
                            django.core.validators.MinValueValidator(0.0),
                            django.core.validators.MaxValueValidator(360.0),
                        ]
                    ),
                ),
                (
                    "decl",
                    models.FloatField(
                        validators=[
                            django.core.validators.MinValueValidator(-90.0),
                            django.core.validators.MaxValueValidator(90.0),
                        ]
                    ),
                ),
                (
                    "radius",
                    models.FloatField(
                        validators=[
                            django.core.validators.MinValueValidator(1.0),
                            django.core.validators.MaxValueValidator(3600.0),
                        ]
                    ),
                ),
                ("notes", models.TextField(blank=True, max_length=4096, null=True)),
                ("edited", models.DateTimeField(auto_now=True)),
                (
                    "author",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="edits",
                        to="watchlists.watchlistversion",
                    ),
                ),
            ],
            options={
                "ordering": ["version", "cone_id"],
            },
        ),
        migrations.CreateModel(
            name="WatchlistBlock",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("first_cone_id", models.BigIntegerField()),
                ("last_cone_id", models.BigIntegerField()),
                ("row_count", models.PositiveIntegerField()),
                ("parquet", models.BinaryField()),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="blocks",
                        to="watchlists.watchlistversion",
                    ),
                ),
            ],
            options={
                "ordering": ["version", "first_cone_id"],
            },
        ),
        migrations.AddField(
            model_name="watchlist",
            name="current",
            field=models.OneToOneField(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="current_of",
                to="watchlists.watchlistversion",
            ),
        ),
        migrations.AddConstraint(
            model_name="watchlistversion",
            constraint=models.UniqueConstraint(
                fields=("watchlist", "number"), name="watchlists_version_number_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="watchlistedit",
            constraint=models.UniqueConstraint(fields=("version", "cone_id"), name="watchlists_edit_once"),
        ),
        migrations.AddConstraint(
            model_name="watchlistblock",
            constraint=models.UniqueConstraint(
                fields=("version", "first_cone_id"), name="watchlists_block_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="watchlist",
            constraint=models.UniqueConstraint(
                fields=("owner", "name"), name="watchlists_watchlist_name_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="watchlist",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("collaboration", None), ("visibility", "private")),
                    models.Q(("visibility", "private"), _negated=True),
                    _connector="OR",
                ),
                name="watchlists_watchlist_private_is_alone",
            ),
        ),
    ]
