"""Pages of annotators: the topics under which people and programs speak of objects."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from lasair_broker.web.annotators import services
from lasair_broker.web.annotators.models import Annotator
from lasair_broker.web.api.v1.base import collaboration_named
from lasair_broker.web.errors import Invalid
from lasair_broker.web.site.account.removed import told_with_undo
from lasair_broker.web.site.lists.common import (
    OBJECT_CELL,
    WHOSE,
    ShareForm,
    add_faults,
    archive_table,
    quoted,
    sharing_of,
    table_of_things,
    whose,
)
from lasair_broker.web.site.people import person
from lasair_broker.web.site.tables import Column

_ANNOTATORS = (
    Column("topic", "Topic", sortable=True, template="site/lists/_annotator_name.html"),
    Column("kind", "Who speaks", sortable=True, template="site/lists/_kind.html"),
    Column("owner", "Owner", sortable=True),
    Column("visibility", "Seen by", template="site/lists/_seen_by.html", sortable=True),
    Column("active", "Taken", sortable=True, template="site/lists/_taken.html"),
    Column("modified", "Changed", sortable=True, template="site/lists/_when.html"),
)
_ANNOTATIONS = (
    Column("diaObjectId", "Object", sortable=True, template=OBJECT_CELL),
    Column("classification", "Classification", sortable=True),
    Column("explanation", "Explanation", sortable=True),
    Column("classdict", "More", template="site/lists/_classdict.html"),
    Column("version", "Version", sortable=True),
    Column("url", "Link", template="site/lists/_link.html"),
    Column("timestamp", "Said", "UTC", sortable=True, template="site/lists/_when.html"),
)


class AnnotatorForm(forms.Form):
    """What can be said of an annotator."""

    kind = forms.ChoiceField(choices=Annotator.Kind.choices, label="Who speaks")
    description = forms.CharField(required=False, max_length=4096, widget=forms.Textarea(attrs={"rows": 3}))
    url = forms.URLField(required=False, max_length=500, label="Web page", assume_scheme="https")
    active = forms.BooleanField(required=False, initial=True, label="Takes annotations")


class NewAnnotatorForm(AnnotatorForm):
    """A new annotator."""

    field_order = ("topic",)
    topic = forms.RegexField(
        r"^[A-Za-z][A-Za-z0-9_]*$",
        max_length=255,
        help_text="A letter, then letters, digits and _; queries name it annotator:topic. It stays.",
    )


class WritersForm(forms.Form):
    """Who may speak."""

    writers = forms.CharField(
        required=False,
        max_length=65_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Names of users, separated by blanks, commas or lines; you may always.",
    )


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The annotators that one sees."""
    seen = whose(request, Annotator.objects.visible_to(request.user))
    shown = table_of_things(
        request,
        seen.select_related("owner", "collaboration"),
        _ANNOTATORS,
        caption="Annotators",
        search_in="topic",
        empty="There are no annotators here yet. Under a topic, people and programs say what objects are.",
        orders={"owner": "owner__username"},
    )
    context = {"table": shown, "whose": WHOSE, "asked_whose": request.GET.get("whose", "")}
    return render(request, "site/lists/annotators.html", context)


