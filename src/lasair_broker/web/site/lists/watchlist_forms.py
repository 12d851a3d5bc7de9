"""Forms of watchlists."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms

from lasair_broker.web.watchlists.models import WatchlistTrigger

_FILE_HELP = (
    "CSV, VOTable, FITS or Parquet, with columns for right ascension and declination (ICRS, degrees or "
    "sexagesimal); it may have a name, a radius in arcseconds, and notes."
)


class WatchlistForm(forms.Form):
    """What a watchlist is called."""

    name = forms.CharField(max_length=200)
    description = forms.CharField(required=False, max_length=4096, widget=forms.Textarea(attrs={"rows": 2}))
    default_radius = forms.FloatField(
        min_value=1.0,
        max_value=3600.0,
        initial=5.0,
        label="Radius",
        help_text="Arcseconds, of rows that have none of their own.",
    )


class UploadForm(forms.Form):
    """A file of positions."""

    file = forms.FileField(help_text=_FILE_HELP)
    ra = forms.CharField(
        required=False,
        max_length=100,
        label="Column of right ascension",
        help_text="If it is not recognized.",
    )
    decl = forms.CharField(required=False, max_length=100, label="Column of declination")
    skip_bad_rows = forms.BooleanField(
        required=False, label="Leave faulty rows out", help_text="Otherwise a faulty row keeps all out."
    )

    def columns(self) -> dict[str, str] | None:
        """Which column is what, as far as it was said."""
        named = {name: self.cleaned_data[name] for name in ("ra", "decl") if self.cleaned_data.get(name)}
        return named or None


class NewWatchlistForm(WatchlistForm):
    """A new watchlist, with a file if there is one."""

    file = forms.FileField(required=False, help_text=_FILE_HELP)
    skip_bad_rows = forms.BooleanField(required=False, label="Leave faulty rows out")
    active = forms.BooleanField(
        required=False, initial=True, label="Match it with every alert", help_text="Once it has rows."
    )


class RowForm(forms.Form):
    """A row of a watchlist."""

    name = forms.CharField(max_length=256)
    ra = forms.FloatField(min_value=0.0, max_value=360.0, label="Right ascension", help_text="Degrees, ICRS.")
    decl = forms.FloatField(min_value=-90.0, max_value=90.0, label="Declination", help_text="Degrees, ICRS.")
    radius = forms.FloatField(
        min_value=1.0, max_value=3600.0, required=False, help_text="Arcseconds; empty: the list's."
    )
    notes = forms.CharField(required=False, max_length=4096, widget=forms.Textarea(attrs={"rows": 2}))


class TriggerForm(forms.ModelForm[WatchlistTrigger]):
    """A magnitude trigger."""

    class Meta:
        model = WatchlistTrigger
        fields: ClassVar[list[str]] = [
            "name", "active", "kind", "direction", "magnitude", "change", "baseline_magnitude",
            "baseline_gap", "bands", "consecutive", "min_snr", "rearm", "cooldown", "total", "forced",
            "cone_id",
        ]  # fmt: skip
        labels: ClassVar[dict[str, str]] = {
            "cone_id": "Row",
            "min_snr": "Least signal to noise",
            "rearm": "Recovery",
            "total": "Total flux",
            "forced": "Forced photometry",
            "baseline_gap": "Gap before the baseline",
        }
        help_texts: ClassVar[dict[str, str]] = {
            "magnitude": "For a crossing: AB magnitude.",
            "change": "For a change: by how many magnitudes.",
            "baseline_magnitude": "For a change: from here; empty: from the median of older points.",
            "consecutive": "Points in a row that must agree.",
        }

    def _post_clean(self) -> None:
        # The service checks the trigger as a whole, with the list that it belongs to.
        pass

    def values(self) -> dict[str, Any]:
        """What was given."""
        return dict(self.cleaned_data)
