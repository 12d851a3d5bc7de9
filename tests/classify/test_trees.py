"""The trees' evaluation against LightGBM's own."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest

from lasair_broker.classify._trees import Trees, TreesError


def _rows(number: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(number, 12)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.3] = np.nan
    rows[rng.random(rows.shape) < 0.1] = 0.0
    rows[:, 0] = np.where(np.isnan(rows[:, 0]), 1.0, rows[:, 0])  # never missing in training
    return rows


def _model(**settings: object) -> lgb.Booster:
    rows = _rows(800, 1)
    truth = (np.nan_to_num(rows[:, 0] + rows[:, 1] * rows[:, 2]) > 0).astype(int) + (rows[:, 3] > 1)
    if settings.get("objective") == "binary":
        truth = np.minimum(truth, 1)
    told = {"objective": "multiclass", "num_class": 3, "num_leaves": 9, "verbose": -1, "num_threads": 1}
    told |= settings
    if told["objective"] == "binary":
        del told["num_class"]
    return lgb.train(told, lgb.Dataset(rows, truth), 20)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"extra_trees": True, "max_depth": 3},
        {"use_missing": False},
        {"objective": "binary"},
        {"objective": "binary", "sigmoid": 0.3},
        {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
    ],
    ids=["plain", "extra trees", "nothing is missing", "binary", "another sigmoid", "forest"],
)
def test_probabilities_are_those_of_lightgbm(settings: dict[str, object]) -> None:
    model = _model(**settings)
    trees = Trees.read(model.model_to_string())
    rows = np.concatenate(
        [_rows(700, 2), np.full((1, 12), np.nan, np.float32), np.full((1, 12), np.inf, np.float32)]
    )
    expected = model.predict(rows).reshape(len(rows), -1)
    np.testing.assert_allclose(trees.predict(rows), expected, rtol=0, atol=1e-12)
    assert trees.predict(rows[:0]).shape == (0, expected.shape[1])


def test_trees_that_never_split() -> None:
    rows = np.zeros((30, 2), np.float32)
    model = lgb.train({"objective": "binary", "verbose": -1}, lgb.Dataset(rows, np.arange(30) % 3 == 0), 2)
    np.testing.assert_allclose(Trees.read(model.model_to_string()).predict(rows)[:, 0], model.predict(rows))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no trees"),
        ("tree\nobjective=multiclass\n\nTree=0\nleaf_value=1 2\n\n", "not a model"),
        (_model(zero_as_missing=True).model_to_string(), "zeros"),
    ],
    ids=["empty", "half", "zeros are missing"],
)
def test_what_cannot_be_evaluated_is_refused(text: str, why: str) -> None:
    with pytest.raises(TreesError, match=why if text else "not a model"):
        Trees.read(text)


def test_categories_are_refused() -> None:
    rows = np.random.default_rng(3).integers(0, 9, (300, 2)).astype(float)
    data = lgb.Dataset(rows, rows[:, 0] % 2, categorical_feature=[0])
    model = lgb.train({"objective": "binary", "verbose": -1, "min_data_per_group": 1}, data, 3)
    with pytest.raises(TreesError, match="categorical"):
        Trees.read(model.model_to_string())


def test_an_objective_without_probabilities_is_refused() -> None:
    rows = np.random.default_rng(4).normal(size=(200, 2))
    model = lgb.train({"objective": "regression", "verbose": -1}, lgb.Dataset(rows, rows[:, 0]), 2)
    with pytest.raises(TreesError, match="regression"):
        Trees.read(model.model_to_string()).predict(rows.astype(np.float32))
