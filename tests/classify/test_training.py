"""From light curves to a model: data, splits without leaks, the same model for the same seed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lasair_broker.classify import FEATURES, ModelError, load_model, taxonomy
from lasair_broker.classify.training import _train, evaluate, write_card
from lasair_broker.classify.training._bts import bts
from lasair_broker.classify.training._curves import LabelledCurves, joined, truncated_features
from lasair_broker.classify.training._nearer import as_ztf
from lasair_broker.classify.training._plasticc import plasticc
from lasair_broker.classify.training._simulated import simulated
from lasair_broker.classify.training._splits import held_out, same_objects, share_of
from lasair_broker.classify.training._supernova_catalog import supernova_catalog
from lasair_broker.classify.training._thinned import thinned

DATA = Path(__file__).parents[3] / "shared" / "data" / "labelled"
FEW = {"SN Ia": 40, "AGN": 30, "variable star": 40, "XRB": 20}


@pytest.fixture(scope="module")
def ours() -> LabelledCurves:
    return simulated(FEW, 3)


@pytest.fixture(scope="module")
def real() -> list[LabelledCurves]:
    return [bts(DATA), supernova_catalog(DATA)]


def test_objects_are_cut_off_as_the_stream_would_have_had_them(ours: LabelledCurves) -> None:
    ages = np.where(np.arange(len(ours)) % 2, 5.0, np.inf)
    cut = ours.up_to(ages)
    first = ours.first_detections()
    for k in range(len(ours)):
        mine = slice(ours.offsets[k], ours.offsets[k + 1])
        kept = (ours.time[mine] <= first[k] + ages[k]) & (ours.time[mine] >= first[k] - 365.0)
        here = slice(cut.offsets[k], cut.offsets[k + 1])
        np.testing.assert_array_equal(cut.time[here], ours.time[mine][kept])
    np.testing.assert_array_equal(cut.first_detections(), first)
    batch = cut.batch()
    assert len(batch.diaSources) + len(batch.diaForcedSources) == len(cut.time)


def test_the_future_does_not_matter(ours: LabelledCurves) -> None:
    """Features at an age are those of an object of which nothing later was ever measured."""
    rows = np.arange(30)
    at_5 = truncated_features(ours, rows, np.full(30, 5.0))
    never_more = truncated_features(ours.take(rows).up_to(np.full(30, 5.0)), rows, np.full(30, np.inf))
    np.testing.assert_array_equal(at_5, never_more)


def test_real_and_simulated_sets_can_be_read(real: list[LabelledCurves]) -> None:
    simulations = plasticc(DATA)
    assert len(simulations) == 7848
    assert simulations.objects["redshift"].null_count == (simulations.labels == "variable").sum() + sum(
        (simulations.labels == label).sum() for label in ("eruptive", "microlensing")
    )
    for curves in (simulations, *real):
        assert set(curves.labels.tolist()) <= set(taxonomy().nodes)
        assert (curves.error > 0).all()
        assert (np.diff(curves.offsets) > 0).all()
        times = np.diff(curves.time)
        times[curves.offsets[1:-1] - 1] = 0.0
        assert (times >= 0).all()
    assert {one.survey for one in real} == {"ztf"}
    assert len(real[0]) > 1300
    assert len(real[1]) > 100


def test_no_object_is_in_two_splits(real: list[LabelledCurves]) -> None:
    groups = same_objects(real)
    names = [name for one in real for name in one.objects["name"].to_pylist()]
    first, second = len(real[0]), len(real[1])
    assert len(groups) == len(names) == first + second
    alike = set(groups[:first].tolist()) & set(groups[first:].tolist())
    plain = [name.replace(" ", "").casefold().removeprefix("sn").removeprefix("at") for name in names]
    assert {plain[k] for k in range(first)} & {plain[k] for k in range(first, len(names))} == {
        plain[k] for k in range(first) if groups[k] in alike and plain[k] in plain[first:]
    }


def test_near_duplicates_by_place_and_name_are_one_object(ours: LabelledCurves) -> None:
    names = ["SN 2020abc", "sn2020ABC", "AT2021x", "other", "another", "far"]
    ra = [10.0, 200.0, 50.0, 359.9999, 0.0001, 0.0]
    decl = [0.0, 5.0, 1.0, 0.0, 0.0, 89.0]
    few = ours.take(np.arange(6))
    objects = few.objects
    for name, values in (("name", names), ("ra", ra), ("decl", decl)):
        objects = objects.set_column(objects.schema.get_field_index(name), name, pa.array(values))
    few = replace(few, objects=objects)
    groups = same_objects([few.take(np.arange(3)), few.take(np.arange(3, 6))])
    assert groups[0] == groups[1], "one name"
    assert groups[3] == groups[4], "0.72 arcseconds apart, around RA 0"
    assert len(set(groups.tolist())) == 4


def test_thinned_copies_are_the_same_objects_measured_less_and_worse(real: list[LabelledCurves]) -> None:
    whole = real[0].take(np.arange(200))
    copy = thinned(whole, 3)
    assert copy.objects.equals(whole.objects), "an object and its copies are one group"
    np.testing.assert_array_equal(same_objects([whole, copy])[:200], same_objects([whole, copy])[200:])
    fewer, cut = np.diff(copy.offsets) / np.diff(whole.offsets), 0
    assert (fewer <= 1.0).all()
    assert 0.4 < np.median(fewer) < 0.9
    for k in range(len(whole)):
        here = slice(whole.offsets[k], whole.offsets[k + 1])
        there = slice(copy.offsets[k], copy.offsets[k + 1])
        _, mine, its = np.intersect1d(whole.time[here], copy.time[there], return_indices=True)
        assert len(set(copy.time[there].tolist())) == len(its)
        assert (copy.error[there][its] >= whole.error[here][mine]).all()
        cut += copy.time[there][-1] < whole.time[here][-1] - 20.0
    assert cut > 20, "some are cut off"
    assert not np.array_equal(thinned(whole, 4).time, copy.time)


def test_what_is_held_out_depends_on_the_name_alone(ours: LabelledCurves) -> None:
    other_way = ours.take(np.arange(len(ours))[::-1])
    np.testing.assert_array_equal(held_out(other_way), held_out(ours)[::-1])
    assert share_of([str(k) for k in range(20000)]).mean() == pytest.approx(0.5, abs=0.01)


def test_nearer_objects_keep_their_luminosity(ours: LabelledCurves) -> None:
    near = as_ztf(ours, 1)
    assert set(near.band.tolist()) <= {1, 2, 3}
    before, after = (
        truncated_features(one, np.arange(len(one)), np.full(len(one), np.inf)) for one in (ours, near)
    )
    peak, absolute = FEATURES.index("peakMag"), FEATURES.index("peakAbsMag")
    both = np.isfinite(before[:, absolute]) & np.isfinite(after[:, absolute]) & (ours.labels == "SNIa")
    brighter = before[both, peak] - after[both, peak]
    assert np.median(brighter) > 1.0
    # The peak may have been in a band that is left out.
    assert np.median(np.abs(before[both, absolute] - after[both, absolute])) < 0.3
    with pytest.raises(ValueError, match="different surveys"):
        joined([ours, near])


def test_a_folder_without_light_curves_says_what_it_may_hold(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"plasticc_train_objects.parquet.*lasair train --fetch"):
        _train.gather(tmp_path, 1, lambda *_: None, {"SN Ia": 2})


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has seen little, made twice."""
    out = tmp_path_factory.mktemp("model")
    source = tmp_path_factory.mktemp("data")
    for name in ("ztf_bts_labels.csv", "ztf_bts_lightcurves.parquet"):
        (source / name).symlink_to(DATA / name)
    recipes = tuple(replace(recipe, rounds=4) for recipe in _train.RECIPES)
    told: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_train, "RECIPES", recipes)
        model, apart = _train.train(source, out / "first", 5, lambda _, share: told.append(share), FEW)
        _train.train(source, out / "second", 5, lambda *_: None, FEW)
    assert told == sorted(told)
    assert set(apart) == {"simulator"}
    learnt = set(_train.gather(source, 5, lambda *_: None, FEW).lsst.objects["name"].to_pylist())
    assert learnt.isdisjoint(apart["simulator"].objects["name"].to_pylist())
    write_card(out / "first", evaluate(model, apart), 60.0)
    return out


