"""A finding chart to print or to take to a telescope: PNG or PDF."""

from __future__ import annotations

import io
import math
import threading
from typing import Any, Literal

from lasair_broker.context import tangent_offset
from lasair_broker.sky import sexagesimal
from lasair_broker.web.objects.backgrounds import Background
from lasair_broker.web.objects.finding_chart import Chart, Mark
from lasair_broker.web.objects.places import Place

Kind = Literal["png", "pdf"]
MEDIA: dict[str, str] = {"png": "image/png", "pdf": "application/pdf"}

_OBJECT, _HOST, _MATCH, _NEIGHBOUR = "#b8430b", "#0a7d4f", "#0b5cad", "#666666"
_COLOURS = {"host": _HOST, "match": _MATCH, "neighbour": _NEIGHBOUR}
_LISTED = 8
_HALO = 2.5
_SAME = 0.012
"""Of the field: nearer to the object than that nothing is marked."""

_drawing = threading.Lock()  # matplotlib is not made for several threads


def draw(chart: Chart, background: Background | None, drawn_at: str, kind: Kind) -> bytes:
    """The chart with its crosshair, arrows to north and east, scale bar, and what is near with offsets.

    Parameters
    ----------
    background
        What is shown behind; None: a field without an image, with what catalogues have in it.
    drawn_at
        The date, for the foot.
    """
    from matplotlib.figure import Figure

    with _drawing:
        figure = Figure(figsize=(7.0, 8.6))
        axes = figure.add_axes((0.12, 0.27, 0.82, 0.667))
        _field(axes, chart, background)
        numbered = _marks(axes, chart)
        _signs(axes, chart)
        place = Place(chart.ra, chart.decl)
        _write(figure, 0.5, 0.972, chart.name, size=15, weight="bold", ha="center")
        head = f"{place.sexagesimal}    {place.degrees}    (ICRS)"
        _write(figure, 0.5, 0.945, head, size=10, ha="center", family="monospace")
        _table(figure, numbered, chart)
        credit = f"Image: {background.credit}." if background else "No image of this field."
        foot = f"{credit} Field {chart.field:g}″. Drawn {drawn_at} UTC by Lasair."
        _write(figure, 0.05, 0.018, foot, size=8, color="#444444")
        out = io.BytesIO()
        about = {"Title": f"Finding chart of {chart.name}"}
        figure.savefig(out, format=kind, dpi=150, metadata=about)
        return out.getvalue()


