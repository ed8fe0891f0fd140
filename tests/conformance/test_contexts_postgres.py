"""Patients, inventory and consent on PostgreSQL: the same promises, with writers that really run side by side."""

import threading

import pytest
from tests.faults.test_one_subject import check
from tests.postgres import needs_postgres, postgres_engine, postgres_server, postgres_url  # noqa: F401  fixtures
from tests.unit.consent.conftest import Office, says
from tests.unit.inventory.conftest import NOW, SITE, Inventory
from tests.unit.inventory.test_makes import CUT, ESTATE
from tests.unit.patients.making import FEED, Site, adt, mrg, oru, pid, pv1

import oathward.consent.sql
import oathward.inventory.sql
import oathward.ledger.tables
import oathward.patients.sql  # noqa: F401  these declare their tables
from oathward.core.db import read, write
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.inventory import actions as inventory_actions
from oathward.inventory import strangers, views
from oathward.inventory.model import Device, Peer
from oathward.inventory.sql import use_assertion
from oathward.patients import actions, sql
from oathward.patients.graph import Graph
from oathward.patients.model import IdentityMovedError

pytestmark = needs_postgres

A, B = "100001^^^HOSP^MR", "100002^^^HOSP^MR"


def test_a_patients_day(engine):
    site = Site(engine)
    held = site.take(oru("", "V1^^^HOSP"))
    mother = site.take(adt("A01", pid(A, "Quill^Iris"), pv1("V1^^^HOSP")), FEED)
    assert site.take(oru("", "V1^^^HOSP")).subject == mother.subject != held.subject
    site.take(adt("A28", pid(B, "Quill^Baby", mother=A)), FEED)
    site.take(adt("A24", pid(A), pid(B)), FEED)
    site.take(adt("A37", pid(A), pid(B)), FEED)
    site.take(adt("A40", pid(A), mrg("100003^^^HOSP^MR")), FEED)
    assert site.take(oru("100003^^^HOSP^MR")).subject == mother.subject
    merged = next(e for e in site.resolver._state.graph if e.kind == "merged")
    site.unmerge(merged.id)
    assert site.take(oru("100003^^^HOSP^MR")).subject == merged.child
    words = site.resolver.words_of(engine, mother.subject, site.now)
    assert site.resolver._words.word("quill") in words
    token = site.resolver._words.token("100001")
    assert (
        site.resolver.foreign(engine, [token, *(b"%8d" % n for n in range(300))], held.subject) == frozenset()
    )
    assert site.resolver.foreign(engine, [token], site.take(oru(B)).subject) == {token}
    with read(engine) as db:
        assert sql.count_subjects(db, "north") == {"holding": 1, "known": 3}


def test_a_number_taken_meanwhile(engine):
    one, two = Site(engine), Site(engine)
    a, b = one.resolve(oru(A)), two.resolve(oru(A))
    one.commit(a)
    with pytest.raises(IdentityMovedError):
        two.commit(b)
    two.resolver.rolled_back(b)
    assert two.take(oru(A)).subject == a.subject


def at_once(engine, rounds, *, crosswise):
    """Let two processes merge the same pairs at the same time; count edges, those idle, and persons."""
    sites = [Site(engine), Site(engine)]
    for n in range(rounds):
        pair = [f"{n}1^^^HOSP^MR", f"{n}2^^^HOSP^MR"]
        for site in sites:
            for cx in pair:
                site.take(oru(cx))
            site.refresh()
        ways = [pair, pair[::-1] if crosswise else pair]
        plans = [
            s.resolve(adt("A40", pid(into), mrg(gone)), FEED)
            for s, (into, gone) in zip(sites, ways, strict=True)
        ]
        gate = threading.Barrier(2)

        def run(site, plan, gate=gate):
            gate.wait()
            try:
                site.commit(plan)
            except IdentityMovedError:
                site.resolver.rolled_back(plan)

        threads = [threading.Thread(target=run, args=pair) for pair in zip(sites, plans, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with read(engine) as db:
        edges = sql.edges(db, "north")
    graph = Graph(edges)
    return len(edges), graph.idle, len({graph.effective(s) for e in edges for s in (e.child, e.parent)})


def test_merges_crosswise_at_the_same_time_both_stand_and_make_no_circle(engine):
    assert at_once(engine, 15, crosswise=True) == (30, 15, 15)


def test_the_same_merge_at_the_same_time_is_written_once(engine):
    assert at_once(engine, 15, crosswise=False) == (15, 0, 15)


def test_reverse_without_the_check_twice(engine, monkeypatch):
    monkeypatch.setattr(actions, "_check_edges", lambda *_: None)
    assert at_once(engine, 3, crosswise=False) == (6, 3, 3)


def test_devices(engine):
    inventory = Inventory(engine)
    pump = Device("pump-1", certificates=frozenset(("01" * 32,)), senders=frozenset(("P",)))
    inventory.add(pump)
    peer = Peer("10.0.0.1", b"\x01" * 32)
    assert inventory.snapshot.identify(peer, (b"P", b"")).device == pump
    for n in range(3):
        inventory.run(strangers.remember_unknown, Peer("10.0.0.2"), (b"NEW", b""), NOW + n)
    with read(engine) as db:
        (held,) = views.unknown(db, SITE)
        draft = inventory_actions.plan_adoption(db, SITE, held.id, Device("pump-2"), pin_address=True)
    assert held.messages == 3
    inventory.store(inventory.sign([draft]), "device.adopted", held=held.id)
    inventory.run(inventory_actions.revoke, "pump-1", by="me", reason="lost", now_us=NOW)
    inventory.refresh()
    assert inventory.snapshot.identify(peer, (b"P", b"")).reason is Reason.DEVICE_REVOKED
    assert inventory.snapshot.identify(Peer("10.0.0.2"), (b"NEW", b"")).device.id == "pump-2"


def test_a_signed_request_is_used_once(engine):
    def used(now_us):
        with write(engine) as db:
            return use_assertion(db, SITE, b"d" * 32, until_us=now_us + 10, now_us=now_us)

    assert [used(NOW), used(NOW + 1), used(NOW + 11)] == [True, False, True]


def test_consents(engine):
    office, ann = Office(engine), uuid7()
    office.record(ann, says())
    office.record(ann, says(permit=False))
    version, facts = office.of(ann)
    assert (version, [f.permit for f in facts]) == (2, [True, False])
    office.sql("UPDATE consent_fact SET signature = '\\x00' WHERE version = 2")
    assert office.process().of(engine, [ann]) == (None, None)


def test_two_processes_that_meet_the_same_patients(postgres_url):  # noqa: F811  the fixture
    check(postgres_url)


def test_devices_are_cut_to_products(engine):
    inventory = Inventory(engine)
    inventory.add(*ESTATE)
    with read(engine) as db:
        for makes, wanted in CUT:
            found = views.of_makes(db, SITE, inventory.signer, inventory.seen, frozenset(makes))
            assert [one.device.id for one in found] == wanted, makes
