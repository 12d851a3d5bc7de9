"""Tags and filters of the pages: ``{% load site %}``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from django import template
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect, Select
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from lasair_broker.web.site.about.tour import Stop, stop
from lasair_broker.web.site.assets_built import built
from lasair_broker.web.site.navigation import Entry, entries
from lasair_broker.web.site.tables import Column, Table

register = template.Library()


@register.simple_tag
def asset(name: str) -> str:
    """The address of a built script or style, "objects.js"; "" if it is not built."""
    path = built(name)
    return static(path) if path else ""


@register.simple_tag
def script(name: str) -> SafeString:
    """The element that loads the built script `name`.ts, when the page is there."""
    address = asset(f"{name}.js")
    return format_html('<script type="module" src="{}"></script>', address) if address else SafeString("")


@register.simple_tag
def stylesheet(name: str) -> SafeString:
    """The element that loads the built style `name`.css."""
    address = asset(f"{name}.css")
    return format_html('<link rel="stylesheet" href="{}">', address) if address else SafeString("")


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """An icon of Bootstrap's; without a label it is for the eye only."""
    address = asset("icons.svg")
    if not address:
        return SafeString("")
    if label:
        return format_html(
            '<svg class="icon" role="img" aria-label="{}"><use href="{}#{}"/></svg>', label, address, name
        )
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>', address, name)


@register.simple_tag(takes_context=True)
def navigation(context: Mapping[str, Any]) -> list[Entry]:
    """The entries of the bar above the page."""
    return list(entries(context["request"].path)) if "request" in context else []


@register.simple_tag(takes_context=True)
def tour_stop(context: Mapping[str, Any]) -> Stop | None:
    """Where in the tour the page is."""
    return stop(context["request"]) if "request" in context else None


@register.inclusion_tag("site/common/_table.html", takes_context=True)
def table(context: Mapping[str, Any], shown: Table) -> dict[str, Any]:
    """A table that pages, sorts and searches on the server; see `site.tables`."""
    return {"table": shown, "request": context.get("request")}


@register.inclusion_tag("site/common/_cell.html", takes_context=True)
def cell(context: Mapping[str, Any], column: Column, row: Any) -> dict[str, Any]:
    """What a table shows of a column in a row, to whoever looks at it (`user`)."""
    user = getattr(context.get("request"), "user", None)
    return {"column": column, "row": row, "value": column.value(row), "user": user}


@register.inclusion_tag("site/common/_field.html")
def field(bound: BoundField) -> dict[str, Any]:
    """A form's field with its label, help and what is wrong with it."""
    widget = bound.field.widget
    if isinstance(widget, CheckboxSelectMultiple | RadioSelect):
        kind, css = "choices", "form-check-input"
    elif isinstance(widget, CheckboxInput):
        kind, css = "check", "form-check-input"
    else:
        kind, css = "control", "form-select" if isinstance(widget, Select) else "form-control"
    if bound.errors:
        css += " is-invalid"
    own = widget.attrs.get("class", "")
    attrs: dict[str, str | bool] = {"class": f"{css} {own}".strip()}
    if kind == "choices":  # which the template goes through one by one
        widget.attrs |= attrs
    if bound.errors:
        helped = f"{bound.auto_id}_helptext " if bound.help_text else ""
        attrs["aria-describedby"] = f"{helped}{bound.auto_id}_error"
    return {"field": bound, "kind": kind, "control": bound.as_widget(attrs=attrs)}


@register.filter
def figure(value: object, digits: int = 4) -> str:
    """A number with so many significant digits and spaces between thousands; "" for one that is missing."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    size = abs(value)
    if size and not 1e-4 <= size < 1e7:
        return f"{value:.{digits - 1}e}"
    decimals = max(0, digits - 1 - (math.floor(math.log10(size)) if size else 0))
    return f"{value:.{decimals}f}"
