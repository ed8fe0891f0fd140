"""Edges: one effective subject whatever their order, and every edge can be taken back."""

from random import Random

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
        assert set(graph.family("b")) == set("abcd")


def test_an_edge_that_arrives_late_is_put_in_its_place():
    graph = Graph(CHAIN[1:])
    graph.add(CHAIN[0])
    assert graph.effective("c") == "a"


@pytest.mark.parametrize("bad", [edge(9, "a", "c"), edge(9, "a", "a"), edge(9, "d", "c")])
def test_what_others_tie_already_is_idle_and_makes_no_circle(bad):
    graph = Graph([*CHAIN, bad])
    assert graph.idle == 1
    assert graph.is_idle(bad.id)
    assert {graph.effective(s) for s in "abcd"} == {"a"}


def test_an_idle_edge_ties_once_the_others_are_undone():
    there, back = edge(1, "a", "b"), edge(2, "b", "a")
    graph = Graph([there, back])
    assert (graph.effective("a"), graph.effective("b")) == ("b", "b")
    graph.add(undo(3, there))
    assert (graph.effective("a"), graph.effective("b"), graph.idle) == ("a", "a", 0)
    graph.add(undo(4, back))
    assert (graph.effective("a"), graph.effective("b")) == ("a", "b")


def test_a_second_parent_takes_the_whole_person_and_gives_it_back():
    first, second = edge(1, "c", "b"), edge(2, "c", "x")
    assert [Graph([first, second]).effective(s) for s in "bcx"] == ["x", "x", "x"]
    assert [Graph([first, second, undo(3, first)]).effective(s) for s in "bcx"] == ["b", "x", "x"]
    assert [Graph([first, second, undo(3, second)]).effective(s) for s in "bcx"] == ["b", "b", "x"]


@pytest.mark.parametrize("seed", range(20))
def test_what_is_one_person_does_not_hang_on_the_order(seed):
    """Against plain connectivity, computed another way, for random edges and undoings."""
    chance = Random(seed)
    edges = [edge(n, chance.choice("abcdefg"), chance.choice("abcdefg")) for n in range(12)]
    undone = chance.sample(edges, 5)
    graph = Graph()
    for one in edges:
        graph.add(one)
    for n, one in enumerate(undone):
        graph.add(undo(100 + n, one))
    group = {s: {s} for s in "abcdefg"}
    for one in edges:
        if one not in undone:
            union = group[one.child] | group[one.parent]
            for s in union:
                group[s] = union
    for s in "abcdefg":
        assert set(graph.family(graph.effective(s))) == group[s]
        assert graph.effective(s) in group[s]
    again = Graph(reversed(list(graph)))
    assert [again.effective(s) for s in "abcdefg"] == [graph.effective(s) for s in "abcdefg"]


def test_it_says_what_still_ties_two():
    first, second = edge(1, "a", "b"), edge(2, "b", "a")
    assert Graph([first, second, undo(3, first)]).still_tied_by("a", "b") == [second]
    assert Graph([first, undo(3, first)]).still_tied_by("a", "b") == []


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


def test_a_name_follows_joins_alone():
    graph = Graph(CHAIN)
    assert [graph.named(s) for s in "abcdx"] == ["a", "b", "c", "b", "x"]
    graph.add(undo(4, CHAIN[1]))
    assert [graph.named(s) for s in "abcd"] == ["a", "b", "c", "b"], "a merge that is undone changes nobody's"
    graph.add(edge(5, "b", "a", EdgeKind.JOINED))
    assert [graph.named(s) for s in "abcd"] == ["a", "a", "c", "a"]
    graph.add(undo(6, CHAIN[2]))
    assert [graph.named(s) for s in "abcd"] == ["a", "a", "c", "d"]


def test_a_join_names_although_merges_tied_the_two_already():
    graph = Graph([edge(1, "c", "a"), edge(2, "c", "a", EdgeKind.JOINED)])
    assert graph.idle == 1
    assert (graph.named("c"), graph.effective("c")) == ("a", "a")


def test_of_one_person_the_one_next_to_who_stands_for_it_is_nearest():
    graph = Graph(CHAIN)
    for some, nearest in (("abcd", "a"), ("cdb", "b"), ("dc", "d"), ("c", "c")):
        assert graph.nearest(some) == graph.nearest(reversed(some)) == nearest
