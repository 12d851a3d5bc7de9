"""Pages of the catalogues that say what stands at a place."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from lasair_broker.web.context import catalogues_in_use
from lasair_broker.web.errors import NotFound
from lasair_broker.web.site.all_sky import Picture, density
from lasair_broker.web.site.contents import ListedRows, shown
from lasair_broker.web.site.tables import Column

_COVERAGE_ORDER = 4
_CELLS = 12 * 4**_COVERAGE_ORDER

_CATALOGUES = (
    Column("name", "Name", sortable=True, template="site/sky/_catalogue_name.html"),
    Column("kind", "Sources are", sortable=True),
    Column("rows", "Rows", numeric=True, sortable=True, template="site/sky/_count.html"),
    Column("coverage", "Of the sky", "%", numeric=True, digits=3, sortable=True),
    Column(
        "quality", "Trust", numeric=True, sortable=True, description="The higher counts where they differ."
    ),
    Column("licence", "Licence", sortable=True),
    Column("state", "State", sortable=True, template="site/sky/_state.html"),
)
_COLUMNS = (
    Column("name", "Column", sortable=True),
    Column("unit", "Unit", sortable=True),
    Column("type", "Type", sortable=True),
    Column("source", "From", sortable=True),
)


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The catalogues that are loaded."""
    loaded = catalogues_in_use()
    rows = []
    for name, state in sorted(loaded.states.items()):
        held = loaded.get(name)
        about = held.description if held is not None else None
        rows.append(
            {
                "name": name,
                "title": about.title if about else "",
                "kind": about.kind if about else "",
                "rows": state.rows,
                "coverage": 100.0 * float((held.counts(_COVERAGE_ORDER) > 0).mean()) if held else None,
                "quality": about.quality if about else None,
                "licence": about.licence if about else "",
                "state": state.state,
                "message": state.message,
            }
        )
    table = shown(
        request,
        "t",
        _CATALOGUES,
        ListedRows(rows, _CATALOGUES),
        caption="Catalogues",
        sort="name",
        empty="No catalogue is loaded. An operator imports them.",
    )
    return render(request, "site/sky/catalogues.html", {"table": table})


@require_safe
def page(request: HttpRequest, name: str) -> HttpResponse:
    """A catalogue: what it is, what it covers, whom to cite."""
    loaded = catalogues_in_use()
    held = loaded.get(name)
    if held is None:
        raise NotFound(f"no catalogue {name} is loaded")
    counts = held.counts(_COVERAGE_ORDER)
    covered = int((counts > 0).sum())
    mappings = held.description.mappings()
    columns = [
        {
            "name": field.name,
            "unit": (field.metadata or {}).get(b"unit", b"").decode(),
            "type": str(field.type),
            "source": " or ".join(mappings[field.name].value) if field.name in mappings else "",
        }
        for field in held.schema
    ]
    context = {
        "catalogue": held,
        "about": held.description,
        "details": held.details,
        "rows": len(held),
        "coverage": 100.0 * covered / _CELLS,
        "densest": float(counts.max()) / (41252.96 / _CELLS),
        "picture": Picture(
            label=f"The sky with the density of {name}: it covers {100.0 * covered / _CELLS:.3g} per cent",
            regions=density(counts),
        ),
        "table": shown(
            request,
            "columns",
            _COLUMNS,
            ListedRows(columns, _COLUMNS),
            caption="Columns",
            sort="name",
            size=100,
            empty="It has only positions.",
        ),
    }
    return render(request, "site/sky/catalogue.html", context)