@require_safe
def page(request: HttpRequest, topic: str) -> HttpResponse:
    """An annotator, and what was said under its topic."""
    found = services.get(request.user, topic)
    may_edit = Annotator.objects.editable_by(request.user).filter(pk=found.pk).exists()
    context = {
        "annotator": found,
        "may_edit": may_edit,
        "may_speak": Annotator.objects.writable_by(request.user).filter(pk=found.pk).exists(),
        "is_owner": request.user.is_superuser or found.owner_id == request.user.pk,
        "seen_by": sharing_of(found),
        "writers": sorted(found.writers.values_list("username", flat=True)) if may_edit else [],
        "annotations": archive_table(
            request,
            "said",
            _ANNOTATIONS,
            select="diaObjectId, classification, explanation, classdict, version, url, timestamp",
            source="annotations",
            where=f"topic = {quoted(found.topic)}",
            caption="What was said, newest first",
            empty="Nothing has been said under this topic so far.",
            sort="timestamp",
            descending=True,
            search_in="classification",
            search_label="Classification",
        ),
    }
    return render(request, "site/lists/annotator.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Make an annotator."""
    form = NewAnnotatorForm(request.POST or None)
    if form.is_valid():
        given = dict(form.cleaned_data)
        try:
            return _to_topic(services.create(person(request), given.pop("topic"), **given).topic)
        except Invalid as error:
            add_faults(form, error)
    context = {
        "form": form,
        "title": "New annotator",
        "text": "It is private until you share it.",
        "back": reverse("lists:annotators"),
        "submit": "Make it",
    }
    return render(request, "site/lists/form.html", context, status=400 if form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, topic: str) -> HttpResponse:
    """Change an annotator."""
    found = services.get(request.user, topic)
    first = {name: getattr(found, name) for name in ("kind", "description", "url", "active")}
    form = AnnotatorForm(request.POST or None, initial=first)
    if form.is_valid():
        try:
            services.describe(person(request), topic, **form.cleaned_data)
            return _to_topic(topic)
        except Invalid as error:
            add_faults(form, error)
    context = {"form": form, "title": f"Change {topic}", "back": _address(topic), "submit": "Save"}
    return render(request, "site/lists/form.html", context, status=400 if form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def writers(request: HttpRequest, topic: str) -> HttpResponse:
    """Say who may speak under a topic."""
    found = services.get(request.user, topic)
    may_edit = Annotator.objects.editable_by(request.user).filter(pk=found.pk).exists()
    names = sorted(found.writers.values_list("username", flat=True)) if may_edit else []
    form = WritersForm(request.POST or None, initial={"writers": "\n".join(names)})
    if form.is_valid():
        try:
            services.set_writers(
                person(request), topic, form.cleaned_data["writers"].replace(",", " ").split()
            )
            messages.success(request, "They may speak under it from now on.")
            return _to_topic(topic)
        except Invalid as error:
            add_faults(form, error)
    context = {
        "form": form,
        "title": f"Who may speak under {topic}",
        "back": _address(topic),
        "submit": "Save",
    }
    return render(request, "site/lists/form.html", context, status=400 if form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def share(request: HttpRequest, topic: str) -> HttpResponse:
    """Say who sees an annotator, and what is said under it."""
    user, found = person(request), services.get(request.user, topic)
    first = {
        "visibility": found.visibility,
        "collaboration": found.collaboration.slug if found.collaboration else "",
    }
    form = ShareForm(user, request.POST or None, initial=first)
    if form.is_valid():
        try:
            chosen = collaboration_named(user, form.cleaned_data["collaboration"] or None)
            services.share(user, topic, form.cleaned_data["visibility"], chosen)
            return _to_topic(topic)
        except Invalid as error:
            add_faults(form, error)
    context = {"form": form, "title": f"Share {topic}", "back": _address(topic), "submit": "Share"}
    return render(request, "site/lists/form.html", context, status=400 if form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def delete(request: HttpRequest, topic: str) -> HttpResponse:
    """Remove an annotator, when that is confirmed."""
    found = services.get(request.user, topic)
    if request.method == "POST":
        services.remove(person(request), topic)
        told_with_undo(request, f"{topic} is removed.", "annotators", found.pk)
        return redirect("lists:annotators")
    context = {
        "title": f"Remove {topic}?",
        "text": "Nobody sees any more what was said under it, and nobody else can take its topic. "
        "For 30 days you can have it back.",
        "back": _address(topic),
        "submit": "Remove it",
    }
    return render(request, "site/lists/confirm.html", context)


def _address(topic: str) -> str:
    return reverse("lists:annotator", args=[topic])


def _to_topic(topic: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(_address(topic))
