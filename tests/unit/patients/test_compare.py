"""The table of edges says what the ledger recorded, and each difference is named."""

import pytest
from tests.unit.patients.making import FEED, NOW, SITE, adt, mrg, oru, pid, pv1

from oathward.core.db import read, write
from oathward.ledger import append
from oathward.patients import actions, compare, work
from oathward.patients.compare import Difference

A, B, C = "100001^^^HOSP^MR", "100002^^^HOSP^MR", "100003^^^HOSP^MR"


@pytest.fixture
def busy(site):
    """A site with an edge of every kind."""
    site.take(oru("", "V1^^^HOSP"))
    site.take(adt("A01", pid(A, "Quill^Iris"), pv1("V1^^^HOSP")), FEED)
    site.take(adt("A28", pid(B, "Quill^Baby", mother=A)), FEED)
    site.take(adt("A24", pid(A), pid(B)), FEED)
    site.take(adt("A37", pid(A), pid(B)), FEED)
    merged = site.take(adt("A40", pid(A), mrg(C)), FEED).subject
    edge = next(e for e in site.resolver._state.graph if e.kind == "merged")
    site.unmerge(edge.id)
    with write(site.engine) as db:
        _, leaf = actions.forget(db, SITE, merged, source="t", now_us=NOW + 9)
        append(db, SITE, [leaf])
    return site


def told(site):
    with read(site.engine) as db:
        return compare.differences(db, SITE)


def tamper(site, sql):
    with write(site.engine) as db:
        return db.exec_driver_sql(sql).rowcount


def kinds(site):
    with read(site.engine) as db:
        return {kind for (kind,) in db.exec_driver_sql("SELECT kind FROM subject_edge")}


def test_what_the_site_did_itself_is_as_recorded(busy):
    assert kinds(busy) >= {"merged", "joined", "linked", "child-of", "undone", "erased"}
    assert told(busy) == []


def test_every_record_of_an_edge_is_known():
    assert set(work._RECORDS) == set(compare.RECORDS.values())
    assert {"subject.unlinked", *work._RECORDS.values()} - {"subject.erased"} <= set(compare.RECORDS)


@pytest.mark.parametrize("kind", ["merged", "joined", "linked", "child-of", "undone", "erased"])
def test_an_edge_that_is_deleted_is_named(busy, kind):
    gone = tamper(busy, f"DELETE FROM subject_edge WHERE kind = '{kind}'")
    assert gone
    assert [one.what for one in told(busy)] == ["deleted"] * gone


def test_an_edge_that_is_added_is_named(busy):
    columns = "kind, site, child, parent, event, source, at_us, undoes"
    tamper(
        busy,
        f"INSERT INTO subject_edge (id, {columns}) SELECT 'x', 'merged', site, child, parent, event, source, at_us, ''"
        " FROM subject_edge WHERE kind = 'joined' LIMIT 1",
    )
    assert told(busy) == [Difference("added", "x")]


@pytest.mark.parametrize(
    "change", ["child = parent", "parent = child", "at_us = at_us + 1", "kind = 'linked'"]
)
def test_an_edge_that_is_changed_is_named(busy, change):
    tamper(busy, f"UPDATE subject_edge SET {change} WHERE kind = 'joined'")
    assert [one.what for one in told(busy)] == ["changed"]


def test_without_the_records_every_edge_was_added(busy, monkeypatch):
    """The reverse: it is the records that count."""
    monkeypatch.setattr(compare, "RECORDS", {})
    assert {one.what for one in told(busy)} == {"added"}
