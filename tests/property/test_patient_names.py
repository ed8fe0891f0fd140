"""Whatever is merged, undone and joined in whatever order: a number has the name it had first, and who joins it has that too.

The model knows numbers, and what belongs to each: a visit, and a number of another authority. Until an admission says whose
they are they have a name of their own, and their number's from then on.
"""

import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.patients.making import FEED, Site, adt, edges, mrg, oru, pid, pv1

import oathward.ledger.tables
import oathward.patients.sql  # noqa: F401  declares its tables
from oathward.core.db import connect, create_tables
from oathward.patients.graph import Graph

NUMBERS = range(1, 5)
number = st.sampled_from(NUMBERS)
STEPS = st.lists(
    st.tuples(st.integers(0, 1), st.one_of(
        st.tuples(st.just("seen"), number),
        st.tuples(st.just("visited"), number),
        st.tuples(st.just("covered"), number),
        st.tuples(st.just("admit"), number),
        st.tuples(st.just("merged"), number, number),
        st.tuples(st.just("undone"), st.integers(0, 9)),
    )),
    max_size=25,
)  # fmt: skip


def mr(n):
    return f"{n}00^^^HOSP^MR"


def insured(n):
    return f"{n}77^^^PAYER^NI"


def visit(n):
    return f"V{n}^^^HOSP^VN"


class World:
    """Two processes of one site, and what everybody was called first."""

    def __init__(self, engine):
        self.sites = [Site(engine), Site(engine)]
        self.names, self.loose, self.admitted = {}, {}, set()

    def step(self, who, what, *about):
        site = self.sites[who]
        site.refresh()
        site.now = max(one.now for one in self.sites)
        getattr(self, what)(site, *about)

    def seen(self, site, n):
        self.check(n, site.take(oru(mr(n))).named)

    def visited(self, site, n):
        self.belongs(n, "visit", site.take(oru("", visit(n))).named)

    def covered(self, site, n):
        self.belongs(n, "insured", site.take(oru(insured(n))).named)

    def belongs(self, n, what, found):
        if n in self.admitted:
            self.check(n, found)
        else:
            assert self.loose.setdefault((n, what), found) == found

    def admit(self, site, n):
        found = site.take(adt("A01", pid(f"{mr(n)}~{insured(n)}"), pv1(visit(n))), FEED)
        if found.refused is None:  # else whose the number is stays open
            self.check(n, found.named)
            self.admitted.add(n)

    def merged(self, site, into, gone):
        if into != gone:
            self.check(into, site.take(adt("A40", pid(mr(into)), mrg(mr(gone))), FEED).named)

    def undone(self, site, which):
        standing = [e for e in edges(site, "merged") if e.state != "undone"]
        if standing:
            site.unmerge(standing[which % len(standing)].id)

    def check(self, n, found):
        assert self.names.setdefault(n, found) == found, "its name is the first it had"
        others = {one for m, one in self.names.items() if m != n}
        assert found not in others, "and nobody else's"

    def everybody(self):
        for site in self.sites:
            site.refresh()
            for n in NUMBERS:
                self.seen(site, n)
                self.visited(site, n)
                self.covered(site, n)


def run(steps):
    with tempfile.TemporaryDirectory() as folder:
        engine = connect(f"sqlite:///{folder}/site.db")
        create_tables(engine)
        try:
            world = World(engine)
            for who, (what, *about) in steps:
                world.step(who, what, *about)
            world.everybody()
        finally:
            engine.dispose()


@given(STEPS)
@settings(deadline=None)
def test_a_name_is_for_good(steps):
    run(steps)


MERGED = [(0, ("seen", 1)), (0, ("seen", 2)), (0, ("merged", 1, 2))]
JOINED = [(0, ("seen", 1)), (0, ("covered", 1)), (0, ("admit", 1))]


@pytest.mark.parametrize(
    ("off", "steps"),
    [(lambda graph, one: graph.effective(one), MERGED), (lambda _, one: one, JOINED)],
    ids=["merges count", "joins do not"],
)
def test_reverse_named_otherwise_it_is_found(monkeypatch, off, steps):
    run(steps)
    monkeypatch.setattr(Graph, "named", off)
    with pytest.raises(AssertionError):
        run(steps)
