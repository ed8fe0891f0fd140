"""Elements that devices send and no link uses, from decisions as the gateway records them."""

from dataclasses import replace

import pytest
from tests.gate import gate_of
from tests.site import Site, local
from tests.unit.test_dry_running import before_files, hl7, take

from oathward.activation import load_active
from oathward.core.db import read
from oathward.inventory.model import Device
from oathward.mapping import raising, sending, telling


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


def test_one_finding_for_a_model_and_type_however_many_devices_and_messages(gate):
    row = sending.Unused("pump-1", "pump", "ORU^R01", ("name",), (), 3)
    rows = [row, row._replace(device="pump-2", classes=("age",)), row._replace(device="pump-3")]
    devices = {id_: Device(id_, make="Acme", model="P1") for id_ in ("pump-1", "pump-2")}
    found = {one.about: one.details for one in raising.of_elements(rows, devices)}
    assert found["model:Acme P1"] == {
        "message type": "ORU^R01",
        "classes": "age, name",
        "devices": 2,
        "messages": 6,
    }
    assert found["device:pump-3"]["devices"] == 1


def test_what_nobody_uses_is_told_by_itself_and_not_again(gate, monkeypatch):
    bundle = telling.bundle_of(gate.opened)
    narrow = {id_: replace(link, classes=frozenset({"structure"})) for id_, link in bundle.links.items()}
    monkeypatch.setattr(telling, "bundle_of", lambda _site: replace(bundle, links=narrow))

    def kinds():
        with read(gate.engine) as db:
            rows = db.exec_driver_sql("SELECT about, rank FROM finding WHERE kind = 'element.unused'")
            return sorted(map(tuple, rows.fetchall()))

    telling.tell_all(gate.opened)
    told = kinds()
    assert {(row[0].partition(":")[0], row[1]) for row in told} == {("device", 2)}
    telling.tell_all(gate.opened)
    assert [row[:2] for row in kinds()] == [row[:2] for row in told]


def test_no_more_of_the_ledger_is_looked_at_than_is_said(gate):
    assert sending.sending(gate.opened, 0, records_max=1).messages <= 1
