"""Whatever ADT comes in whatever order: one effective subject each, no circle, everything reversible.

The model knows which numbers the feed said belong together (edges between numbers, some undone) and computes by
itself who is one person; it knows nothing of subjects or forests.
"""

import tempfile

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from tests.unit.patients.making import FEED, KEY, SITE, Sender, Site, adt, mrg, oru, pid

import oathward.ledger.tables
import oathward.patients.sql  # noqa: F401  declares its tables
from oathward.core.db import connect, create_tables, read
from oathward.core.errors import StorageError
from oathward.patients import sql, views
from oathward.patients.graph import Graph
from oathward.patients.identifiers import Hasher, from_cx
from oathward.patients.model import FOLLOWED
from oathward.patients.work import Work

NUMBERS = [f"{n}00^^^{authority}^MR" for n in range(1, 5) for authority in ("HOSP", "CLINIC")]
HASHER = Hasher(KEY, SITE)
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

    def take(self, who, message, source=FEED, *, fresh=True):
        """Let one process take a message, knowing or not what the other one did; tried again as the path does."""
        site = self.sites[who]
        if fresh:
            site.refresh()
        for _ in range(3):
            resolution = site.resolve(message, source)
            try:
                site.commit(resolution)
            except StorageError as error:
                if "IntegrityError" not in error.why:
                    raise
                site.resolver.rolled_back(resolution)
            else:
                return resolution
        raise AssertionError("what another process wrote is seen after the first try")

    def stored(self):
        with read(self.engine) as db:
            return sql.edges(db, SITE)

    @rule(who=st.integers(0, 1), n=number)
    def seen(self, who, n):
        self.take(who, oru(n), Sender())

    @rule(who=st.integers(0, 1), n=number)
    def admitted(self, who, n):
        self.take(who, adt("A28", pid(n)))

    @rule(who=st.integers(0, 1))
    def caught_up(self, who):
        """Until it refreshes a process may answer as before; then it says what everybody says."""
        self.sites[who].refresh()
        graph = Graph(self.stored())
        subjects = {s for e in graph for s in (e.child, e.parent)}
        assert all(self.sites[who].resolver.effective(s) == graph.effective(s) for s in subjects)

    @rule(who=st.integers(0, 1))
    def restarted(self, who):
        self.sites[who] = Site(self.engine, now=self.sites[who].now)

    @rule(who=st.integers(0, 1), into=number, gone=number, fresh=st.booleans())
    def merge(self, who, into, gone, fresh):
        before = {e.id for e in self.stored()}
        resolution = self.take(who, adt("A40", pid(into), mrg(gone)), fresh=fresh)
        new = [e for e in self.stored() if e.id not in before]
        if authority(into) != authority(gone) or into == gone:
            assert resolution.refused is not None
            assert not new
        elif (gone, into) in self.merged.values():
            assert not new  # said before, and standing
        else:
            assert len(new) == 1
            self.merged[new[0].id] = (gone, into)

    @rule(who=st.integers(0, 1), into=number, gone=number)
    def merge_by_nobody(self, who, into, gone):
        before = len(self.stored())
        self.take(who, adt("A40", pid(into), mrg(gone)), Sender("pump-1"))
        assert len(self.stored()) == before

    @rule(who=st.integers(0, 1), a=number, b=number, fresh=st.booleans())
    def link(self, who, a, b, fresh):
        self.take(who, adt("A24", pid(a), pid(b)), fresh=fresh)

    @rule(who=st.integers(0, 1), a=number, b=number, fresh=st.booleans())
    def unlink(self, who, a, b, fresh):
        self.take(who, adt("A37", pid(a), pid(b)), fresh=fresh)
        if fresh:
            with read(self.engine) as db:
                ties = [e for e in views.edges(db, SITE, kind="linked") if e.state == "active"]
                tops = [
                    {views.effective(db, SITE, e.child), views.effective(db, SITE, e.parent)} for e in ties
                ]
                pair = {views.find(db, SITE, HASHER, from_cx(n, HASHER)) for n in (a, b)}
            assert pair not in tops

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
            known = {n: views.find(db, SITE, HASHER, from_cx(n, HASHER)) for n in NUMBERS}
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
        subjects = {s for e in edges for s in (e.child, e.parent)}
        for subject in subjects:
            top = graph.effective(subject)
            assert graph.effective(top) == top
            assert subject in graph.family(top)
        followed = [e for e in edges if e.kind in FOLLOWED and not graph.is_undone(e.id)]
        persons = {graph.effective(s) for s in subjects}
        assert len(followed) - graph.idle == len(subjects) - len(persons), "what ties makes a forest"
        assert len({(e.child, e.parent) for e in followed}) == len(followed), "each merge stands once"
        if edges:
            new = Site(self.engine)
            new.refresh()
            assert all(new.resolver.effective(s) == graph.effective(s) for s in subjects), "a restart agrees"

    @invariant()
    def sites_are_apart(self):
        if not hasattr(self, "sites"):
            return
        with read(self.engine) as db:
            pairs = set(db.exec_driver_sql("SELECT site, subject FROM subject_identifier").all())
        assert len({subject for _, subject in pairs}) == len(pairs)


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


def undone_first(folder):
    """Merge a number into one person and then into another, undo the first: give whom both now are."""
    engine = connect(f"sqlite:///{folder}/site.db")
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
            return [
                views.find(db, SITE, HASHER, from_cx(n, HASHER))
                for n in ("100^^^HOSP^MR", "200^^^HOSP^MR", "300^^^HOSP^MR")
            ]
    finally:
        engine.dispose()


def test_undoing_the_first_of_two_merges_of_one_number(tmp_path):
    """The second stays in force."""
    one, two, three = undone_first(tmp_path)
    assert one == two != three


def test_reverse_edges_between_whoever_stands_for_them_lose_it(tmp_path, monkeypatch):
    monkeypatch.setattr(Work, "own", lambda self, hashed: self.effective(self._found[hashed]))
    one, two, _three = undone_first(tmp_path)
    assert one != two
