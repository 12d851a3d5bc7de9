"""Cases in which Sherlock is known to have gone wrong, with made-up sources where the real ones were.

The numbers are of the issues in Sherlock's tracker.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_up_sky import RULES, catalogue, loader, shifted, verdicts

from lasair_broker.context import classify, read_rules

HERE = (150.0, 2.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "catalogues"


def near(east: float = 0.0, north: float = 0.0, **more: Any) -> dict[str, Any]:
    """A source at an offset from HERE."""
    ra, decl = shifted(*HERE, east, north)
    return {"ra": ra, "decl": decl, "name": "source", **more}


SPIRAL = {
    "mag_B": 14.5,
    "major_axis": 80.0,
    "minor_axis": 40.0,
    "position_angle": 0.0,
    "redshift": 0.02,
    "redshift_error": 1e-4,
    "redshift_kind": "spec",
}


def test_167_an_afterglow_far_from_everything_is_an_orphan(folder: Path) -> None:
    """It was called BS, with a text about a galaxy 49″ away."""
    faint = {"mag_B": 18.0, "major_axis": 20.0, "minor_axis": 15.0, "position_angle": 30.0, "redshift": 0.05}
    catalogue(folder, "galaxies", [near(east=49.0, **faint, redshift_kind="spec")])
    catalogue(folder, "stars", [near(north=15.0, mag_G=15.5)])
    (said,) = verdicts(folder, [HERE])
    assert said["classification"] == "ORPHAN"
    assert said["catalogue_object_id"] is None
    assert "galaxy" not in said["description"]
    assert said["hostlessProbability"] > 0.9


CLOUD = {"name": "LMC", "mag_B": 0.9, "major_axis": 38_700.0, "minor_axis": 33_000.0, "position_angle": 170.0}
ANDROMEDA = {
    "name": "M 31", "mag_B": 4.3, "major_axis": 11_400.0, "minor_axis": 3_700.0, "position_angle": 35.0,
}  # fmt: skip
BEHIND = (83.0, -69.0)
"""Within the Large Magellanic Cloud."""


def with_neighbours(folder: Path) -> Any:
    shipped = read_rules()
    told = [neighbour.model_dump() for neighbour in shipped.neighbours]
    wide = {**RULES["searches"]["galaxies"], "radius": 18_000.0}
    return loader(folder, {**RULES, "searches": {**RULES["searches"], "galaxies": wide}, "neighbours": told})


def said_of(folder: Path, *places: tuple[float, float]) -> list[dict[str, Any]]:
    rows, _ = classify(*zip(*places, strict=True), None, with_neighbours(folder).current())
    return list(rows.to_pylist())


def test_what_explodes_far_behind_the_magellanic_cloud_is_not_in_it(folder: Path) -> None:
    """The Cloud covers 78 square degrees, in which thousands of galaxies are seen, most of them in none."""
    ra, decl = shifted(*BEHIND, east=4.0)
    galaxy = {"name": "behind", "mag_B": 17.5, "major_axis": 24.0, "minor_axis": 20.0, "position_angle": 0.0}
    catalogue(
        folder, "galaxies", [{"ra": 80.894, "decl": -69.756, **CLOUD}, {"ra": ra, "decl": decl, **galaxy}]
    )
    behind, alone, centre = said_of(folder, BEHIND, (78.0, -69.2), (80.9, -69.7))
    assert (behind["classification"], behind["catalogue_object_id"]) == ("SN", "behind")
    assert behind["hostProbability"] > 0.9
    assert alone["classification"] == centre["classification"] == "ORPHAN"
    assert alone["hostlessProbability"] > 0.98


def test_a_nova_of_andromeda_may_be_in_it_and_nothing_is_sure(folder: Path) -> None:
    """Its satellite is a piece of it by its light, but a galaxy of 17 mag is one of hundreds behind."""
    near_core, far_out = (
        shifted(10.685, 41.269, east=300.0, north=400.0),
        shifted(10.685, 41.269, north=5600.0),
    )
    ra, decl = shifted(*near_core, east=5.0)
    catalogue(
        folder,
        "galaxies",
        [
            {"ra": 10.685, "decl": 41.269, **ANDROMEDA},
            {"ra": ra, "decl": decl, "name": "behind", "mag_B": 17.0, "major_axis": 24.0},
        ],
    )
    (said, out) = said_of(folder, shifted(*near_core, north=200.0), far_out)
    assert (said["classification"], said["catalogue_object_id"]) == ("SN", "M 31")
    assert 0.2 < said["hostProbability"] < 0.8
    assert out["hostlessProbability"] > 0.9
    (said,) = said_of(folder, near_core)
    assert said["catalogue_object_id"] == "behind"


def test_a_distance_of_the_catalogue_goes_before_all(folder: Path) -> None:
    """A dwarf galaxy as wide as a spiral ten times as far."""
    dwarf = {"mag_B": 12.5, "major_axis": 600.0, "minor_axis": 500.0, "position_angle": 0.0}
    for distance, least, most in ((None, 0.9, 1.0), (40.0, 0.9, 1.0), (0.3, 0.0, 0.1)):
        catalogue(
            folder, "galaxies", [near(east=60.0, **dwarf, **({"distance": distance} if distance else {}))]
        )
        (said,) = said_of(folder, HERE)
        assert least <= (said["hostProbability"] or 0.0) <= most, distance


def test_155_a_supernova_far_from_a_star_is_not_its_glare(folder: Path) -> None:
    catalogue(folder, "stars", [near(east=17.5, mag_G=12.7)])
    (said,) = verdicts(folder, [HERE])
    assert said["classification"] == "ORPHAN"  # 10^(3.7 - 0.2 · 12.7) = 14.5″
    (said,) = verdicts(folder, [shifted(*HERE, east=5.0)])
    assert said["classification"] == "BS"


def test_155_class_and_text_are_of_the_same_match(folder: Path) -> None:
    catalogue(folder, "stars", [near(east=6.0, name="a bright star", mag_G=13.0)])
    catalogue(folder, "galaxies", [near(north=10.0, **{**SPIRAL, "name": "a spiral"})])
    (said,) = verdicts(folder, [HERE])
    assert (said["classification"], said["catalogue_object_id"]) == ("SN", "a spiral")
    assert "a spiral" in said["description"]
    assert "star" not in said["description"]
    assert said["separationArcsec"] == pytest.approx(10.0, abs=1e-3)


@pytest.mark.parametrize("offset", [0.3, 1.2])
def test_116_the_core_of_a_galaxy_is_no_star(folder: Path, offset: float) -> None:
    """Star catalogues list galaxy cores as point sources; a transient there was called VS."""
    catalogue(folder, "galaxies", [near(**{**SPIRAL, "name": "a spiral"})])
    still = {"mag_G": 17.0, "pmra": 0.5, "pmra_error": 0.6, "pmdec": -0.3, "pmdec_error": 0.5}
    catalogue(folder, "stars", [near(east=0.05, **still, parallax=0.1, parallax_error=0.4)])
    (said,) = verdicts(folder, [shifted(*HERE, east=offset)])
    assert (said["classification"], said["catalogue_object_id"]) == ("NT", "a spiral")
    assert "nucleus" in said["reasons"]


def test_129_a_supernova_near_the_core_has_its_galaxy_for_a_host(folder: Path) -> None:
    catalogue(folder, "galaxies", [near(**{**SPIRAL, "redshift": 0.04, "name": "a spiral"})])
    catalogue(folder, "stars", [near(east=0.4, mag_G=18.0)])
    (said,) = verdicts(folder, [shifted(*HERE, east=1.8)])
    assert (said["classification"], said["catalogue_object_id"]) == ("SN", "a spiral")
    assert said["z"] == pytest.approx(0.04)


def test_a_star_that_moves_is_a_star_even_before_a_galaxy(folder: Path) -> None:
    catalogue(folder, "galaxies", [near(**SPIRAL)])
    moving = {"mag_G": 17.0, "pmra": 20.0, "pmra_error": 0.2, "pmdec": -9.0, "pmdec_error": 0.2}
    catalogue(folder, "stars", [near(east=0.1, name="a star", **moving)])
    (said,) = verdicts(folder, [HERE])
    assert (said["classification"], said["catalogue_object_id"]) == ("VS", "a star")


def test_99_a_piece_of_a_galaxy_is_not_the_host(folder: Path) -> None:
    """An HII region that a catalogue lists as a galaxy of its own was picked instead of the galaxy."""
    region = {"name": "a knot", "mag_B": 19.0, "major_axis": 6.0, "minor_axis": 5.0}
    catalogue(
        folder, "galaxies", [near(north=25.0, **{**SPIRAL, "name": "a spiral"}), near(east=1.0, **region)]
    )
    (said,) = verdicts(folder, [HERE])
    assert said["catalogue_object_id"] == said["hostId"] == "a spiral"
    assert "piece" in said["reasons"]


def test_a_small_galaxy_behind_a_large_one_stays_a_galaxy(folder: Path) -> None:
    """What has a redshift of its own that differs is no piece."""
    behind = {"name": "behind", "mag_B": 17.0, "major_axis": 20.0, "minor_axis": 18.0, "redshift": 0.09}
    spiral = {**SPIRAL, "name": "a spiral"}
    catalogue(
        folder, "galaxies", [near(north=35.0, **spiral), near(east=1.6, **behind, redshift_kind="spec")]
    )
    (said,) = verdicts(folder, [HERE])
    assert said["hostId"] == "behind"
    assert said["secondHostId"] == "a spiral"


def test_63_a_galaxy_that_only_one_catalogue_has_is_found(folder: Path) -> None:
    """It was missed, and the object called ORPHAN."""
    catalogue(folder, "galaxies", [])
    small = {"name": "lonely", "mag_r": 17.5, "major_axis": 16.0, "minor_axis": 12.0, "position_angle": 80.0}
    catalogue(folder, "other_galaxies", [near(east=4.0, **small)])
    (said,) = verdicts(folder, [HERE])
    assert (said["classification"], said["catalogue_object_id"]) == ("SN", "lonely")


def test_26_a_faint_galaxy_never_gives_nt(folder: Path) -> None:
    faint = {"mag_r": 21.6, "major_axis": 8.0, "minor_axis": 6.0, "photoz": 0.4, "photoz_error": 0.05}
    catalogue(folder, "other_galaxies", [near(**faint)])
    (said,) = verdicts(folder, [shifted(*HERE, north=0.2)])
    assert said["classification"] != "NT"


def test_303_of_a_star_and_a_core_side_by_side_the_core_wins(folder: Path) -> None:
    catalogue(folder, "galaxies", [near(north=0.4, **{**SPIRAL, "name": "a spiral"})])
    catalogue(folder, "stars", [near(north=-0.3, mag_G=18.5)])
    (said,) = verdicts(folder, [HERE])
    assert (said["classification"], said["catalogue_object_id"]) == ("NT", "a spiral")


def test_305_every_object_of_a_batch_is_classified_the_last_too(folder: Path) -> None:
    """The last of several batches came out all ORPHAN."""
    catalogue(folder, "galaxies", [near(**SPIRAL)])
    many = [shifted(*HERE, east=0.07 * k) for k in range(700)]
    said = verdicts(folder, many)
    expected = ["NT" if 0.07 * k <= 1.3 else "SN" for k in range(700)]
    sure = [k for k in range(700) if abs(0.07 * k - 1.3) > 0.07]
    assert [said[k]["classification"] for k in sure] == [expected[k] for k in sure]


def test_30_a_search_without_magnitudes_matches(folder: Path) -> None:
    """A search that named a magnitude column, in a catalogue without, matched nothing and said nothing."""
    catalogue(folder, "stars", [near(east=0.2, name="no magnitude", mag_G=None)])
    (said,) = verdicts(folder, [HERE])
    assert said["classification"] == "VS"


def test_the_review_of_sherlock_2_asked_for_proper_motion(folder: Path) -> None:
    """Barnard's star, 10.4″ a year, is itself where it stands now, and not where it stood."""
    barnard = {
        "ra": 269.45208, "decl": 4.69339, "name": "Barnard", "mag_G": 8.2,
        "pmra": -801.55, "pmra_error": 0.03, "pmdec": 10362.4, "pmdec_error": 0.04,
    }  # fmt: skip
    catalogue(folder, "stars", [barnard], epoch=2000.0)
    now = 61041.0  # 2026.0
    there = shifted(269.45208, 4.69339, east=-0.80155 * 26.0, north=10.3624 * 26.0)
    said = verdicts(folder, [there, (269.45208, 4.69339)], mjd=now)
    assert [row["classification"] for row in said] == ["HPMS", "ORPHAN"]


