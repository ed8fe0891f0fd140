"""The map as it is read from the tables, told as findings, and cleared again."""

import hashlib
from dataclasses import replace
from types import SimpleNamespace

import pytest
from tests.unit.governance.office import NOW, SITE
from tests.unit.mapping.seeding import seed

from oathward.core.clock import from_micros
from oathward.core.db import read, write
from oathward.core.parsing import ParserError
from oathward.discovery.model import Fact, Mark, MarkKind, Statement
from oathward.endpoints import actions, leases
from oathward.inventory.model import Device
from oathward.mapping import reading, ruling, telling
from oathward.mapping.model import DeclaredKind, Listed
from oathward.network import actions as network
from oathward.network import apart
from oathward.network.model import RulesetRow
from oathward.network.rules import spans

DICOM = ("10.1.0.5", "ward", "10.2.0.9", "enterprise", 5000, "dicom", "", {"patient.name": 4})
OUT = ("10.1.0.6", "ward", "203.0.113.7", "external", 443, "tls", "TLSv1.2", {})


def kinds(office):
    with read(office.engine) as db:
        rows = db.exec_driver_sql("SELECT kind, state FROM finding ORDER BY kind").fetchall()
    return [tuple(row) for row in rows]


def test_what_differs_is_told_and_what_is_gone_is_cleared(office):
    seed(office.engine, SITE, [DICOM, OUT], NOW)
    found = reading.read_living(office.site, office.bundle, NOW)
    assert (found.compared.looked, found.compared.left) == (2, False)
    assert reading.tell(office.site, found, NOW).opened == len(found.compared.differences)
    told = dict(kinds(office))
    assert {"flow.undeclared", "flow.clear-text-phi", "connection.unregistered"} <= set(told)
    with write(office.engine) as db:
        db.exec_driver_sql("DELETE FROM flow_conversation WHERE port = 443")
    reading.tell(office.site, reading.read_living(office.site, office.bundle, NOW + 1), NOW + 1)
    assert dict(kinds(office))["connection.unregistered"] == "cleared"
    assert dict(kinds(office))["flow.undeclared"] == "open"
    assert "finding.opened" in office.records()


def test_of_a_map_that_is_too_large_to_be_looked_at_whole_nothing_is_cleared(office):
    seed(office.engine, SITE, [DICOM, OUT], NOW)
    reading.tell(office.site, reading.read_living(office.site, office.bundle, NOW), NOW)
    before = kinds(office)
    with read(office.engine) as db:
        few = reading.living(db, office.site, office.bundle, NOW, most=1)
    assert reading.tell(office.site, few, NOW + 1).cut
    assert kinds(office) == before


def test_a_part_never_says_that_something_was_not_seen(office):
    seed(office.engine, SITE, [DICOM, OUT], NOW)
    with read(office.engine) as db:
        whole = reading.living(db, office.site, office.bundle, NOW)
        some = reading.living(db, office.site, office.bundle, NOW, service="dicom")
        few = reading.living(db, office.site, office.bundle, NOW, most=1)
    assert some.compared.looked == few.compared.looked == 1
    assert few.compared.left
    assert not some.compared.listed(Listed.UNSEEN)
    assert not few.compared.listed(Listed.UNSEEN)
    assert {one.client for one in whole.observed} == {"10.1.0.5", "10.1.0.6"}
    ends, lines = reading.ends_and_lines(whole)
    assert ({end.zone for end in ends}, len(lines)) == ({"ward", "enterprise", "external"}, 2)


@pytest.fixture
def clocked(office):
    """The office's site, with a clock that goes on when it is told to."""
    site = SimpleNamespace(**vars(office.site), now_us=NOW)
    site.clock = SimpleNamespace(now=lambda: from_micros(site.now_us))
    return site


def test_all_is_told_by_itself_and_told_again_only_counts(office, clocked):
    seed(office.engine, SITE, [DICOM, OUT], NOW)
    first = telling.tell_all(clocked)
    assert first.opened > 2
    clocked.now_us += 1
    again = telling.tell_all(clocked)
    assert (again.opened, again.reopened, again.cleared, again.again) == (0, 0, 0, first.opened)
    with write(office.engine) as db:
        db.exec_driver_sql("DELETE FROM flow_conversation")
    clocked.now_us += 1
    assert telling.tell_all(clocked).cleared == first.opened


def test_devices_are_declared_to_speak_to_the_door_of_fhir(office):
    settings = replace(office.settings, fhir=replace(office.settings.fhir, host="10.9.0.1", port=2578))
    site = SimpleNamespace(**vars(office.site) | {"settings": settings})
    device = Device("app-1", addresses=frozenset({"10.1.0.5"}))
    with read(office.engine) as db:
        found = reading.declared(db, site, None, NOW, [device])
    doors = {one.id: (one.servers, one.tls) for one in found if one.kind is DeclaredKind.GATEWAY}
    assert doors["app-1:2578"] == (spans.joined([spans.address_span("10.9.0.1")]), True)


HOUR = 3_600_000_000


def said(source, name, address, at_us=NOW - HOUR):
    return Statement(at_us, source, "main", (Mark(MarkKind.ADDRESS, address),), (Fact("host", name, 0.5),))


