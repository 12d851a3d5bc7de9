"""The classifier's configuration: what is shipped, and errors that name the line."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up_sky import catalogue, loader

from lasair_broker.context import ContextError, read_rules
from lasair_broker.context.catalogues import read_description, shipped_descriptions
from lasair_broker.context.catalogues._expressions import Expression

GOOD = """\
name: a test
views:
  stars: {catalogue: stars, kind: star}
searches:
  stars:
    view: stars
    radius: 1.5
    synonym: VS
"""


def told(tmp_path: Path, text: str) -> str:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(ContextError) as error:
        read_rules(path)
    assert str(path) in str(error.value)
    return str(error.value)


def test_a_good_one(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(GOOD)
    rules = read_rules(path)
    assert rules.catalogues == ("stars",)
    assert rules.digest({"stars": "1"}) == read_rules(path).digest({"stars": "1"})
    assert rules.digest({"stars": "1"}) != rules.digest({"stars": "2"})
    path.write_text(GOOD.replace("1.5", "1.6"))
    assert rules.digest({"stars": "1"}) != read_rules(path).digest({"stars": "1"})


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("radius: 1.5", "radius: -1", "line 7: searches.stars.radius"),
        ("radius: 1.5", "radios: 1.5", "line 7: searches.stars.radios"),
        ("synonym: VS", "synonym: QSO", "line 8: searches.stars.synonym"),
        ("view: stars", "view: starts", "line 6: searches.stars.view: there is no view 'starts'"),
        ("    synonym: VS\n", "", "line 5: searches.stars: says of nothing what it means"),
        ("kind: star", "kind: comet", "line 3: views.stars.kind"),
        ("kind: star", "kind: star, where: 'type = 1'", "line 3: views.stars"),
        (
            "kind: star",
            "kind: star, where: 'open(1)'",
            "line 3: views.stars: where: 'open(1)' is not allowed",
        ),
        ("name: a test", "nome: a test", "line 1: nome"),
        (
            "    synonym: VS\n",
            "    synonym: VS\n    physical: 50\n",
            "line 5: searches.stars: physical is for galaxies",
        ),
        ("radius: 1.5", "radius: 1.5\n    radius: 3", "'radius' twice, in lines 7 and 8"),
        ("views:", "views: [", "not valid YAML"),
    ],
)
def test_errors_name_the_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert expected in told(tmp_path, GOOD.replace(old, new))


def test_files_that_are_no_rules(tmp_path: Path) -> None:
    assert "no YAML mapping" in told(tmp_path, "- a\n- b\n")
    assert "no YAML mapping" in told(tmp_path, "")
    with pytest.raises(ContextError, match=r"cannot read the rules .*missing\.yaml: No such file"):
        read_rules(tmp_path / "missing.yaml")


def test_a_view_that_asks_for_a_column_its_catalogue_has_not(tmp_path: Path) -> None:
    folder = tmp_path / "catalogues"
    catalogue(folder, "stars", [{"ra": 1.0, "decl": 2.0, "name": "x", "mag_G": 3.0}])
    rules = {
        "name": "x",
        "views": {"v": {"catalogue": "stars", "kind": "star", "where": "colour > 1"}},
        "searches": {"s": {"view": "v", "radius": 1.0, "synonym": "VS"}},
    }
    with pytest.raises(ContextError, match="view v of catalogue stars: there is no column 'colour'"):
        loader(folder, rules)


def test_the_shipped_rules_fit_the_shipped_catalogues() -> None:
    """Every column that a view names is there in the catalogue as its shipped description has it."""
    rules = read_rules()
    described = set(shipped_descriptions())
    assert set(rules.catalogues) <= described | {"simulated"}
    for name, view in rules.views.items():
        if view.catalogue in described and view.where is not None:
            columns = list(read_description(view.catalogue).mappings())
            assert Expression(view.where).columns(columns), name
