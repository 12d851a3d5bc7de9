"""Filters as YAML: the form of a file of subscriptions (`stream.SubscriptionFile`), so that what is exported
here also runs where there is no site.

Outputs are in no file: they hold addresses and secrets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import yaml
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from pydantic import ValidationError

from lasair_broker.query import Parameter, QueryError
from lasair_broker.stream import WrittenFilter, WrittenRenotify
from lasair_broker.web import sharing
from lasair_broker.web.accounts.models import User
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.filters import services
from lasair_broker.web.filters.models import Filter, FilterVersion, Renotify
from lasair_broker.web.filters.wording import Wording

LARGEST = 1024**2
"""Bytes of a file."""

MOST = 100
"""Filters of a file."""


def exported(user: User | AnonymousUser, filter_ids: Sequence[int]) -> str:
    """Filters that the user sees as YAML: of each the version that runs, or else the newest the user sees.

    Raises
    ------
    NotFound
        If one is not there, or the user may see no version of it.
    """
    entries = [_entry(user, filter_id) for filter_id in filter_ids]
    text: str = yaml.dump(
        {"filters": entries}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100
    )
    return text


@transaction.atomic
def imported(user: User, text: str) -> list[Filter]:
    """Make the filters of a file, all or none: private ones of the user's, each with one version, a draft.

    One whose name the user has already gets another.

    Raises
    ------
    Invalid
        Naming the filter, by its place from 1 and its name, and what is wrong in it.
    """
    made: list[Filter] = []
    faults: dict[str, str] = {}
    for number, entry in enumerate(_entries(text), 1):
        try:
            with transaction.atomic():
                made.append(_made(user, entry))
        except Invalid as error:
            place = f"filter {number} ({entry.name[:60]})"
            faults |= {f"{place}, {field}" if field else place: why for field, why in error.faults.items()}
    if faults:
        raise Invalid(faults)
    return made


class _InAFile(WrittenFilter):
    """A filter to be imported; its number is that of another installation."""

    id: int = 0


def _entry(user: User | AnonymousUser, filter_id: int) -> dict[str, Any]:
    found = sharing.visible(Filter.objects.all(), user, filter_id)
    seen = FilterVersion.objects.visible_to(user).filter(filter=found)
    version = seen.filter(active_of=found).first() or seen.last()
    if version is None:
        raise NotFound(f"filter {filter_id} has not published a version yet")
    rules = WrittenRenotify(
        once=version.renotify == Renotify.ONCE,
        days=version.renotify_days if version.renotify == Renotify.AGAIN else None,
        columns=tuple(version.renotify_columns) if version.renotify == Renotify.AGAIN else (),
    )
    whole = {
        "id": found.pk,
        "version": version.number,
        "name": found.name,
        "description": found.description,
        "comment": version.comment,
        "adql": version.adql,
        "selected": version.selected,
        "tables": version.tables if version.selected else "",
        "conditions": version.conditions,
        "trigger": version.trigger,
        "renotify": rules.model_dump(mode="json", exclude_defaults=True),
        "parameters": [_plain(entry) for entry in version.parameters],
    }
    return {name: value for name, value in whole.items() if value or name == "name"}


def _plain(entry: dict[str, Any]) -> dict[str, Any]:
    """A parameter without what is not said of it."""
    return {name: value for name, value in entry.items() if name not in ("unit", "description") or value}


def _entries(text: str) -> list[_InAFile]:
    """What a file says.

    Raises
    ------
    Invalid
        Naming the place.
    """
    if len(text.encode(errors="replace")) > LARGEST:
        raise Invalid({"": f"a file has at most {LARGEST:,} bytes"})
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise Invalid({"": "the file refers to itself (*name), which is not taken"})
        read = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise Invalid({"": f"this is not YAML: {error}"}) from None
    except RecursionError:
        raise Invalid({"": "this is nested too deeply for a file of filters"}) from None
    given = read.get("filters") if isinstance(read, dict) else None
    if not isinstance(given, list) or not given:
        raise Invalid({"": "the file has no list `filters:`"})
    if len(given) > MOST:
        raise Invalid({"": f"the file has {len(given)} filters; at most {MOST} are taken at once"})
    entries, faults = [], {}
    for number, each in enumerate(given, 1):
        try:
            entries.append(_InAFile.model_validate(each))
        except ValidationError as error:
            for problem in error.errors(include_url=False, include_input=False):
                no_fields = problem["type"] == "model_type"
                said = "has no fields such as name and adql" if no_fields else problem["msg"]
                faults[".".join([f"filter {number}", *map(str, problem["loc"])])] = said
    if faults:
        raise Invalid(faults)
    return entries


def _made(user: User, entry: _InAFile) -> Filter:
    for field, value in _texts(entry):
        if "\0" in value or (not value.isascii() and value != value.encode(errors="ignore").decode()):
            raise Invalid({field: "holds a character that no text has"})
    rule = entry.renotify
    renotify = Renotify.AGAIN if rule.days is not None or rule.columns else Renotify.EVERY
    wording = Wording(
        adql=entry.adql,
        selected=entry.selected,
        tables=entry.tables if entry.selected else "",
        conditions=entry.conditions,
        trigger=entry.trigger,
        renotify=Renotify.ONCE if rule.once else renotify,
        renotify_days=rule.days,
        renotify_columns=list(rule.columns),
        parameters=_parameters(entry),
    )
    return services.create(
        user,
        services.free_name(user, entry.name.strip()),
        wording,
        description=entry.description,
        comment=entry.comment,
    )


def _parameters(entry: _InAFile) -> tuple[Parameter, ...]:
    try:
        return tuple(each.parameter() for each in entry.parameters)
    except QueryError as error:
        raise Invalid({"parameters": str(error)}) from None


def _texts(entry: _InAFile) -> Iterator[tuple[str, str]]:
    for name, value in entry.model_dump().items():
        if isinstance(value, str):
            yield name, value
    yield from (("renotify", column) for column in entry.renotify.columns)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as they are."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)
