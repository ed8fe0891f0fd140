"""Promises about merges that wait for a person: what crosses at once, what only when confirmed, and by whose signature."""

import dataclasses

import pytest
from tests.unit.patients.making import FEED, NOW, SITE, A, B, C, adt, mrg, pid, subject

from oathward.core.db import read, write
from oathward.core.errors import AuthorityError, InputError
from oathward.core.reasons import Reason
from oathward.patients import confirming, sql, views
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
