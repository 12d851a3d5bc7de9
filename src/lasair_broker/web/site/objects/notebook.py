"""An object as a notebook, made of calls of our client."""

from __future__ import annotations

import orjson
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from lasair_broker.web.objects.head import state_of

_START = """import os

from lasair_broker.client import Lasair

# A token is made on your account's page; without one you see what is public.
lasair = Lasair(os.environ.get("LASAIR_ADDRESS", "{site}"), os.environ.get("LASAIR_TOKEN"))
number = {number}"""

_STATE = """state = lasair.object(number)
print(state["objectName"], state["ra"], state["decl"])"""

_CURVE = """detections = lasair.light_curve(number).to_pandas()
forced = lasair.light_curve(number, "diaForcedSources").to_pandas()
detections[["midpointMjdTai", "band", "psfFlux", "psfFluxErr", "reliability"]]"""

_PLOT = """import matplotlib.pyplot as plt

colours = {"u": "#1600ea", "g": "#31de1f", "r": "#b52626", "i": "#370201", "z": "#ba52ff", "y": "#61a2b3"}
figure, axis = plt.subplots(figsize=(9, 4.5), layout="constrained")
for rows, marker in ((forced, "."), (detections, "o")):
    for band, some in rows.groupby("band"):
        label = band if marker == "o" else None
        axis.errorbar(some.midpointMjdTai, some.psfFlux, some.psfFluxErr, fmt=marker, color=colours.get(band),
                      alpha=0.4 if marker == "." else 1.0, label=label)
axis.set(xlabel="MJD (TAI)", ylabel="difference flux (nJy)")
axis.legend();"""

_AROUND = """lasair.query(f\"\"\"
    SELECT catalogue_table_name, catalogue_object_id, separationArcsec, z, photoZ
    FROM sherlock_crossmatches WHERE diaObjectId = {number} ORDER BY rank
\"\"\").to_pandas()"""


@require_safe
def notebook(request: HttpRequest, key: str) -> HttpResponse:
    """A notebook that fetches and draws what the page shows."""
    row = state_of(key, ("diaObjectId", "objectName"))
    site = f"{request.scheme}://{request.get_host()}"
    name = row["objectName"] or str(row["diaObjectId"])
    start = _START.format(site=site, number=row["diaObjectId"])
    cells = [
        _cell(0, "markdown", f"# {name}\n\nFrom {site}/objects/{row['diaObjectId']}/"),
        *(_cell(at, "code", text) for at, text in enumerate((start, _STATE, _CURVE, _PLOT, _AROUND), 1)),
    ]
    content = {
        "cells": cells,
        "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    response = HttpResponse(
        orjson.dumps(content, option=orjson.OPT_INDENT_2), content_type="application/x-ipynb+json"
    )
    response["Content-Disposition"] = f'attachment; filename="lasair-{row["diaObjectId"]}.ipynb"'
    return response


def _cell(at: int, kind: str, text: str) -> dict[str, object]:
    cell: dict[str, object] = {"cell_type": kind, "id": f"c{at}", "metadata": {}, "source": text}
    return cell if kind == "markdown" else cell | {"execution_count": None, "outputs": []}
