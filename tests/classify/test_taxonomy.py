"""The tree of classes, and that everybody's labels lead into it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from lasair_broker.classify import UNKNOWN, Node, Taxonomy, taxonomy
from lasair_broker.packets.simulator import POPULATIONS
from lasair_broker.schema import TABLES

DATA = Path(__file__).parents[3] / "shared" / "data" / "labelled"


@pytest.mark.parametrize("name", ["classifications", "classification_history"])
def test_every_node_is_a_column(name: str) -> None:
    columns = [column.name for column in TABLES[name].columns]
    start = columns.index("topProbability") + 1
    assert columns[start : start + len(taxonomy().nodes)] == list(taxonomy().nodes)


def test_the_classes_asked_for_are_there() -> None:
    tree = taxonomy()
    assert set(tree.leaves_below("SN")) == {"SNIa", "SNIbc", "SNII", "SNIIn", "SLSN"}
    assert set(tree.leaves) == {
        *tree.leaves_below("SN"), "kilonova", "afterglow", "orphanAfterglow", "TDE", "AGN", "XRB", "CV",
        "eruptive", "microlensing", "variable", UNKNOWN,
    }  # fmt: skip
    assert tree.ancestors("SNIa") == ("SNIa", "SN", "transient")


def test_nodes_are_the_sums_of_their_leaves() -> None:
    tree = taxonomy()
    leaves = tree.leaves[:-1]
    probabilities = np.random.default_rng(1).dirichlet(np.ones(len(leaves)), 50)
    summed = tree.summed(leaves, probabilities)
    for name in tree.nodes:
        expected = sum(
            probabilities[:, leaves.index(leaf)] for leaf in tree.leaves_below(name) if leaf in leaves
        )
        np.testing.assert_allclose(summed[name], expected)
    np.testing.assert_allclose(summed["transient"] + summed["AGN"] + summed["galactic"], 1.0)


def test_labels_of_others() -> None:
    tree = taxonomy()
    codes = set(
        pq.read_table(DATA / "plasticc_train_objects.parquet", columns=["true_target"])[0].to_pylist()
    )
    assert {code for code in codes if tree.node_of("PLAsTiCC", str(code)) is None} == set()
    with (DATA / "ztf_bts_labels.csv").open() as lines:
        types = {row["type"] for row in csv.DictReader(lines)}
    assert {kind for kind in types if tree.node_of("BTS", kind) is None} <= {"", "-"}
    names = {population.name for population in POPULATIONS} - {"artefact"}
    assert {name for name in names if tree.node_of("simulator", name) is None} == set()
    assert tree.node_of("TNS", "SN IIb") == "SNIbc"
    assert tree.node_of("TNS", "no such type") is None
    for who in ("ALeRCE", "Fink"):
        assert any(who in node.labels for node in tree.nodes.values())


@pytest.mark.parametrize(
    ("nodes", "why"),
    [
        ([Node("a", ""), Node("a", "")], "stands twice"),
        ([Node("b", "", parent="a"), Node("a", "")], "parent 'a'"),
        ([Node("a", "", labels={"X": ["q"]}), Node("b", "", labels={"X": ["q"]})], "'q' of X"),
    ],
)
def test_a_tree_that_is_none_is_refused(nodes: list[Node], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Taxonomy(nodes)
