"""Which columns of a filter's results somebody wants to see: chosen on the page, and remembered of users.

The addresses of the table carry the choice, so that paging and sorting keep it for everybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest

from lasair_broker.web.site.tables import Column

_REMEMBERED = "hidden columns of filters"
_MOST_FILTERS = 50


@dataclass(frozen=True)
class Choice:
    """A column that may be left out, and whether it is shown."""

    name: str
    label: str
    shown: bool


def chosen(
    request: HttpRequest, filter_id: int, columns: Sequence[Column]
) -> tuple[list[Column], list[Choice]]:
    """The columns that are shown, and what can be chosen: all with a label, of which one at least stays."""
    names = [column.name for column in columns if column.label]
    hidden = _hidden(request, filter_id, names)
    if not set(names) - hidden:
        hidden = set()
    choices = [
        Choice(column.name, column.label, column.name not in hidden) for column in columns if column.label
    ]
    return [column for column in columns if column.name not in hidden], choices


def _hidden(request: HttpRequest, filter_id: int, names: Sequence[str]) -> set[str]:
    known = request.session.get(_REMEMBERED, {}) if request.user.is_authenticated else {}
    if "choose" not in request.GET:
        return set(known.get(str(filter_id), ()))
    wanted = set(request.GET.getlist("show"))
    hidden = [name for name in names if name not in wanted]
    if request.user.is_authenticated and known.get(str(filter_id), []) != hidden:
        others = [(key, value) for key, value in known.items() if key != str(filter_id)]
        request.session[_REMEMBERED] = dict([*others[1 - _MOST_FILTERS :], (str(filter_id), hidden)])
    return set(hidden)