def test_unclear_agn_and_cv(folder: Path) -> None:
    places = [HERE, (10.0, -70.0), (200.0, 80.0)]
    for name, (ra, decl) in zip(("unclear", "agn", "cvs"), places, strict=True):
        catalogue(folder, name, [{"ra": ra, "decl": decl, "name": name}])
    said = verdicts(folder, [shifted(*place, north=1.0) for place in places])
    assert [row["classification"] for row in said] == ["UNCLEAR", "AGN", "CV"]
    assert [row["classificationReliability"] for row in said] == [2, 1, 1]


def test_the_synonym_wins_over_a_host_nearby(folder: Path) -> None:
    catalogue(folder, "galaxies", [near(north=15.0, **SPIRAL)])
    catalogue(folder, "cvs", [near(east=0.5, name="a nova")])
    (said,) = verdicts(folder, [HERE])
    assert (said["classification"], said["catalogue_object_id"]) == ("CV", "a nova")
    assert said["hostProbability"] is None
    assert said["redshift"] is None


def test_two_entries_of_one_galaxy_are_not_pieces_of_each_other(folder: Path) -> None:
    """Their magnitudes may differ much, if they are of different bands or apertures."""
    catalogue(folder, "galaxies", [near(north=12.0, **{**SPIRAL, "name": "a spiral", "redshift": None})])
    core = {"name": "its core", "mag_r": 16.5, "redshift": 0.021, "redshift_kind": "spec"}
    catalogue(folder, "other_galaxies", [near(north=14.5, **core)])
    (said,) = verdicts(folder, [HERE])
    assert said["hostId"] == "a spiral"
    assert said["z"] == pytest.approx(0.021)
    assert "piece" not in said["reasons"]


