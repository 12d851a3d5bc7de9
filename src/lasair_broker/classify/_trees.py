"""Boosted trees from LightGBM's text, evaluated by a kernel: faster, and without importing a trainer.

Trees of few leaves are evaluated by bits (Lucchese et al. 2015, SIGIR, 73): one bit a leaf, from left to
right, and every split that an object fails strikes out the leaves on its left; the exit is the first one that
stays. All splits are looked at, but each is one comparison and one AND of many objects side by side, without
jumps and without asking where an object is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

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
_LEAVES = 32  # most leaves of a tree that can be evaluated by bits
_LARGEST = np.finfo(np.float32).max
_DE_BRUIJN = 0x077CB531
"""Times a power of two below 2^32, its five highest bits say which power (Leiserson et al. 1998)."""


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
        head, _, rest = text.partition("\n\nTree=")
        told = dict(_pairs(head))
        try:
            number = int(told["num_tree_per_iteration"])
            objective, *settings = told["objective"].split()
            features = tuple(told["feature_names"].split())
            columns = _nodes(rest.split("\nend of trees", 1)[0], len(features))
        except TreesError:
            raise
        except (KeyError, ValueError, IndexError) as error:
            raise TreesError(f"not a model of LightGBM: {error}") from error
        first, feature, threshold, missing_right, child, value = columns
        scale = number / (len(first) - 1) if "average_output" in head.splitlines() else 1.0
        scale *= next((float(one[8:]) for one in settings if one.startswith("sigmoid:")), 1.0)
        return cls(
            number,
            objective,
            scale,
            features,
            first,
            _depths(first, child),
            feature,
            threshold,
            missing_right,
            child,
            value,
        )

    def raw(self, rows: Float32) -> Float64:
        """Sums of the leaves that rows fall into, shape (rows, number), before `scale`."""
        out = np.zeros((len(rows), self.number))
        rows = np.asarray(rows, np.float32)
        bits = self._bits
        if bits is None:
            columns = np.ascontiguousarray(rows.T)
            nodes = (self.feature, self.threshold, self.missing_right, self.child, self.value)
            _sum_leaves(columns, self.first, self.depth, *nodes, out)
        else:
            _sum_exits(_columns_of(rows), bits.first, bits.column, bits.threshold, bits.kept, bits.value, out)
        return out

    @cached_property
    def _bits(self) -> _Bits | None:
        """The trees as they are evaluated by bits; None if one has too many leaves."""
        return _bits_of(self)

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


_Columns = tuple[Int32, Int32, Float64, npt.NDArray[np.bool_], Int32, Float64]


def _nodes(text: str, most: int) -> _Columns:
    """From `first` to `value` as in `Trees`, but for the depth, each tree's splits before its leaves.

    All trees at once: a model has thousands. That children stand behind their parents, each below one, is how
    LightGBM writes them, and what keeps the kernels within bounds.
    """
    told: dict[str, list[str]] = {}
    for name, line in _pairs(text):
        told.setdefault(name, []).append(line)
    if any(kind != "0" for kind in told.get("is_linear", ())):
        raise TreesError("trees with linear leaves are not supported")
    leaves = np.array(told.get("num_leaves", ()), np.int64)
    if not len(leaves):
        raise TreesError("not a model of LightGBM: it has no trees")
    splits = leaves - 1
    first = np.concatenate([[0], np.cumsum(splits + leaves)])
    tree = np.repeat(np.arange(len(leaves)), splits)
    at = _places(first[:-1], splits)
    kind = _numbers(told, "decision_type", len(at)).astype(np.int32)
    if (kind & _CATEGORICAL).any():
        raise TreesError("trees with categorical splits are not supported")
    missing = (kind >> 2) & 3
    if (missing == _ZERO_IS_MISSING).any():
        raise TreesError("trees that take zeros for missing values are not supported")
    nodes = int(first[-1])
    feature, threshold = np.zeros(nodes, np.int32), np.full(nodes, np.inf)
    feature[at] = _numbers(told, "split_feature", len(at))
    threshold[at] = _numbers(told, "threshold", len(at))
    missing_right = np.zeros(nodes, np.bool_)
    default_right = (kind & _DEFAULT_LEFT) == 0
    # Where no value was missing in training, one is taken for zero.
    missing_right[at] = np.where(missing == _NAN_IS_MISSING, default_right, threshold[at] < 0.0)
    own = np.arange(nodes) - np.repeat(first[:-1], splits + leaves)
    child = np.repeat(own[:, None], 2, axis=1).astype(np.int32)
    for side, name in enumerate(("left_child", "right_child")):
        to = _numbers(told, name, len(at)).astype(np.int64)
        child[at, side] = np.where(to >= 0, to, splits[tree] + ~to)
    value = np.zeros(nodes)
    value[_places(first[:-1] + splits, leaves)] = _numbers(told, "leaf_value", int(leaves.sum()))
    below = first[tree][:, None] + child[at]
    ordered = (child[at] > own[at][:, None]).all() and (below < first[1:][tree][:, None]).all()
    if not ordered or (np.bincount(below.ravel(), minlength=nodes) > 1).any():
        raise TreesError("not a model of LightGBM: its splits are no trees")
    if len(at) and not 0 <= feature.min() <= feature.max() < most:
        raise TreesError("not a model of LightGBM: it splits features that it does not name")
    return first.astype(np.int32), feature, threshold, missing_right, child, value


def _places(starts: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The numbers of the runs of `counts` from `starts` on, one after the other."""
    before = np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(np.repeat(starts, counts) + np.arange(int(counts.sum())) - before)


