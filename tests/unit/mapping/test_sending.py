"""Elements that devices send and no link uses, from decisions as the gateway records them."""

import pytest
from tests.gate import gate_of
from tests.site import Site, local
from tests.unit.test_dry_running import before_files, hl7, take

from oathward.activation import load_active
from oathward.core.db import read
from oathward.mapping import sending


@pytest.fixture
def gate(tmp_path):
    site = Site.make(tmp_path)
    site.activate(before_files())
    site.add(local("mon-1", "MON1", authoritative_adt=True), local("pump-1", "PMP1", kind="pump"))
    with gate_of(site) as gate:
        take(gate, [hl7("7001234501"), hl7("7001234502", sender="PMP1")])
        yield gate


def test_what_no_link_names_is_listed_and_what_one_names_is_not(gate, monkeypatch):
    monkeypatch.setattr(sending, "_BLOCK", 2)
    with read(gate.engine) as db:
        bundle = load_active(db, gate.site, gate.opened.authority, gate.opened.seen).bundle
    found = sending.sending(gate.opened, 0)
    assert (found.messages, found.unknown) == (2, 0)
    assert set(found.sent) == {("mon-1", "ORU^R01"), ("pump-1", "ORU^R01")}
    sent = found.sent["mon-1", "ORU^R01"]
    named = frozenset().union(
        *(bundle.links[link].classes for link in sent.links if bundle.links[link].recipient != "keep")
    )
    listed = {row.device: set(row.classes) for row in sending.unused(found, bundle)}
    assert listed.get("mon-1", set()) == sent.classes - named - sending.TRANSPORT_CLASSES
    sent.links.clear()
    assert {row.device: set(row.classes) for row in sending.unused(found, bundle)}[
        "mon-1"
    ] == sent.classes - sending.TRANSPORT_CLASSES
    assert sending.sending(gate.opened, 1 << 62).messages == 0


def test_messages_whose_facts_are_gone_are_counted_and_nothing_is_said_of_them(gate):
    with gate.engine.begin() as db:
        db.exec_driver_sql("DELETE FROM ledger_facts")
    found = sending.sending(gate.opened, 0)
    assert (found.messages, found.unknown, found.sent) == (2, 2, {})
