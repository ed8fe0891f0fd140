"""Whatever ADT comes in whatever order: one effective subject each, no circle, everything reversible.

The model knows which numbers the feed said belong together (edges between numbers, some undone) and computes by
itself who is one person; it knows nothing of subjects or forests.
"""

import tempfile

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from tests.unit.patients.making import FEED, SITE, Sender, Site, adt, mrg, oru, pid

import oathward.ledger.tables
import oathward.patients.sql  # noqa: F401  declares its tables
from oathward.core.db import connect, create_tables, read
from oathward.patients import sql, views
from oathward.patients.graph import Graph
from oathward.patients.model import FOLLOWED

NUMBERS = [f"{n}00^^^{authority}^MR" for n in range(1, 5) for authority in ("HOSP", "CLINIC")]
number = st.sampled_from(NUMBERS)


def authority(cx):
    return cx.split("^")[3]


class Merges(RuleBasedStateMachine):
    @initialize()
    def start(self):
        self.folder = tempfile.TemporaryDirectory()
        self.engine = connect(f"sqlite:///{self.folder.name}/site.db")
        create_tables(self.engine)
        self.sites = [Site(self.engine), Site(self.engine)]
        self.south = Site(self.engine, "south")
        self.first_subject = {}  # number -> subject it got first: never changes
        self.merged = {}  # edge id -> (number of child side, number of parent side)

    def teardown(self):
        if hasattr(self, "engine"):
            self.engine.dispose()
            self.folder.cleanup()

    def people(self):
        """Give, for each number, the set of numbers that are the same person, from the edges not undone."""
        groups = {n: {n} for n in NUMBERS}
        for a, b in self.merged.values():
            union = groups[a] | groups[b]
            for n in union:
                groups[n] = union
        return {n: frozenset(g) for n, g in groups.items()}

    def take(self, who, message, source=FEED):
        for site in self.sites:
            site.refresh()
        return self.sites[who].take(message, source)

    def stored(self):
        with read(self.engine) as db:
            return sql.edges(db, SITE)

    @rule(who=st.integers(0, 1), n=number)
    def seen(self, who, n):
        self.take(who, oru(n), Sender())

    @rule(who=st.integers(0, 1), n=number)
    def admitted(self, who, n):
        self.take(who, adt("A28", pid(n)))

    @rule(who=st.integers(0, 1), into=number, gone=number)
    def merge(self, who, into, gone):
        if any(child == gone for child, _ in self.merged.values()):
            return  # see test_undoing_the_first_of_two_merges_of_one_number: a known gap, shown there
        before = {e.id for e in self.stored()}
        resolution = self.take(who, adt("A40", pid(into), mrg(gone)))
        new = [e for e in self.stored() if e.id not in before]
        if authority(into) != authority(gone) or into == gone:
            assert resolution.refused is not None
            assert not new
        elif gone in self.people()[into]:
            assert not new
        else:
            (edge,) = new
            self.merged[edge.id] = (gone, into)

    @rule(who=st.integers(0, 1), into=number, gone=number)
    def merge_by_nobody(self, who, into, gone):
        before = len(self.stored())
        self.take(who, adt("A40", pid(into), mrg(gone)), Sender("pump-1"))
        assert len(self.stored()) == before

    @rule(who=st.integers(0, 1), a=number, b=number)
    def link(self, who, a, b):
        self.take(who, adt("A24", pid(a), pid(b)))

    @rule(who=st.integers(0, 1), a=number, b=number)
    def unlink(self, who, a, b):
        self.take(who, adt("A37", pid(a), pid(b)))

    @rule(who=st.integers(0, 1), data=st.data())
    def unmerge(self, who, data):
        if self.merged:
            edge = data.draw(st.sampled_from(sorted(self.merged)))
            self.sites[who].unmerge(edge)
            del self.merged[edge]

    @rule(n=number)
    def in_the_south(self, n):
        self.south.take(oru(n))

    @invariant()
    def each_number_is_whom_the_feed_says(self):
        if not hasattr(self, "sites"):
            return
        with read(self.engine) as db:
            rows = db.exec_driver_sql("SELECT hash, subject FROM subject_identifier").all()
            for h, subject in rows:
                assert self.first_subject.setdefault(bytes(h), subject) == subject  # rows never change
            known = {
                n: views.find(db, SITE, site_hasher(self.sites[0]), from_cx(n, self.sites[0]))
                for n in NUMBERS
            }
        people = self.people()
        for a in NUMBERS:
            for b in NUMBERS:
                if known[a] and known[b]:
                    assert (known[a] == known[b]) == (b in people[a]), (
                        "one person exactly where the feed says so"
                    )
                    assert known[a] != known[b] or authority(a) == authority(b)

    @invariant()
    def the_graph_is_a_forest(self):
        if not hasattr(self, "sites"):
            return
        edges = self.stored()
        graph = Graph(edges)
        assert graph.idle == 0
        subjects = {s for e in edges for s in (e.child, e.parent)}
        for subject in subjects:
            top = graph.effective(subject)
            assert graph.effective(top) == top
            assert subject in graph.family(top)
        followed = [e for e in edges if e.kind in FOLLOWED and not graph.is_undone(e.id)]
        assert len({e.child for e in followed}) == len(followed)
        for site in self.sites:
            site.refresh()
            assert {s: site.resolver.effective(s) for s in subjects} == {
                s: graph.effective(s) for s in subjects
            }

    @invariant()
    def sites_are_apart(self):
        if not hasattr(self, "sites"):
            return
        with read(self.engine) as db:
            pairs = set(db.exec_driver_sql("SELECT site, subject FROM subject_identifier").all())
        assert len({subject for _, subject in pairs}) == len(pairs)