def test_the_same_seed_gives_the_same_model(small: Path) -> None:
    first, second = load_model(small / "first"), load_model(small / "second")
    assert first.version == second.version
    assert [head.name for head in first.heads] == ["lsst-early", "lsst-any", "ztf-any"]


def test_the_card_says_what_rests_on_simulations_only(small: Path) -> None:
    card = (small / "first" / "card.md").read_text()
    table, *_ = card.split("## Held-out")
    lines = {line.split("|")[1].strip(): line for line in table.splitlines() if line.startswith("| ")}
    assert lines["XRB"].rstrip().endswith("**simulations only** |")
    assert lines["SNIa"].rstrip().endswith("real and simulated objects |")
    assert lines["microlensing"].rstrip().endswith("nothing |")
    assert load_model(small / "first").version in card
    assert "MIT" in card


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("lsst-any.txt", lambda text: text.replace("leaf_value=", "leaf_value=1", 1), "hash"),
        ("model.json", lambda text: text.replace('"SNIa"', '"SNIb"', 1), "has been changed"),
        ("model.json", lambda text: text.replace('"age"', '"ages"', 1), "other features"),
        ("model.json", lambda text: text[:100], "no model"),
    ],
)
def test_a_model_that_was_tampered_with_is_refused(
    small: Path, tmp_path: Path, name: str, change: object, why: str
) -> None:
    for file in (small / "first").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    text = (tmp_path / name).read_text()
    (tmp_path / name).write_text(change(text))  # type: ignore[operator]  # a function of the text
    with pytest.raises(ModelError, match=why):
        load_model(tmp_path)
