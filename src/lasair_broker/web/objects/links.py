"""Links from an object to what others know of its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

_EVERYWHERE = {
    "SIMBAD": "https://simbad.cds.unistra.fr/simbad/sim-coo?Coord={ra}+{decl}&Radius=30&Radius.unit=arcsec",
    "NED": "https://ned.ipac.caltech.edu/conesearch?search_type=Near%20Position%20Search"
    "&ra={ra}d&dec={decl}d&radius=0.5&in_csys=Equatorial&in_equinox=J2000",
    "VizieR": "https://vizier.cds.unistra.fr/viz-bin/VizieR-4?-c={ra}+{decl}&-c.rs=10",
    "Aladin Lite": "https://aladin.cds.unistra.fr/AladinLite/?target={ra}%20{decl}&fov=0.03",
    "Legacy Surveys": "https://www.legacysurvey.org/viewer?ra={ra}&dec={decl}&layer=ls-dr10&zoom=16"
    "&mark={ra},{decl}",
    "Pan-STARRS": "https://ps1images.stsci.edu/cgi-bin/ps1cutouts?pos={ra}+{decl}&filter=color",
    "TNS": "https://www.wis-tns.org/search?ra={ra}&decl={decl}&radius=5&coords_unit=arcsec",
}
_OF_SURVEY = {
    "ztf": {
        "ALeRCE": "https://alerce.online/object/{objectName}",
        "Fink": "https://ztf.fink-portal.org/{objectName}",
        "Lasair-ZTF": "https://lasair-ztf.lsst.ac.uk/objects/{objectName}/",
    },
    "lsst": {
        "ALeRCE": "https://lsst.alerce.online/object/{diaObjectId}",
        "Fink": "https://lsst.fink-portal.org/{diaObjectId}",
    },
}


def links_of(known: Mapping[str, Any], configured: Mapping[str, str]) -> list[tuple[str, str]]:
    """Name and address of each link of an object.

    Parameters
    ----------
    known
        Columns of `objects`: ra, decl, survey, diaObjectId, objectName, tns_name.
    configured
        Links of the installation: addresses with {ra}, {decl}, {diaObjectId}, {objectName} in them. One with
        the name of a link of ours replaces it; an empty address removes it.
    """
    templates = {**_OF_SURVEY.get(known["survey"], {}), **_EVERYWHERE}
    if known.get("tns_name"):
        templates["TNS"] = "https://www.wis-tns.org/object/{tns_name}"
    templates |= configured
    values = {
        "ra": f"{known['ra']:.6f}",
        "decl": f"{known['decl']:.6f}",
        "diaObjectId": str(known["diaObjectId"]),
        "objectName": quote(known.get("objectName") or str(known["diaObjectId"]), safe=""),
        "tns_name": quote(known.get("tns_name") or "", safe=""),
    }
    return [(name, _filled(text, values)) for name, text in templates.items() if text]


def _filled(template: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", value)
    return template
