"""What was looked at over time, as a picture that is part of the page."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from lasair_broker.web.messenger_coverage import Night

__all__ = ["coverage_chart"]

_WIDTH, _HEIGHT = 480, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 10, 40


def coverage_chart(nights: Sequence[Night]) -> SafeString:
    """Bars for each day, and a line of what was looked at until then, in per cent of the probability."""
    width = (_WIDTH - _LEFT - _RIGHT) / len(nights)

    def x(day: float) -> str:
        return f"{_LEFT + day * width:.1f}"

    def y(share: float) -> float:
        return _TOP + (1.0 - share) * (_HEIGHT - _TOP - _BOTTOM)

    grid = [
        (f"{y(share):.1f}", f"{y(share) + 4:.1f}", f"{100 * share:.0f}")
        for share in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    bars = [
        (
            x(night.day - 0.85),
            f"{y(night.that_day):.1f}",
            f"{0.7 * width:.1f}",
            f"{y(0.0) - y(night.that_day):.1f}",
        )
        for night in nights
    ]
    line = " ".join(
        f"{x(night.day - 1)},{y(night.so_far):.1f} {x(night.day)},{y(night.so_far):.1f}" for night in nights
    )
    label = (
        f"Share of the probability looked at by us: {nights[0].so_far_percent:.1f} per cent on the "
        f"first day, {nights[-1].so_far_percent:.1f} per cent within {nights[-1].day} days"
    )
    return format_html(
        '<svg class="coverage-chart" viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>{}{}'
        '<polyline points="{}"/>{}<text class="axis" x="{}" y="{}">days after the event</text>'
        '<text class="axis" transform="translate(12 {}) rotate(-90)">per cent</text></svg>',
        _WIDTH, _HEIGHT, label, label,
        format_html_join(
            "", '<line x1="{}" x2="{}" y1="{}" y2="{}"/><text class="tick" x="{}" y="{}">{}</text>',
            ((_LEFT, _WIDTH - _RIGHT, at, at, _LEFT - 6, below, text) for at, below, text in grid),
        ),
        format_html_join("", '<rect x="{}" y="{}" width="{}" height="{}"/>', bars),
        line,
        format_html_join(
            "", '<text class="day" x="{}" y="{}">{}</text>',
            ((x(night.day - 0.5), _HEIGHT - _BOTTOM + 15, night.day) for night in nights),
        ),
        (_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 6, (_TOP + _HEIGHT - _BOTTOM) / 2,
    )  # fmt: skip
