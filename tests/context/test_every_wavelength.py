"""Sources at other wavelengths are listed beside an object, and have no say in what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from made_up_sky import RULES, catalogue, loader, shifted

from lasair_broker.context import ContextError, classify, read_rules
from lasair_broker.context.catalogues import shipped_descriptions

HERE = (150.0, 2.0)
WITH_RADIO = {
    **RULES,
    "views": RULES["views"] | {"radio": {"catalogue": "radio", "kind": "radio source"}},
    "searches": RULES["searches"]
    | {"radio": {"view": "radio", "radius": 60.0, "errors": 3.0, "crossmatch": True}},
}
STAR = {"mag_G": 18.0}
GALAXY = {"mag_B": 14.5, "major_axis": 80.0, "minor_axis": 40.0, "position_angle": 0.0, "redshift": 0.02}


def near(east: float = 0.0, north: float = 0.0, **more: Any) -> dict[str, Any]:
    ra, decl = shifted(*HERE, east, north)
    return {"ra": ra, "decl": decl, "name": "source", **more}


def said_of(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    said, matches = classify(*HERE, None, loader(folder, WITH_RADIO).current())
    return said.to_pylist()[0], matches.to_pylist()


def test_an_orphan_with_a_radio_source_stays_an_orphan(tmp_path: Path) -> None:
    folder = tmp_path / "catalogues"
    catalogue(folder, "radio", [near(north=4.0, name="loud", position_error=3.0, redshift=1.5)])
    said, (match,) = said_of(folder)
    assert said["classification"] == "ORPHAN"
    assert said["catalogue_object_id"] is None
    assert said["redshift"] is None
    assert "listed" in said["description"]
    assert said["reasons"].startswith("what searches found is only listed")
    assert said["summary"] == "only cross-matches nearby"
    assert (match["catalogue_object_id"], match["catalogue_object_type"]) == ("loud", "radio source")
    assert (match["association_type"], match["classificationReliability"]) == (None, 4)
    assert match["separationArcsec"] == pytest.approx(4.0, abs=1e-3)


@pytest.mark.parametrize(
    "rows", [{"stars": [near(east=1.2, **STAR)]}, {"galaxies": [near(east=9.0, **GALAXY)]}]
)
def test_a_radio_source_changes_nothing_else(tmp_path: Path, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Nor does it make one source of two that lie on its either side."""
    folder = tmp_path / "catalogues"
    for name, some in rows.items():
        catalogue(folder, name, some)
    catalogue(folder, "unclear", [near(east=-0.6)])
    before, matches = said_of(folder)
    catalogue(folder, "radio", [near(east=0.3, name="between", position_error=0.1, mag_G=9.0, redshift=3.0)])
    after, more = said_of(folder)
    assert more[:-1] == matches
    assert more[-1]["catalogue_object_id"] == "between"
    different = {key for key in before if before[key] != after[key]}
    assert different == {"configuration"}


@pytest.mark.parametrize(
    ("north", "error", "found"),
    [
        (8.9, 3.0, True),
        (9.1, 3.0, False),
        (1.2, 0.01, True),  # systematic errors: the synonym radius at least
        (1.4, 0.01, False),
        (59.0, 100.0, True),
        (61.0, 100.0, False),  # the radius at most
        (59.0, None, True),
    ],
)
def test_a_source_is_near_by_its_own_error(
    tmp_path: Path, north: float, error: float | None, found: bool
) -> None:
    folder = tmp_path / "catalogues"
    far = shifted(*HERE, north=3600.0)
    rows = [near(north=north, position_error=error), {"ra": far[0], "decl": far[1], "position_error": 1.0}]
    catalogue(folder, "radio", rows)
    _, matches = said_of(folder)
    assert len(matches) == found


def test_an_orphan_with_nothing_near_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "catalogues"
    catalogue(folder, "radio", [near(north=400.0, name="loud")])
    said, matches = said_of(folder)
    assert (said["classification"], said["summary"]) == ("ORPHAN", "no catalogue source nearby")
    assert said["reasons"].startswith("no search found a source")
    assert matches == []


def test_the_shipped_rules_look_into_every_catalogue_with_a_mapping() -> None:
    """But for the list of TNS, which has a place of its own."""
    assert set(shipped_descriptions()) - set(read_rules().catalogues) == {"tns"}


@pytest.mark.parametrize("more", [{"synonym": "VS"}, {"association": "SN"}, {"host": True}])
def test_a_crossmatch_that_has_a_say_is_an_error(tmp_path: Path, more: dict[str, Any]) -> None:
    searches = {"radio": {"view": "radio", "radius": 5.0, "crossmatch": True, **more}}
    views = {"radio": {"catalogue": "radio", "kind": "radio source"}}
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"name": "of the tests", "views": views, "searches": searches}))
    with pytest.raises(ContextError, match=r"line \d+: searches\.radio: a crossmatch has no say"):
        read_rules(path)