def site_hasher(site):
    return site.resolver._hasher


def from_cx(text, site):
    from oathward.patients.identifiers import from_cx as reads

    return reads(text, site_hasher(site))


Merges.TestCase.settings = settings(stateful_step_count=15, max_examples=max(1, settings().max_examples // 2))
TestMerges = Merges.TestCase


@pytest.mark.parametrize(
    ("module", "guard", "off"),
    [
        ("oathward.patients.adt", "_within_authorities", lambda *_: True),
        ("oathward.patients.graph.Graph", "effective", lambda _, subject: subject),
        ("oathward.patients.sql", "edge_count", lambda *_: 0),
    ],
)
def test_reverse_without_a_guard_the_machine_finds_it(monkeypatch, module, guard, off):
    monkeypatch.setattr(f"{module}.{guard}", off)
    quiet = settings(
        stateful_step_count=15,
        max_examples=200,
        database=None,
        print_blob=False,
        phases=[Phase.generate],
        derandomize=True,
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Merges, settings=quiet)


@pytest.mark.xfail(
    strict=True, reason="the second edge ties whom the number stood for, not the number's own subject"
)
def test_undoing_the_first_of_two_merges_of_one_number(tmp_path):
    """A number merged into one person and then into another: undoing the first must leave the second in force."""
    engine = connect(f"sqlite:///{tmp_path}/site.db")
    create_tables(engine)
    site = Site(engine)
    try:
        site.take(adt("A40", pid("300^^^HOSP^MR"), mrg("100^^^HOSP^MR")), FEED)
        with read(engine) as db:
            [first] = sql.edges(db, SITE)
        site.take(adt("A28", pid("100^^^HOSP^MR")), FEED)
        site.take(adt("A40", pid("200^^^HOSP^MR"), mrg("100^^^HOSP^MR")), FEED)
        site.unmerge(first.id)
        with read(engine) as db:
            one, two = (
                views.find(db, SITE, site_hasher(site), from_cx(n, site))
                for n in ("100^^^HOSP^MR", "200^^^HOSP^MR")
            )
        assert one == two
    finally:
        engine.dispose()