def _field(axes: Any, chart: Chart, background: Background | None) -> None:
    """The image, and axes in arcseconds from the object, east to the left."""
    from matplotlib.ticker import MaxNLocator

    half = chart.field / 2.0
    axes.set_facecolor("#eef1f4")
    if background is not None:
        side = background.side / 2.0
        look = {} if background.pixels.ndim == 3 else {"cmap": "gray", "vmin": 0.0, "vmax": 1.0}
        axes.imshow(
            background.pixels,
            extent=(side, -side, -side, side),
            origin="upper",
            interpolation="nearest",
            **look,
        )
    axes.set_xlim(half, -half)
    axes.set_ylim(-half, half)
    axes.set_aspect("equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axis.set_major_formatter("{x:g}")
    axes.set_xlabel("east of the object (″)", parse_math=False)
    axes.set_ylabel("north of the object (″)", parse_math=False)


def _marks(axes: Any, chart: Chart) -> list[tuple[int, Mark]]:
    """Draws what is near; gives those that have a number, the nearest first."""
    from matplotlib.patches import Circle

    nearest = sorted(chart.marks, key=lambda mark: mark.separation)
    for mark in chart.marks:
        east, north = _offset(mark, chart)
        if math.hypot(east, north) < _SAME * chart.field:
            continue  # it is at the object, which shall be seen
        colour = _COLOURS[mark.kind]
        shape = "o" if mark.kind == "neighbour" else "s"
        axes.plot(east, north, shape, ms=11, mfc="none", mec="white", mew=3.2)
        axes.plot(east, north, shape, ms=11, mfc="none", mec=colour, mew=1.4)
        if mark.radius:
            radius = mark.radius * chart.field / chart.side
            axes.add_patch(Circle((east, north), radius, fill=False, ec=colour, ls="--", lw=1.0))
    numbered = list(enumerate(nearest[:_LISTED], 1))
    for number, mark in numbered:
        if math.hypot(*_offset(mark, chart)) < _SAME * chart.field:
            continue
        axes.annotate(
            str(number),
            _offset(mark, chart),
            (9, 7),
            textcoords="offset points",
            color=_COLOURS[mark.kind],
            fontsize=10,
            fontweight="bold",
            path_effects=_halo(),
        )
    return numbered


def _signs(axes: Any, chart: Chart) -> None:
    """Crosshair, arrows and scale bar."""
    half = chart.field / 2.0
    near, far = 0.05 * half, 0.16 * half
    for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        line = ([x * near, x * far], [y * near, y * far])
        axes.plot(*line, color="white", lw=4.0, solid_capstyle="butt")
        axes.plot(*line, color=_OBJECT, lw=2.0, solid_capstyle="butt")
    corner, arm = 0.88 * half, 0.22 * half
    arrow = {"arrowstyle": "-|>", "color": "black", "lw": 1.4, "path_effects": _halo()}
    for letter, tip in (("N", (-corner, corner)), ("E", (-corner + arm, corner - arm))):
        axes.annotate("", tip, (-corner, corner - arm), arrowprops=arrow)
        away = (tip[0], tip[1] + 0.02 * half) if letter == "N" else (tip[0] + 0.03 * half, tip[1])
        align = {"ha": "center", "va": "bottom"} if letter == "N" else {"ha": "right", "va": "center"}
        axes.text(*away, letter, fontsize=12, fontweight="bold", path_effects=_halo(), **align)
    length = chart.bar * chart.field / chart.side
    start, low = 0.92 * half, -0.92 * half
    axes.plot([start, start - length], [low, low], color="white", lw=5.0, solid_capstyle="butt")
    axes.plot([start, start - length], [low, low], color="black", lw=2.5, solid_capstyle="butt")
    middle = start - length / 2.0
    axes.text(middle, low + 0.03 * half, chart.bar_label, ha="center", va="bottom", path_effects=_halo())


def _table(figure: Any, numbered: list[tuple[int, Mark]], chart: Chart) -> None:
    """The numbered ones, each with what to move by from it to the object."""
    if not numbered:
        _write(figure, 0.05, 0.19, "Nothing else is known in this field.", size=9)
        return
    heads = (
        (0.05, "what is near"), (0.46, "right ascension, declination"), (0.74, "from it to the object"),
    )  # fmt: skip
    for x, text in heads:
        _write(figure, x, 0.205, text, size=8, weight="bold")
    for line, (number, mark) in enumerate(numbered):
        y = 0.187 - 0.0185 * line
        east, north = _offset(mark, chart)
        place = f"{sexagesimal(mark.ra / 15.0, 2)} {sexagesimal(mark.decl, 1, sign=True)}"
        colour = _COLOURS[mark.kind]
        name = f"{number}  {mark.name}: {mark.about}{' (host)' if mark.kind == 'host' else ''}"
        _write(figure, 0.05, y, name if len(name) < 58 else f"{name[:56]}…", size=7, color=colour)
        _write(figure, 0.46, y, place, size=7.5, family="monospace")
        _write(figure, 0.74, y, moved(-east, -north), size=7.5, family="monospace")


def moved(east: float, north: float) -> str:
    """A move on the sky as observers say it: 12.34″ E 0.56″ S."""
    along = f"{abs(east):7.2f}″ {'E' if east >= 0.0 else 'W'}"
    return f"{along} {abs(north):7.2f}″ {'N' if north >= 0.0 else 'S'}"


def _offset(mark: Mark, chart: Chart) -> tuple[float, float]:
    east, north = tangent_offset(mark.ra, mark.decl, chart.ra, chart.decl)
    return float(east), float(north)


def _write(figure: Any, x: float, y: float, text: str, **look: Any) -> None:
    """Text as it is: names may have the signs by which matplotlib knows formulae."""
    figure.text(x, y, text, parse_math=False, **look)


def _halo() -> list[Any]:
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=_HALO, foreground="white")]
