"""The tree of classes: what an object can be, and what others call it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt
import yaml

__all__ = ["UNKNOWN", "Node", "Taxonomy", "taxonomy"]

Float64 = npt.NDArray[np.float64]

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Node:
    """A class: its parent (None at the top), what it is, and what others call it, by who they are."""

    name: str
    description: str
    parent: str | None = None
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Taxonomy:
    """A tree of classes.

    Attributes
    ----------
    nodes
        All of them by name, parents before children.
    leaves
        Names of the nodes without children; `unknown` is one.

    Raises
    ------
    ValueError
        If a parent is named after its child or not at all, or a node or label stands twice.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes: dict[str, Node] = {}
        self._labels: dict[tuple[str, str], str] = {}
        for node in nodes:
            if node.name in self.nodes:
                raise ValueError(f"class {node.name!r} stands twice")
            if node.parent is not None and node.parent not in self.nodes:
                raise ValueError(
                    f"class {node.name!r} has the parent {node.parent!r}, which does not stand above it"
                )
            self.nodes[node.name] = node
            for who, names in node.labels.items():
                for name in names:
                    if self._labels.setdefault((who, name), node.name) != node.name:
                        raise ValueError(f"{name!r} of {who} means {node.name!r} and another class")
        parents = {node.parent for node in nodes}
        self.leaves = tuple(name for name in self.nodes if name not in parents)

    def node_of(self, who: str, label: str) -> str | None:
        """The class that `who` (TNS, BTS, PLAsTiCC…) calls `label`; None if it stands for none."""
        return self._labels.get((who, label))

    def ancestors(self, name: str) -> tuple[str, ...]:
        """The node and what it is a part of, upwards."""
        found = [name]
        while (parent := self.nodes[found[-1]].parent) is not None:
            found.append(parent)
        return tuple(found)

    def leaves_below(self, name: str) -> tuple[str, ...]:
        """The leaves that a node is made of; itself, if it is one."""
        return tuple(leaf for leaf in self.leaves if name in self.ancestors(leaf))

    def summed(self, leaves: Sequence[str], probabilities: Float64) -> dict[str, Float64]:
        """The probability of every node.

        Parameters
        ----------
        leaves, probabilities
            The leaves that the columns of `probabilities`, shape (objects, len(leaves)), stand for. What of
            an object is not shared among them is its `unknown`.

        Returns
        -------
        An array of one value an object by node; 0 for nodes of which no leaf is among `leaves`.
        """
        place = {name: column for column, name in enumerate(leaves)}
        out = {}
        for name in self.nodes:
            columns = [place[leaf] for leaf in self.leaves_below(name) if leaf in place]
            out[name] = probabilities[:, columns].sum(axis=1)
        return out


@cache
def taxonomy() -> Taxonomy:
    """The tree that comes with Lasair (`taxonomy.yaml`)."""
    text = files("lasair_broker.classify").joinpath("taxonomy.yaml").read_text()
    return Taxonomy([Node(**node) for node in yaml.safe_load(text)["nodes"]])
