"""Filters to take away, and to bring."""

from __future__ import annotations

from typing import cast

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from lasair_broker.web.accounts.models import User
from lasair_broker.web.api.v1.filter_files import file_of
from lasair_broker.web.errors import Invalid
from lasair_broker.web.filters import files


class ImportForm(forms.Form):
    """Filters as YAML: a file, or the text itself."""

    file = forms.FileField(required=False, help_text="YAML, as “Export” writes it.")
    text = forms.CharField(
        required=False,
        max_length=files.LARGEST,
        strip=False,
        label="Or the text",
        widget=forms.Textarea(attrs={"rows": 8, "class": "font-monospace", "spellcheck": "false"}),
    )

    def yaml(self) -> str:
        """What was given.

        Raises
        ------
        Invalid
            If that is no text, or too much, or nothing.
        """
        file = self.cleaned_data["file"]
        if file is None:
            if not self.cleaned_data["text"].strip():
                raise Invalid({"file": "choose a file, or write the text below"})
            return str(self.cleaned_data["text"])
        if file.size > files.LARGEST:
            raise Invalid({"file": f"a file has at most {files.LARGEST:,} bytes"})
        try:
            return str(file.read().decode())
        except UnicodeDecodeError:
            raise Invalid({"file": "this is no text in UTF-8"}) from None


@login_required
@require_safe
def export(request: HttpRequest) -> HttpResponse:
    """Filters as a file: those that are named, or all of one's own."""
    return file_of(cast(User, request.user), request.GET.getlist("filter"))


@login_required
@require_http_methods(["GET", "POST"])
def bring(request: HttpRequest) -> HttpResponse:
    """Make the filters of a file."""
    form = ImportForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = files.imported(cast(User, request.user), form.yaml())
        except Invalid as error:
            for name, text in error.faults.items():
                own = name in form.fields
                form.add_error(name if own else None, text if own or not name else f"{name}: {text}")
        else:
            messages.success(request, f"{len(made)} filters are there, as drafts; none of them runs yet.")
            return redirect("filters:filter", made[0].pk) if len(made) == 1 else redirect("filters:index")
    context = {
        "form": form,
        "title": "Import filters",
        "text": "They become yours, private, and drafts: look at each, and run it. Outputs are in no file.",
        "back": reverse("filters:index"),
        "submit": "Import",
        "multipart": True,
    }
    return render(request, "site/lists/form.html", context, status=400 if form.errors else 200)
