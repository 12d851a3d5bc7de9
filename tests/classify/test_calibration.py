"""Calibration, prior shift and open-set mass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasair_broker.classify import calibration_error, load_priors
from lasair_broker.classify._anomaly import fit_anomaly, unknown_mass
from lasair_broker.classify._calibration import Calibration, fit_calibration, softmax
from lasair_broker.classify._priors import shifted


def _overconfident(number: int, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are too sure of themselves, and classes drawn from the honest ones."""
    rng = np.random.default_rng(5)
    logits = rng.normal(size=(number, 4))
    honest = softmax(logits)
    truth = np.array([rng.choice(4, p=p) for p in honest])
    return softmax(logits * sharpness), truth


def test_too_sure_probabilities_are_put_right_by_age() -> None:
    sure, truth = _overconfident(6000, 3.0)
    honest, truth_2 = _overconfident(6000, 1.0)
    probabilities, age = np.concatenate([sure, honest]), np.repeat([1.0, 10.0], 6000)
    truth = np.concatenate([truth, truth_2])
    learnt = fit_calibration(probabilities, truth, age, (2.0, 100.0), np.ones(12000))
    assert learnt.temperature == pytest.approx((3.0, 1.0), rel=0.1)
    before, after = (
        calibration_error(probabilities, truth),
        calibration_error(learnt(probabilities, age), truth),
    )
    assert before > 0.1
    assert after < 0.02
    np.testing.assert_allclose(learnt(probabilities, age).sum(axis=1), 1.0)


def test_where_there_is_little_to_learn_from_nothing_changes() -> None:
    probabilities, truth = _overconfident(10, 2.0)
    learnt = fit_calibration(probabilities, truth, np.full(10, 1.0), (2.0,), np.ones(10))
    np.testing.assert_allclose(learnt(probabilities, np.full(10, 5.0)), probabilities)


def test_the_error_is_that_of_the_definition() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    truth = np.array([0, 1, 0, 0])
    expected = 0.5 * abs(0.5 - 0.9) + 0.5 * abs(0.5 - 0.6)
    assert calibration_error(probabilities, truth, bins=10) == pytest.approx(expected)


@given(
    st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3),
    st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3),
)
def test_shifting_and_shifting_back(trained: list[float], expected: list[float]) -> None:
    old, new = (np.array(values) / sum(values) for values in (trained, expected))
    probabilities = np.array([[0.2, 0.3, 0.5], [0.98, 0.01, 0.01]])
    there = shifted(probabilities, old, new[None])
    np.testing.assert_allclose(there.sum(axis=1), 1.0)
    np.testing.assert_allclose(shifted(there, new, old[None]), probabilities, rtol=1e-9)


def test_a_shift_is_bayes_rule() -> None:
    """Two classes told apart by one number: from equal shares to one in ten."""
    x = np.linspace(-3, 3, 31)
    first, second = np.exp(-0.5 * (x - 1) ** 2), np.exp(-0.5 * (x + 1) ** 2)
    equal = np.stack([first, second], 1) / (first + second)[:, None]
    exact = np.stack([0.1 * first, 0.9 * second], 1) / (0.1 * first + 0.9 * second)[:, None]
    np.testing.assert_allclose(shifted(equal, np.array([0.5, 0.5]), np.array([[0.1, 0.9]])), exact)


def test_what_is_expected_depends_on_the_place_and_the_context() -> None:
    priors = load_priors()
    leaves = ("SNIa", "variable")
    plane, pole = priors.at(leaves, np.array([2.0, -85.0]), np.array([2.0, 0.02]))
    assert plane[0] < 0.01 < pole[0]
    nowhere = priors.at(leaves, np.array([np.nan]), np.array([np.nan]))
    assert np.isfinite(nowhere).all()
    star, galaxy, nothing = priors.likelihood(leaves, pa.array(["VS", "SN", None]))
    assert star[1] > 10 * star[0]
    assert galaxy[0] > 10 * galaxy[1]
    np.testing.assert_array_equal(nothing, 1.0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("rates: {SNIa: 1.0}", "not a file of priors"),
        ("rates: {Nova: 1.0}\nlatitude_scale: 1\ncontext: {}\nother: 0.1", "'Nova' is no class"),
        ("rates: {SN: 1.0}\nlatitude_scale: 1\ncontext: {}\nother: 0.1", "lowest class"),
        ("rates: {SNIa: -1.0}\nlatitude_scale: 1\ncontext: {}\nother: 0.1", "at least 0"),
        ("rates: {SNIa: 1.0}\nlatitude_scale: 0\ncontext: {}\nother: 0.1", "latitude_scale"),
        ("rates: [", "not a file of priors"),
    ],
)
def test_priors_that_are_none_are_refused_with_the_file(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ValueError, match=f"mine.yaml: .*{why}"):
        load_priors(tmp_path / "mine.yaml")


def test_strange_objects_are_found_with_what_is_strange_in_them() -> None:
    rng = np.random.default_rng(7)
    hidden = rng.normal(size=(3000, 3))
    rows = (hidden @ rng.normal(size=(3, 20)) + 0.1 * rng.normal(size=(3000, 20))).astype(np.float32)
    learnt = fit_anomaly(rows, range(20), components=3)
    usual = learnt(rows)[0]
    assert usual.mean() == pytest.approx(0.5, abs=0.02)
    strange = rows[:50].copy()
    strange[:, 4] += 3 * rows[:, 4].std()
    score, embedding, causes = learnt(strange)
    assert (score > 0.99).mean() > 0.9
    assert (causes[:, 0] == 4).mean() > 0.8
    assert embedding.shape == (50, 3)
    assert unknown_mass(usual).mean() == pytest.approx(0.01, abs=0.005)
    assert unknown_mass(score).mean() > 0.1
    assert (np.diff(unknown_mass(np.linspace(0, 3, 50))) >= 0).all()


def test_rows_of_nothing_but_nan_have_a_score() -> None:
    rng = np.random.default_rng(8)
    learnt = fit_anomaly(rng.normal(size=(500, 12)).astype(np.float32), range(12))
    score, embedding, _ = learnt(np.full((2, 12), np.nan, np.float32))
    assert np.isfinite(score).all()
    assert np.isfinite(embedding).all()


def test_calibration_holds_beyond_its_last_age() -> None:
    scaling = Calibration((1.0, 10.0), (2.0, 4.0), ((0.0, 0.0), (0.0, 0.0)))
    p = np.array([[0.9, 0.1]] * 3)
    mild, strong, beyond = scaling(p, np.array([0.5, 5.0, 1e9]))
    assert mild[0] > strong[0]
    np.testing.assert_array_equal(strong, beyond)
