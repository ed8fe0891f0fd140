"""Promises about merges that wait for a person: what crosses at once, what only when confirmed, and by whose signature."""

import dataclasses
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event
from tests.unit.patients.making import FEED, NOW, SITE, A, B, C, adt, mrg, pid, subject

from oathward.core.db import connect, create_tables, read, write
from oathward.core.errors import AuthorityError, InputError
from oathward.core.reasons import Reason
from oathward.patients import confirming, sql, views
from oathward.patients.graph import Graph
from oathward.patients.model import Edge, EdgeKind
from oathward.vault.authority import Seen, signing_input
from oathward.vault.sign import Signer


@pytest.fixture
def signer():
    return Signer.create("keeper")


@pytest.fixture
def merged(site):
    """B went into A."""
    subject(site, B)
    site.take(adt("A40", pid(A), mrg(B)), FEED)
    with read(site.engine) as db:
        return views.edges(db, SITE)[0]


def confirm(site, signer, edge_id):
    with read(site.engine) as db:
        wanted = confirming.draft(db, SITE, edge_id)
    signed = dataclasses.replace(wanted, version=1, at_us=NOW)
    signed = dataclasses.replace(signed, signature=signer.sign(signing_input(signed)))
    with write(site.engine) as db:
        confirming.store(db, SITE, signed, by="p-1", why="both cards seen", now_us=NOW)


def family(site, signer, one):
    with read(site.engine) as db:
        return set(views.confirmed_family(db, SITE, one, signer, Seen()))


def waiting(site, signer):
    with read(site.engine) as db:
        return [e.id for e in views.unconfirmed(db, SITE, signer, Seen())]


def test_a_merge_ties_at_once_and_is_crossed_only_once_confirmed(site, signer, merged):
    with read(site.engine) as db:
        assert set(views.family(db, SITE, merged.child)) == {merged.child, merged.parent}
    assert waiting(site, signer) == [merged.id]
    assert family(site, signer, merged.child) == {merged.child}
    assert family(site, signer, merged.parent) == {merged.parent}
    confirm(site, signer, merged.id)
    assert waiting(site, signer) == []
    for one in (merged.child, merged.parent):
        assert family(site, signer, one) == {merged.child, merged.parent}


def test_one_confirmation_is_of_one_merge(site, signer, merged):
    site.take(adt("A40", pid(A), mrg(C)), FEED)
    confirm(site, signer, merged.id)
    third = subject(site, C)
    with read(site.engine) as db:
        other = next(e for e in views.edges(db, SITE) if e.id != merged.id)
    assert third == merged.parent, "what they are called crosses at once"
    assert family(site, signer, other.child) == {other.child}
    assert family(site, signer, merged.parent) == {merged.child, merged.parent}
    assert waiting(site, signer) == [other.id]


def test_an_undone_merge_is_crossed_no_longer_and_said_again_waits_again(site, signer, merged):
    confirm(site, signer, merged.id)
    site.unmerge(merged.id)
    assert family(site, signer, merged.child) == {merged.child}
    site.take(adt("A40", pid(A), mrg(B)), FEED)
    assert len(waiting(site, signer)) == 1
    assert family(site, signer, merged.child) == {merged.child}


def test_only_the_keepers_signature_confirms(site, signer, merged):
    confirm(site, Signer.create("keeper"), merged.id)
    with pytest.raises(AuthorityError):
        family(site, signer, merged.child)


def test_a_confirmation_that_was_seen_and_is_gone_is_noticed(site, signer, merged):
    with read(site.engine) as db, pytest.raises(AuthorityError):
        views.confirmed_family(db, SITE, merged.child, signer, Seen({(confirming.KIND, merged.id): 1}))


def test_a_join_needs_no_word(site, signer):
    for one in (A, B):
        subject(site, one)
    site.take(adt("A28", pid(f"{A}~9^^^GOV^NI")), FEED)
    with read(site.engine) as db:
        joins = [e for e in sql.edges(db, SITE) if e.kind == "joined"]
    for edge in joins:
        assert family(site, signer, edge.child) >= {edge.child, edge.parent}
    assert waiting(site, signer) == []


@pytest.mark.parametrize("again", [True, False])
def test_what_cannot_be_confirmed_says_so(site, signer, merged, again):
    if again:
        confirm(site, signer, merged.id)
    else:
        site.unmerge(merged.id)
    with read(site.engine) as db, pytest.raises(InputError) as error:
        confirming.draft(db, SITE, merged.id)
    assert error.value.reason is Reason.CONFLICT
    with read(site.engine) as db, pytest.raises(InputError) as error:
        confirming.draft(db, SITE, "nothing")
    assert error.value.reason is Reason.NOT_FOUND