def test_crowded_fields_take_several_rounds(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that memory stays small; the verdicts are the same."""
    region = {"mag_B": 19.0, "major_axis": 6.0, "minor_axis": 5.0}
    spiral = near(north=25.0, **{**SPIRAL, "name": "a spiral"})
    knots = [near(east=k, **{**region, "name": f"knot {k}"}) for k in (-4.0, -1.5, 1.5, 4.0)]
    catalogue(folder, "galaxies", [spiral, *knots])
    places = [shifted(*HERE, east=0.5 * k) for k in range(20)]
    whole = verdicts(folder, places)
    monkeypatch.setattr("lasair_broker.context._associate._PAIRS_AT_ONCE", 30)
    assert verdicts(folder, places) == whole
    assert {row["hostId"] for row in whole} == {"a spiral"}


def test_what_counts_as_motion_is_configured(folder: Path) -> None:
    catalogue(folder, "galaxies", [near(**{**SPIRAL, "name": "a spiral"})])
    slow = {"mag_G": 17.0, "pmra": 3.0, "pmra_error": 1.0, "pmdec": 0.0, "pmdec_error": 1.0}
    catalogue(folder, "stars", [near(east=0.1, name="a star", **slow)])
    for least, expected in ((5.0, "NT"), (2.0, "VS")):
        rules = {**RULES, "nucleus": {"motion": least}}
        said, _ = classify([HERE[0]], [HERE[1]], None, loader(folder, rules).current())
        assert said.column("classification").to_pylist() == [expected]