def test_a_host_stands_for_the_address_that_a_name_server_answered_never_for_who_calls_itself_so(office):
    statements = [said("pcap.dns", "ehr.example", "10.2.0.9"), said("pcap.dhcp", "ehr.example", "10.66.6.6")]
    actions.take(office.engine, SITE, statements, NOW, "p-ann")
    with read(office.engine) as db:
        assert leases.addresses_of(db, SITE, {"ehr.example"}, NOW) == {"ehr.example": {"10.2.0.9"}}
        assert leases.addresses_of(db, SITE, {"ehr.example"}, NOW + 31 * 24 * HOUR) == {}
        assert leases.addresses_of(db, SITE, {"other.example"}, NOW) == {}


def test_a_recipients_host_is_declared_by_the_address_that_was_seen_for_it(office):
    recipient = office.bundle.recipients["ehr"]
    host, port = "ehr-1.example", 2575
    recipient = replace(recipient, kind="mllp", address=f"{host}:{port}")
    bundle = replace(office.bundle, recipients=office.bundle.recipients | {"ehr": recipient})
    seed(office.engine, SITE, [("10.1.0.5", "ward", "10.2.0.9", "enterprise", port, "hl7", "", {})], NOW)

    def lists():
        found = reading.read_living(office.site, bundle, NOW).compared
        return {one.kind for one in found.differences}, set(found.matched.values())

    assert "flow.undeclared" in lists()[0]
    actions.take(office.engine, SITE, [said("zeek.dns", "EHR-1.example", "10.2.0.9")], NOW, "p-ann")
    kinds_now, declared = lists()
    assert "flow.undeclared" not in kinds_now
    assert {one.partition(":")[0] for one in declared} == {"link"}


RULES = b"table inet f {\n chain forward {\n  type filter hook forward priority filter; policy drop;\n }\n}\n"


def imported(office, interfaces=None, name="fw", content=RULES):
    digest = hashlib.sha256(content).hexdigest()
    row = RulesetRow(name, NOW, "p-ann", digest, 0, "", {}, interfaces or {}, content)
    with write(office.engine) as db:
        network.import_rules(db, SITE, row)


def told_of_rules(office, clocked):
    clocked.now_us += 1
    telling.tell_all(clocked)
    with read(office.engine) as db:
        text = "SELECT kind FROM finding WHERE source = 'rules:fw' AND state != 'cleared' ORDER BY kind"
        return [row[0] for row in db.exec_driver_sql(text)]


def test_what_is_declared_is_taken_from_the_map_when_rules_stop_it(office, clocked):
    recipient = replace(office.bundle.recipients["ehr"], kind="mllp", address="10.2.0.9:2575")
    bundle = replace(office.bundle, recipients=office.bundle.recipients | {"ehr": recipient})
    way = ("10.1.0.5", "ward", "10.2.0.9", "enterprise", 2575, "hl7", "", {})
    seed(office.engine, SITE, [way, DICOM], NOW)
    imported(office)
    assert told_of_rules(office, clocked) == ["flow.undeclared"] * 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(telling, "bundle_of", lambda _site: bundle)
        assert told_of_rules(office, clocked) == ["flow.undeclared", "rule.forbids-flow"]
    imported(office, {"10.0.0.0/8": "inside"})
    assert told_of_rules(office, clocked) == [], "it does not pass there"


def test_a_declared_flow_that_rules_stop_and_nobody_answers_is_urgent(office, clocked, monkeypatch):
    recipient = replace(office.bundle.recipients["ehr"], kind="mllp", address="10.2.0.9:2575")
    bundle = replace(office.bundle, recipients=office.bundle.recipients | {"ehr": recipient})
    monkeypatch.setattr(telling, "bundle_of", lambda _site: bundle)
    seed(office.engine, SITE, [("10.1.0.5", "ward", "10.2.0.9", "enterprise", 2575, "hl7", "", {})], NOW)
    with write(office.engine) as db:
        db.exec_driver_sql("UPDATE flow_conversation SET answered = 0, unanswered = 3")
    imported(office)
    assert told_of_rules(office, clocked) == ["rule.forbids-flow"]


def test_rules_that_end_their_reader_leave_the_rest_told_and_theirs_as_it_was(office, clocked, monkeypatch):
    seed(office.engine, SITE, [DICOM], NOW)
    for name in ("a-fw", "fw"):
        imported(office, name=name, content=RULES + name.encode().join((b"# ", b"\n")))
    read_rules = apart.read_rules

    def broken(content, columns):
        if b"a-fw" in content:
            raise ParserError("rules", "the process that read it ended")
        return read_rules(content, columns)

    monkeypatch.setattr(apart, "read_rules", broken)
    monkeypatch.setattr(ruling, "_kept", {})
    assert told_of_rules(office, clocked) == ["flow.undeclared"]


def test_rules_that_stay_the_same_are_read_once(office, clocked, monkeypatch):
    seed(office.engine, SITE, [DICOM], NOW)
    imported(office)
    read, read_rules = [], apart.read_rules
    monkeypatch.setattr(ruling, "_kept", {})
    monkeypatch.setattr(apart, "read_rules", lambda *said: read.append(1) or read_rules(*said))
    assert told_of_rules(office, clocked) == told_of_rules(office, clocked) == ["flow.undeclared"]
    assert len(read) == 1
    imported(office, content=RULES.replace(b"drop", b"accept"))
    assert told_of_rules(office, clocked) == []
    monkeypatch.setattr(ruling, "RULES_KEPT_MAX", -1)
    ruling._kept.clear()
    told_of_rules(office, clocked)
    assert not ruling._kept