def test_it_is_recorded_with_who_said_the_merge(site, signer, merged):
    confirm(site, signer, merged.id)
    with read(site.engine) as db:
        row = db.exec_driver_sql("SELECT kind, subject, body FROM ledger_record ORDER BY idx DESC").first()
    assert row[:2] == ("merge.confirmed", merged.parent)
    assert b'"source":"feed"' in bytes(row[2])


def reads(site, act):
    """Give what an act asks of the table of edges, with the parameters, and how many rows these bring."""
    rows, asked = [], []
    real = sql._edge

    def counted(row):
        rows.append(row)
        return real(row)

    def watched(_connection, _cursor, statement, parameters, *_):
        if "FROM subject_edge" in statement:
            asked.append((statement, parameters))

    event.listen(site.engine, "before_cursor_execute", watched)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sql, "_edge", counted)
        try:
            act()
        finally:
            event.remove(site.engine, "before_cursor_execute", watched)
    return asked, len(rows)


def test_a_family_is_read_by_its_own_edges_however_many_others_there_are(site, signer, merged):
    """An opening by a glass asks this: a hospital's thousands of merges are not read for it."""

    def asked():
        return reads(site, lambda: family(site, signer, merged.child))

    alone = asked()
    assert (len(alone[0]), alone[1]) == (3, 2), (
        "from the child, from its parent, which find one edge, and its undoing"
    )
    for n in range(30):
        site.take(adt("A40", pid(f"3{n:05}^^^HOSP^MR"), mrg(f"4{n:05}^^^HOSP^MR")), FEED)
    with read(site.engine) as db:
        assert len(sql.edges(db, SITE)) == 31
        plans = [
            db.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}", values).all() for words, values in alone[0]
        ]
    assert asked() == alone
    steps = {
        row[3].partition("USING INDEX ")[2].split()[0]
        for plan in plans
        for row in plan
        if row[3].startswith("S")
    }
    assert steps == {"subject_edge_child", "subject_edge_parent", "subject_edge_undoes"}, (
        "never all of a site"
    )


def test_what_is_read_around_a_subject_is_of_its_site_and_says_what_was_undone(site, merged):
    foreign = Edge("0", EdgeKind.MERGED, merged.child, "other", "A40", "feed", 1)
    with write(site.engine) as db:
        sql.insert_edges(db, "south", [foreign])
        assert sql.edges_around(db, SITE, [merged.child]) == sql.edges(db, SITE)
        assert sql.edges_around(db, "south", [merged.child]) == [foreign]
    site.unmerge(merged.id)
    with read(site.engine) as db:
        assert {e.kind for e in sql.edges_around(db, SITE, [merged.child])} == {
            EdgeKind.MERGED,
            EdgeKind.UNDONE,
        }
        assert views.family(db, SITE, merged.child) == (merged.child,)


@given(
    st.lists(
        st.tuples(st.sampled_from(["merge", "join", "undo", "link"]), st.integers(0, 7), st.integers(0, 7)),
        max_size=30,
    )
)
def test_what_is_read_around_a_subject_says_of_it_what_all_edges_say(steps):
    kinds = {"merge": EdgeKind.MERGED, "join": EdgeKind.JOINED, "link": EdgeKind.LINKED}
    edges = []
    for n, (what, a, b) in enumerate(steps):
        if what != "undo":
            edges.append(Edge(f"{n:04}", kinds[what], f"s{a}", f"s{b}", "A40", "feed", n, ""))
        elif (
            edges
            and (one := edges[a % len(edges)]).kind is not EdgeKind.UNDONE
            and not any(e.undoes == one.id for e in edges)
        ):
            edges.append(Edge(f"{n:04}", EdgeKind.UNDONE, one.child, one.parent, "command", "p", n, one.id))
    with tempfile.TemporaryDirectory() as folder:
        engine = connect(f"sqlite:///{folder}/site.db")
        create_tables(engine)
        with write(engine) as db:
            sql.insert_edges(db, SITE, edges)
            whole = Graph(sql.edges(db, SITE))
            for subject_ in [f"s{n}" for n in range(8)]:
                assert set(views.family(db, SITE, subject_)) == set(whole.family(whole.effective(subject_)))
                assert views.effective(db, SITE, subject_) == whole.effective(subject_)
                other = "s0"
                tied = {e.id for e in whole.still_tied_by(subject_, other)}
                assert set(views.still_tied(db, SITE, subject_, other)) == tied
        engine.dispose()
