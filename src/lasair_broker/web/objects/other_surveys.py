"""Pictures of other surveys, from a server that the operator allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

_SURVEYS = (
    ("Legacy Surveys DR10", "CDS/P/DESI-Legacy-Surveys/DR10/color", -90.0, 90.0),
    ("Pan-STARRS DR1", "CDS/P/PanSTARRS/DR1/color-i-r-g", -31.0, 90.0),
    ("Dark Energy Survey DR2", "CDS/P/DES-DR2/ColorIRG", -67.0, 6.0),
    ("SDSS", "CDS/P/SDSS9/color", -12.0, 75.0),
    ("2MASS", "CDS/P/2MASS/color", -90.0, 90.0),
    ("DSS2", "CDS/P/DSS2/color", -90.0, 90.0),
)
"""Name, HiPS, and the declinations between which it has images."""

_FIELD = 1.0 / 60.0
_PIXELS = 240


@dataclass(frozen=True, slots=True)
class OtherSurvey:
    """A picture elsewhere: `image` is its address, "" if no server is allowed; `page` is a viewer's."""

    name: str
    image: str
    page: str


def other_surveys(
    place: Mapping[str, float], service: str, field: float = _FIELD, pixels: int = _PIXELS
) -> list[OtherSurvey]:
    """Pictures of the surveys that may have some of a place (ra, decl in degrees, ICRS).

    Parameters
    ----------
    service
        The address of a service that answers as CDS's hips2fits; "" for none.
    field, pixels
        Degrees and pixels along a side.
    """
    found = []
    for name, hips, south, north in _SURVEYS:
        if not south <= place["decl"] <= north:
            continue
        asked = {
            "hips": hips,
            "ra": f"{place['ra']:.6f}",
            "dec": f"{place['decl']:.6f}",
            "fov": f"{field:.6f}",
            "width": pixels,
            "height": pixels,
            "projection": "TAN",
            "format": "jpg",
        }
        viewer = {"target": f"{place['ra']:.6f} {place['decl']:.6f}", "fov": f"{field:.4f}", "survey": hips}
        found.append(
            OtherSurvey(
                name=name,
                image=f"{service}?{urlencode(asked)}" if service else "",
                page=f"https://aladin.cds.unistra.fr/AladinLite/?{urlencode(viewer)}",
            )
        )
    return found
