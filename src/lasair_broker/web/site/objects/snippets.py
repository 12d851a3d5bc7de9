"""Lines of code that fetch what a page shows."""

from __future__ import annotations

from lasair_broker.web.objects.head import Head


def snippets(head: Head, site: str) -> list[tuple[str, str, str]]:
    """Name, language and text of each.

    Parameters
    ----------
    site
        The address of this site, without a slash at the end.
    """
    number, place = head.row["diaObjectId"], head.place
    python = f'''from lasair_broker.client import Lasair

lasair = Lasair("{site}", "YOUR TOKEN")
detections = lasair.light_curve({number}).to_pandas()
print(detections[["midpointMjdTai", "band", "psfFlux", "psfFluxErr"]])'''
    classic = f'''import lasair

L = lasair.lasair_client("YOUR TOKEN", endpoint="{site}/api")
print(L.object("{number}", lite=True, lasair_added=True))'''
    curl = (
        f"curl -H 'Authorization: Token YOUR TOKEN' '{site}/api/v1/objects/{number}/lightcurve/?format=csv'"
    )
    adql = (
        "SELECT diaSources.midpointMjdTai, diaSources.band, diaSources.psfFlux, diaSources.psfFluxErr\n"
        f"FROM diaSources WHERE diaSources.diaObjectId = {number}\nORDER BY diaSources.midpointMjdTai"
    )
    cone = (
        "SELECT diaObjectId, objectName, DISTANCE(ra, decl, "
        f"{place.ra:.6f}, {place.decl:.6f}) * 3600 AS arcsec\nFROM objects\n"
        f"WHERE CONTAINS(POINT(ra, decl), CIRCLE({place.ra:.6f}, {place.decl:.6f}, 5.0 / 3600)) = 1"
    )
    return [
        ("Python", "python", python),
        ("Python, today's client", "python", classic),
        ("curl", "shell", curl),
        ("ADQL: its detections", "sql", adql),
        ("ADQL: what lies near it", "sql", cone),
    ]
