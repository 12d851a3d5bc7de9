"""Packed designations of the Minor Planet Center."""

from __future__ import annotations

import re

__all__ = ["unpacked_designation"]

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PROVISIONAL = re.compile(r"([IJK])(\d\d)([A-HJ-Y])([0-9A-Za-z])(\d)([A-HJ-Z])", re.ASCII)
_SURVEY = re.compile(r"(PL|T[123])S(\d{4})", re.ASCII)
_NUMBER = re.compile(r"([0-9A-Za-z])(\d{4})", re.ASCII)
_HIGH_NUMBER = re.compile(r"~([0-9A-Za-z]{4})", re.ASCII)


def unpacked_designation(packed: str) -> str:
    """The readable form of a packed minor-planet designation, as the Minor Planet Center defines packing.

    "K08D13Y" is "2008 DY13", "J95X00A" "1995 XA", "PLS2040" "2040 P-L", "00433" "433", "~0000" "620000".
    What is not a packed designation is returned as it is.
    """
    text = packed.strip()
    match = _PROVISIONAL.fullmatch(text)
    if match:
        century, year, half_month, tens, ones, second = match.groups()
        count = _BASE62.index(tens) * 10 + int(ones)
        return f"{'IJK'.index(century) + 18}{year} {half_month}{second}{count or ''}"
    match = _SURVEY.fullmatch(text)
    if match:
        return f"{match[2]} {match[1][0]}-{match[1][1]}"
    match = _NUMBER.fullmatch(text)
    if match:
        return str(_BASE62.index(match[1]) * 10_000 + int(match[2]))
    match = _HIGH_NUMBER.fullmatch(text)
    if match:
        number = 0
        for digit in match[1]:
            number = number * 62 + _BASE62.index(digit)
        return str(620_000 + number)
    return packed
