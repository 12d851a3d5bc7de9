"""Photometry as the services of other surveys give it, recognized by the headers.

ZTF's forced photometry (Masci et al. 2023, arXiv:2305.16279), ATLAS' (Shingles et al. 2021, TNS AstroNote
2021-7), ASAS-SN's Sky Patrol (Hart et al. 2023, arXiv:2304.03791), the light curves of ZTF's data releases
as IRSA gives them and Pan-STARRS' detections of DR2 (Flewelling et al. 2020, ApJS 251, 7) as MAST does. What
they themselves mark as bad is left out, and counted.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from lasair_broker.web.errors import Invalid
from lasair_broker.web.photometry.rows import MOST_POINTS, read_csv

_Row = dict[str, str]

_JD_OF_MJD = 2_400_000.5
_DAY = 86_400.0
_ZERO_POINT = 31.4  # of AB magnitudes of fluxes in nJy
_ZTF_BAD = 33_554_432
"""From this bit of `infobitssci` on the science image is bad (section 6.1 of its guide)."""

_ZTF_NEEDED = ("filter", "jd", "exptime", "zpdiff", "forcediffimflux", "forcediffimfluxunc")
_ATLAS_NEEDED = ("MJD", "uJy", "duJy", "F", "err")
_ASASSN_NEEDED = ("JD", "Flux", "Flux Error", "Filter")
_IRSA_NEEDED = ("mjd", "mag", "magerr", "catflags", "filtercode", "exptime")
_IRSA_BAD = 32_768
"""The bit of `catflags` of an epoch that is not to be used (section 9 of the data releases' documents)."""
_PANSTARRS_NEEDED = ("filterID", "obsTime", "psfFlux", "psfFluxErr", "psfQfPerfect")
_PANSTARRS_BANDS = {"1": "g", "2": "r", "3": "i", "4": "z", "5": "y"}
_PANSTARRS_GOOD = 0.9
"""Of `psfQfPerfect`, the weighted part of a point source's pixels that is not masked; less is left out."""


@dataclass(frozen=True, slots=True)
class File:
    """The rows of a file.

    Attributes
    ----------
    kind
        What it was taken for; "" if it has our own columns.
    rows
        Each with its place ("line 7"), by our columns.
    left_out
        Rows that the service marks as bad or gives no flux in.
    """

    kind: str
    rows: list[tuple[str, _Row]]
    left_out: int = 0


def read_file(data: bytes) -> File:
    """The rows of a file of another survey, or of CSV with our own columns (`rows.read_csv`).

    Raises
    ------
    Invalid
        If it is neither, or a line is not as its header says.
    """
    found = read_service(data)
    if found is None:
        return File("", read_csv(data))
    if not found.rows:
        what = f", only {found.left_out:,} that it marks as bad" if found.left_out else ""
        raise Invalid({"file": f"has no points{what} ({found.kind})"})
    if len(found.rows) > MOST_POINTS:
        raise Invalid({"file": f"has more than {MOST_POINTS:,} rows; send it in parts"})
    return found


def read_service(data: bytes) -> File | None:
    """The rows of what a survey's service gives, be they none or many; None if it is of no service.

    Raises
    ------
    Invalid
        If it is no text, or a line is not as its header says.
    """
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise Invalid({"file": f"is not text in UTF-8: byte {error.start}"}) from None
    readers = (_ztf, _atlas, _asassn, _irsa, _panstarrs)
    return next((found for reader in readers if (found := reader(lines)) is not None), None)


def _ztf(lines: list[str]) -> File | None:
    """ZTF's service: names with commas, values between spaces, fluxes in units of `zpdiff`, the time of an
    exposure that of its beginning."""

    def row(given: _Row) -> _Row | None:
        flux, error = _number(given["forcediffimflux"]), _number(given["forcediffimfluxunc"])
        zero_point, jd, exposed = (_number(given[name]) for name in ("zpdiff", "jd", "exptime"))
        if flux is None or error is None or zero_point is None or jd is None or exposed is None:
            return None
        if error <= 0.0 or int(float(given.get("infobitssci", "0"))) >= _ZTF_BAD:
            return None
        scale = 10.0 ** (0.4 * (_ZERO_POINT - zero_point))
        return {
            "mjd": repr(jd - _JD_OF_MJD + exposed / 2.0 / _DAY),
            "band": given["filter"].removeprefix("ZTF_"),
            "value": repr(flux * scale),
            "error": repr(error * scale),
            "unit": "nJy",
            "instrument": "ZTF",
        }

    place = next((i for i, line in enumerate(lines) if re.match(r"\s*index,\s*field,", line)), None)
    if place is None:
        return None
    names = [name.strip() for name in lines[place].rstrip(" ,").split(",")]
    return _file("ZTF forced photometry", names, _ZTF_NEEDED, _spaced(lines, place), row)


def _atlas(lines: list[str]) -> File | None:
    """ATLAS' service: values between spaces, fluxes in µJy; `err` is not 0 where the fit failed."""

    def row(given: _Row) -> _Row | None:
        if given["err"] != "0" or _number(given["uJy"]) is None or (_number(given["duJy"]) or 0.0) <= 0.0:
            return None
        return {
            "mjd": given["MJD"],
            "band": given["F"],
            "value": given["uJy"],
            "error": given["duJy"],
            "unit": "uJy",
            "instrument": "ATLAS",
        }

    place = next((i for i, line in enumerate(lines) if re.match(r"#*\s*MJD\s+m\s+dm\s+uJy", line)), None)
    if place is None:
        return None
    names = lines[place].lstrip("# ").split()
    return _file("ATLAS forced photometry", names, _ATLAS_NEEDED, _spaced(lines, place), row)


def _asassn(lines: list[str]) -> File | None:
    """ASAS-SN's Sky Patrol: CSV, fluxes in mJy; `Quality` is B where the image is bad."""

    def row(given: _Row) -> _Row | None:
        jd, flux, error = (_number(given[name]) for name in ("JD", "Flux", "Flux Error"))
        if (
            jd is None
            or flux is None
            or error is None
            or not 0.0 < error < 99.0
            or given.get("Quality") == "B"
        ):
            return None
        return {
            "mjd": repr(jd - _JD_OF_MJD),
            "band": given["Filter"],
            "value": given["Flux"],
            "error": given["Flux Error"],
            "unit": "mJy",
            "instrument": "ASAS-SN",
        }

    return _csv("ASAS-SN Sky Patrol", lines, r"#?\s*JD,\s*Flux,\s*Flux Error", _ASASSN_NEEDED, row)


def _irsa(lines: list[str]) -> File | None:
    """ZTF's data releases at IRSA: CSV, magnitudes (AB) of the source, not of a difference; the time that of
    the shutter's opening, UTC."""

    def row(given: _Row) -> _Row | None:
        mjd, mag, error, exposed = (_number(given[name]) for name in ("mjd", "mag", "magerr", "exptime"))
        if mjd is None or mag is None or error is None or exposed is None or error <= 0.0:
            return None
        if int(given["catflags"]) & _IRSA_BAD:
            return None
        return {
            "mjd": repr(mjd + exposed / 2.0 / _DAY),
            "band": given["filtercode"].removeprefix("z"),
            "value": given["mag"],
            "error": given["magerr"],
            "unit": "mag(AB)",
            "instrument": "ZTF",
        }

    return _csv("ZTF light curves at IRSA", lines, r"oid,\s*expid,\s*hjd,\s*mjd,", _IRSA_NEEDED, row)


def _panstarrs(lines: list[str]) -> File | None:
    """Pan-STARRS' detections at MAST: CSV, fluxes of the source in Jy, -999 where there is none; the time
    that of the middle of the exposure, TAI."""

    def row(given: _Row) -> _Row | None:
        flux, error, good = (_number(given[name]) for name in ("psfFlux", "psfFluxErr", "psfQfPerfect"))
        if flux is None or error is None or good is None or flux == -999.0:
            return None
        if error <= 0.0 or good < _PANSTARRS_GOOD:
            return None
        return {
            "mjd": given["obsTime"],
            "scale": "tai",
            "band": _PANSTARRS_BANDS.get(given["filterID"], given["filterID"]),
            "value": given["psfFlux"],
            "error": given["psfFluxErr"],
            "unit": "Jy",
            "instrument": "Pan-STARRS1",
        }

    header = r"(?=.*\bfilterID\b)(?=.*\bobsTime\b)(?=.*\bpsfFlux\b)[^#]*$"
    return _csv("Pan-STARRS DR2 detections", lines, header, _PANSTARRS_NEEDED, row)


def _csv(
    kind: str, lines: list[str], header: str, needed: Iterable[str], row: Callable[[_Row], _Row | None]
) -> File | None:
    place = next((i for i, line in enumerate(lines) if re.match(header, line)), None)
    if place is None:
        return None
    names = [name.strip() for name in lines[place].lstrip("# ").split(",")]
    rest = ((i, line) for i, line in enumerate(lines[place + 1 :], place + 2) if _has_values(line))
    values = ((i, [value.strip() for value in next(csv.reader([line]))]) for i, line in rest)
    return _file(kind, names, needed, values, row)


def _file(
    kind: str,
    names: list[str],
    needed: Iterable[str],
    lines: Iterable[tuple[int, list[str]]],
    row: Callable[[_Row], _Row | None],
) -> File:
    missing = [name for name in needed if name not in names]
    if missing:
        raise Invalid({"header": f"is that of {kind}, but has no column {', '.join(missing)}"})
    found, left_out = [], 0
    for number, values in lines:
        if len(values) != len(names):
            raise Invalid({f"line {number}": f"has {len(values)} values, the header {len(names)} ({kind})"})
        try:
            made = row(dict(zip(names, values, strict=True)))
        except ValueError as error:
            raise Invalid({f"line {number}": f"cannot be read: {error} ({kind})"}) from None
        if made is None:
            left_out += 1
        else:
            found.append((f"line {number}", made))
    return File(kind, found, left_out)


def _spaced(lines: list[str], header: int) -> Iterator[tuple[int, list[str]]]:
    """The values of the lines after the header, with their numbers."""
    return ((i, line.split()) for i, line in enumerate(lines[header + 1 :], header + 2) if _has_values(line))


def _has_values(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _number(text: str) -> float | None:
    """None for what says that there is no number."""
    if text.lower() in ("null", "nan", "none", ""):
        return None
    value = float(text)
    return value if math.isfinite(value) else None
