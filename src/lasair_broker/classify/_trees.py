"""Boosted trees from LightGBM's text, evaluated by a kernel: faster, and without importing a trainer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lasair_broker.classify._calibration import softmax
from lasair_broker.classify._kernel import kernel

__all__ = ["Trees", "TreesError"]

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]

_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_ZERO_IS_MISSING, _NAN_IS_MISSING = 1, 2
_ZERO = 1e-35  # what LightGBM takes for zero
_BLOCK = 256  # objects at once, so that their features stay in the cache while the trees go by


class TreesError(ValueError):
    """A text is no model of trees, or one of a kind that this package does not evaluate."""


@dataclass(frozen=True)
class Trees:
    """Trees with numerical splits, one after the other; tree k counts for class k modulo `number`.

    A leaf is a node whose children are itself, so that all rows can go down a tree in step.

    Attributes
    ----------
    number
        Of classes.
    objective
        As LightGBM names it: "multiclass", "binary"…
    scale
        What sums of leaves are multiplied by: for a forest one over its number of trees, for a binary model
        its sigmoid's parameter.
    features
        Names of the columns that rows have.
    first, depth
        Where the nodes of each tree begin (and at the end those of none), and how deep it is.
    feature, threshold
        By node: rows whose feature is above the threshold go right.
    missing_right
        By node: whether rows without the feature go right.
    child
        Shape (nodes, 2), the left and right child, counted from the first node of the tree.
    value
        By node, what a leaf adds; 0 for others.
    """

    number: int
    objective: str
    scale: float
    features: tuple[str, ...]
    first: Int32
    depth: Int32
    feature: Int32
    threshold: Float64
    missing_right: npt.NDArray[np.bool_]
    child: Int32
    value: Float64

    @classmethod
    def read(cls, text: str) -> Trees:
        """The trees of a model as LightGBM writes it.

        Raises
        ------
        TreesError
            If the text is none, or a tree has categorical splits or linear leaves, or takes zeros for
            missing.
        """
        head, *blocks = text.split("\n\nTree=")
        told = dict(_pairs(head))
        try:
            trees = [dict(_pairs(block.split("\n\n")[0])) for block in blocks]
            parts = [_one(tree) for tree in trees]
            number = int(told["num_tree_per_iteration"])
            objective, *settings = told["objective"].split()
            features = tuple(told["feature_names"].split())
        except TreesError:
            raise
        except (KeyError, ValueError, IndexError) as error:
            raise TreesError(f"not a model of LightGBM: {error}") from error
        if not parts:
            raise TreesError("not a model of LightGBM: it has no trees")
        scale = number / len(parts) if "average_output" in head.splitlines() else 1.0
        scale *= next((float(one[8:]) for one in settings if one.startswith("sigmoid:")), 1.0)
        first = np.cumsum([0, *(len(part[0]) for part in parts)]).astype(np.int32)
        depth = np.array([_depth(part[3]) for part in parts], np.int32)
        columns = [np.ascontiguousarray(np.concatenate(column)) for column in zip(*parts, strict=True)]
        return cls(number, objective, scale, features, first, depth, *columns)

    def raw(self, rows: Float32) -> Float64:
        """Sums of the leaves that rows fall into, shape (rows, number), before `scale`."""
        out = np.zeros((len(rows), self.number))
        _sum_leaves(
            np.ascontiguousarray(np.asarray(rows, np.float32).T),
            *(
                self.first,
                self.depth,
                self.feature,
                self.threshold,
                self.missing_right,
                self.child,
                self.value,
            ),
            out,
        )
        return out

    def predict(self, rows: Float32) -> Float64:
        """Probabilities of the classes, shape (rows, classes); a binary model has one column.

        Raises
        ------
        TreesError
            If the objective is neither multiclass nor binary.
        """
        if self.objective == "multiclass":
            return softmax(self.scale * self.raw(rows))
        if self.objective == "binary":
            return np.asarray(1.0 / (1.0 + np.exp(-self.scale * self.raw(rows))))
        raise TreesError(f"the objective {self.objective!r} gives no probabilities")


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            yield name, value


_Columns = tuple[Int32, Float64, npt.NDArray[np.bool_], Int32, Float64]


def _one(tree: dict[str, str]) -> _Columns:
    """The nodes of one tree, from `feature` to `value` as in `Trees`: its splits, then its leaves."""
    if tree.get("is_linear", "0") != "0":
        raise TreesError("trees with linear leaves are not supported")
    value = np.array(tree["leaf_value"].split(), np.float64)
    splits = len(value) - 1
    nodes = splits + len(value)
    feature, threshold = np.zeros(nodes, np.int32), np.full(nodes, np.inf)
    missing_right = np.zeros(nodes, np.bool_)
    child = np.repeat(np.arange(nodes, dtype=np.int32)[:, None], 2, axis=1)
    if splits:
        kind = np.array(tree["decision_type"].split(), np.int32)
        if (kind & _CATEGORICAL).any():
            raise TreesError("trees with categorical splits are not supported")
        missing = (kind >> 2) & 3
        if (missing == _ZERO_IS_MISSING).any():
            raise TreesError("trees that take zeros for missing values are not supported")
        feature[:splits] = np.array(tree["split_feature"].split(), np.int32)
        threshold[:splits] = np.array(tree["threshold"].split(), np.float64)
        default_right = (kind & _DEFAULT_LEFT) == 0
        # Where no value was missing in training, one is taken for zero.
        missing_right[:splits] = np.where(missing == _NAN_IS_MISSING, default_right, threshold[:splits] < 0.0)
        for side, name in enumerate(("left_child", "right_child")):
            to = np.array(tree[name].split(), np.int32)
            child[:splits, side] = np.where(to >= 0, to, splits + ~to)
    return feature, threshold, missing_right, child, np.concatenate([np.zeros(splits), value])


def _depth(child: Int32) -> int:
    """Steps from the root to the lowest leaf."""
    steps, level = 0, np.zeros(1, np.int32)
    while (below := np.unique(child[level])).tolist() != level.tolist():
        level, steps = below, steps + 1
    return steps


@kernel
def _sum_leaves(columns, first, depth, feature, threshold, missing_right, child, value, out):  # type: ignore[no-untyped-def]  # see Trees
    number, rows = out.shape[1], out.shape[0]
    at = np.empty(_BLOCK, np.int32)
    for begin in range(0, rows, _BLOCK):
        size = min(_BLOCK, rows - begin)
        for tree in range(len(depth)):
            root, which = first[tree], tree % number
            for i in range(size):
                at[i] = root
            for _ in range(depth[tree]):
                for i in range(size):
                    node = at[i]
                    x = np.float64(columns[feature[node], begin + i])
                    right = np.int64(x > threshold[node]) | (np.int64(x != x) & np.int64(missing_right[node]))
                    at[i] = root + child[node, right]
            for i in range(size):
                out[begin + i, which] += value[at[i]]
