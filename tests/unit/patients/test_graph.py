"""Edges: one effective subject whatever their order, and every edge can be taken back."""

import pytest

from oathward.patients.graph import Graph
from oathward.patients.model import Edge, EdgeKind


def edge(n, child, parent, kind=EdgeKind.MERGED, undoes=""):
    return Edge(f"{n:04}", kind, child, parent, "A40", "feed", n, undoes)


def undo(n, what):
    return edge(n, what.child, what.parent, EdgeKind.UNDONE, what.id)


CHAIN = [edge(1, "c", "b"), edge(2, "b", "a"), edge(3, "d", "b", EdgeKind.JOINED)]


def test_it_follows_to_the_end():
    graph = Graph(CHAIN)
    assert {graph.effective(s) for s in "abcd"} == {"a"}
    assert set(graph.family("a")) == set("abcd")
    assert set(graph.family("b")) == set("bcd")
    assert graph.family("x") == ("x",)
    assert graph.effective("x") == "x"


def test_added_one_by_one_or_loaded_is_the_same():
    edges = [*CHAIN, undo(4, CHAIN[1]), edge(5, "a", "b")]
    slowly = Graph()
    for one in edges:
        slowly.add(one)
    for graph in (slowly, Graph(edges), Graph(reversed(edges))):
        assert [graph.effective(s) for s in "abcd"] == ["b", "b", "b", "b"]
        assert graph.idle == 0


def test_an_edge_that_arrives_late_is_put_in_its_place():
    graph = Graph(CHAIN[1:])
    graph.add(CHAIN[0])
    assert graph.effective("c") == "a"


@pytest.mark.parametrize("bad", [edge(9, "a", "c"), edge(9, "a", "a"), edge(9, "c", "x")])
def test_circles_and_second_parents_follow_nothing(bad):
    graph = Graph([*CHAIN, bad])
    assert graph.idle == 1
    assert graph.effective("c") == "a"


def test_only_merges_and_joins_are_followed():
    for kind in set(EdgeKind) - {EdgeKind.MERGED, EdgeKind.JOINED}:
        assert Graph([edge(1, "a", "b", kind)]).effective("a") == "a"


def test_what_was_not_committed_is_forgotten():
    graph = Graph(CHAIN[:1])
    graph.add(CHAIN[1])
    taken_back = undo(4, CHAIN[0])
    graph.add(taken_back)
    graph.discard([CHAIN[1].id, taken_back.id, "no such"])
    assert (graph.effective("c"), graph.effective("b"), len(graph)) == ("b", "b", 1)