def _numbers(told: Mapping[str, list[str]], name: str, count: int) -> Float64:
    """The numbers of all lines of a name, one after the other."""
    words = " ".join(told.get(name, ())).split()
    if len(words) != count:
        raise TreesError(f"not a model of LightGBM: {name} has {len(words)} numbers, not {count}")
    return np.array(words, np.float64)


def _depths(first: Int32, child: Int32) -> Int32:
    """Of each tree the steps from the root to the lowest leaf."""
    depth = np.zeros(len(first) - 1, np.int32)
    tree, level, steps = np.arange(len(depth)), first[:-1], 0
    while len(level):
        depth[tree] = steps
        split = child[level, 0] != level - first[tree]
        tree, level = np.repeat(tree[split], 2), (first[tree[split]][:, None] + child[level[split]]).ravel()
        steps += 1
    return depth


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


@dataclass(frozen=True)
class _Bits:
    """Splits of trees, one tree after the other.

    Attributes
    ----------
    first
        Where the splits of each tree begin, and at the end those of none.
    column
        By split its feature, plus the number of features where objects without it go right.
    threshold
        In single precision, rounded down: features are of single precision, so that the outcome is the same.
    kept
        By split the leaves that stay for an object above the threshold: a bit each.
    value
        By tree and slot what a leaf adds; the slot is what `_DE_BRUIJN` makes of the leaf's bit.
    """

    first: Int32
    column: Int32
    threshold: Float32
    kept: npt.NDArray[np.uint32]
    value: Float64


def _bits_of(trees: Trees) -> _Bits | None:
    nodes = np.diff(trees.first)
    if nodes.max() > 2 * _LEAVES - 1:
        return None
    is_split = trees.child[:, 0] != _places(np.zeros(len(nodes), np.int64), nodes.astype(np.int64))
    kept, values = np.zeros(len(is_split), np.uint32), np.zeros((len(nodes), 32))
    _number_leaves(trees.first, trees.child, trees.value, kept, values)
    exact = trees.threshold[is_split]
    with np.errstate(over="ignore"):
        single = exact.astype(np.float32)
    single = np.where(single > exact, np.nextafter(single, np.float32(-np.inf)), single)
    missing_right = trees.missing_right[is_split]
    # There infinity stands for what is missing, and the largest number for infinity: see `_columns_of`.
    below_largest = np.nextafter(_LARGEST, np.float32(0.0))
    single = np.where(missing_right & (single >= _LARGEST), below_largest, single)
    single = np.where(missing_right & np.isinf(exact), _LARGEST, single)
    right = missing_right * len(trees.features)
    return _Bits(
        np.concatenate([[0], np.cumsum((nodes - 1) // 2)]).astype(np.int32),
        (trees.feature[is_split] + right).astype(np.int32),
        single.astype(np.float32),
        kept[is_split],
        values,
    )


@kernel
def _number_leaves(first, child, value, kept, values):  # type: ignore[no-untyped-def]  # see _Bits
    """Give the leaves of each tree bits from left to right, and each split those that are not on its left."""
    bits = np.zeros(2 * _LEAVES, np.uint32)
    stack = np.zeros(2 * _LEAVES, np.int64)
    for tree in range(len(first) - 1):
        start, number, height = first[tree], 0, 1
        stack[0] = 0
        while height > 0:
            height -= 1
            node = stack[height]
            if child[start + node, 0] == node:
                bits[node] = np.uint32(1) << np.uint32(number)
                slot = np.uint32(bits[node] * np.uint32(_DE_BRUIJN)) >> np.uint32(27)
                values[tree, slot] = value[start + node]
                number += 1
            else:
                stack[height] = child[start + node, 1]
                stack[height + 1] = child[start + node, 0]
                height += 2
        for node in range((first[tree + 1] - start) // 2 - 1, -1, -1):  # children stand behind their parents
            left, right = child[start + node, 0], child[start + node, 1]
            bits[node] = bits[left] | bits[right]
            kept[start + node] = ~bits[left]


def _columns_of(rows: Float32) -> Float32:
    """Features by column, those of a block of objects side by side, shape (blocks, 2 * features, _BLOCK):
    first with what is missing below all numbers, then with it above them, even above infinity."""
    blocks = -(-len(rows) // _BLOCK)
    features = rows.shape[1]
    padded = np.zeros((blocks * _BLOCK, features), np.float32)
    padded[: len(rows)] = rows
    by_block = padded.reshape(blocks, _BLOCK, features).transpose(0, 2, 1)
    missing = np.isnan(by_block)
    found = np.empty((blocks, 2 * features, _BLOCK), np.float32)
    found[:, :features] = np.where(missing, np.float32(-np.inf), by_block)
    found[:, features:] = np.where(missing, np.float32(np.inf), np.minimum(by_block, _LARGEST))
    return found


@kernel
def _sum_exits(blocks, first, column, threshold, kept, value, out):  # type: ignore[no-untyped-def]  # see _Bits
    number, rows = out.shape[1], out.shape[0]
    alive = np.empty(_BLOCK, np.uint32)
    for block in range(len(blocks)):
        begin = block * _BLOCK
        size = min(_BLOCK, rows - begin)
        for tree in range(len(first) - 1):
            alive[:] = np.uint32(0xFFFFFFFF)
            for split in range(first[tree], first[tree + 1]):
                x, t, stay = blocks[block, column[split]], threshold[split], kept[split]
                for i in range(_BLOCK):
                    alive[i] &= stay if x[i] > t else np.uint32(0xFFFFFFFF)
            which = tree % number
            for i in range(size):
                lowest = alive[i] & (~alive[i] + np.uint32(1))
                out[begin + i, which] += value[
                    tree, np.uint32(lowest * np.uint32(_DE_BRUIJN)) >> np.uint32(27)
                ]
