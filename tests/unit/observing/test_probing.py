"""One probe of one endpoint, by order: what must hold before a connection is opened, what stands on record, what it told."""

import json
import shutil
from collections import Counter

import pytest

from oathward.app import build
from oathward.core.clock import from_micros, micros
from oathward.core.db import read, write
from oathward.core.errors import InputError, StorageError
from oathward.core.settings import load
from oathward.discovery.model import Fact, Mark, MarkKind, Statement
from oathward.discovery.probing.probe import Outcome, Told
from oathward.endpoints import actions, deciding, probes, probing, views
from oathward.network.model import PlanRow
from oathward.observing import probing as orders

MINUTE, HOUR = 60_000_000, 3_600_000_000
ADDRESS, CARD = "10.1.0.7", "00:1b:63:00:00:07"
KNOWN = {"criticality": "low", "consequence": "none"}
DIGEST = "ab" * 32
OPEN = Told(Outcome.OPEN)
ANSWER = Told(
    Outcome.ANSWERED, (Fact("tls", "TLSv1.0", 0.9), Fact("certificate-subject", "pump-7", 0.9)), DIGEST
)


@pytest.fixture
def site(folder, tmp_path):
    data = shutil.copytree(folder, tmp_path / "data")
    (data / "oathward.toml").write_text("[network]\nprobes = true\n")
    opened = build(load(data), "admin")
    yield opened
    opened.keeper.close()
    opened.engine.dispose()


@pytest.fixture
def clock(site, monkeypatch):
    """The site's clock, moved by hand."""
    now = [micros(site.clock.now())]
    monkeypatch.setattr(type(site.clock), "now", lambda _self: from_micros(now[0]))
    return now


class Asked:
    """In place of the connection: counts, looks, answers."""

    def __init__(self, answer=ANSWER, meanwhile=lambda: None):
        self.answer, self.meanwhile, self.calls = answer, meanwhile, []

    def __call__(self, *asked):
        self.calls.append(asked)
        self.meanwhile()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def hears(
    site,
    *,
    address=ADDRESS,
    card=CARD,
    ago_us=MINUTE,
    realm="demo",
    source="pcap.arp",
    marks=(),
    behind=(),
    facts=(),
):
    at_us = micros(site.clock.now()) - ago_us
    own = [Mark(MarkKind.MAC, card)] if card else []
    own += [Mark(MarkKind.ADDRESS, address)] if address else []
    said = Statement(
        at_us, source, realm, (*own, *marks), tuple(Fact(*one) for one in facts), "", tuple(behind)
    )
    return actions.take(site.engine, site.site, [said], micros(site.clock.now()), "test")


def id_of(site, **wanted):
    with read(site.engine) as db:
        [row] = [
            row
            for row in views.page(db, site.site, views.Filters()).rows
            if all(getattr(row, name) == value for name, value in wanted.items())
        ]
    return row.id


def describe(site, id_, **values):
    deciding.describe(site.engine, site.site, [id_], values, by="p", now_us=micros(site.clock.now()))


@pytest.fixture
def pump(site, clock):
    """An endpoint of which everybody knows that it bears a probe: idle, of little consequence."""
    hears(site)
    id_ = id_of(site, mac=CARD)
    describe(site, id_, **KNOWN)
    return id_


USE = ("use-unknown",)


def order(site, id_, ask=None, **more):
    wanted = {"kind": "tls", "port": 443, "by": "p-1", "reason": "which version?", "although": USE} | more
    ask = ask if ask is not None else Asked()
    return (*orders.order(site, orders.Order(endpoint=id_, **wanted), ask), ask)


def refused(site, id_, code, **more):
    ask = Asked()
    with pytest.raises(InputError) as raised:
        order(site, id_, ask, **more)
    assert (raised.value.reason.code, ask.calls) == (code, [])
    return raised.value


def records(site):
    with read(site.engine) as db:
        rows = db.exec_driver_sql("SELECT kind, body FROM ledger_record ORDER BY idx").fetchall()
    return [(kind, json.loads(body)["body"]) for kind, body in rows if kind.startswith("probe.")]


def said(site, id_):
    with read(site.engine) as db:
        whole = views.one(db, site.site, id_)
    return {row.attribute: row.value for row in whole.attributes if row.source.startswith("probe.")}, whole


# --- the order, and what it told


def test_the_order_is_on_record_before_anything_is_opened_and_the_end_after(site, pump):
    before = []
    row, told, ask = order(site, pump, Asked(meanwhile=lambda: before.extend(records(site))))
    assert ask.calls == [("tls", ADDRESS, 443, "")]
    [(kind, body)] = before
    assert kind == "probe.ordered"
    assert {
        name: body[name] for name in ("by", "reason", "endpoint", "address", "port", "kind", "risks")
    } == {
        "by": "p-1",
        "reason": "which version?",
        "endpoint": pump,
        "address": ADDRESS,
        "port": 443,
        "kind": "tls",
        "risks": "use-unknown",
    }
    [_, (kind, body)] = records(site)
    assert (kind, body["id"], body["outcome"], body["facts"]) == ("probe.ended", row.id, "answered", 2)
    assert told is ANSWER


def test_what_it_told_stands_on_the_endpoint_by_its_source(site, pump):
    order(site, pump)
    told, whole = said(site, pump)
    assert told["tls"] == "TLSv1.0"
    assert told["certificate-subject"] == "pump-7"
    assert told["service"] == "tls at tcp 443"
    assert (MarkKind.CERTIFICATE, DIGEST) in {(mark.kind, mark.value) for mark, _, _ in whole.marks}


@pytest.mark.parametrize(
    "outcome", [Outcome.REFUSED, Outcome.NO_ANSWER, Outcome.UNREACHABLE, Outcome.SILENT, Outcome.LOST]
)
def test_of_one_who_did_not_answer_nothing_is_said(site, pump, outcome):
    _, before = said(site, pump)
    row, _, _ = order(site, pump, Asked(Told(outcome)))
    told, after = said(site, pump)
    assert (told, after.row.last_us) == ({}, before.row.last_us)
    assert row.outcome == outcome


def test_an_order_that_the_ledger_does_not_take_is_none(site, pump):
    with write(site.engine) as db:
        db.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON ledger_record WHEN NEW.kind = 'probe.ordered' BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    ask = Asked()
    with pytest.raises(StorageError):
        order(site, pump, ask)
    with read(site.engine) as db:
        assert probes.of_endpoint(db, site.site, [pump]) == []
    assert ask.calls == []


def test_what_breaks_in_between_is_ended_as_lost(site, pump):
    with pytest.raises(RuntimeError):
        order(site, pump, Asked(RuntimeError("torn")))
    assert [(kind, body.get("outcome")) for kind, body in records(site)] == [
        ("probe.ordered", None),
        ("probe.ended", "lost"),
    ]


def test_dicom_asks_for_the_title_that_it_goes_by(site, clock):
    hears(site, marks=[Mark(MarkKind.AE_TITLE, "PUMP7")], source="pcap.dicom")
    id_ = id_of(site, mac=CARD)
    describe(site, id_, **KNOWN)
    _, _, ask = order(site, id_, kind="dicom-echo", port=104)
    assert ask.calls == [("dicom-echo", ADDRESS, 104, "PUMP7")]


# --- no merge


def listed_with_the_certificate(site):
    said_ = Statement(
        micros(site.clock.now()) - HOUR,
        "cmms",
        "demo",
        (Mark(MarkKind.TAG, "T-1"), Mark(MarkKind.CERTIFICATE, DIGEST)),
    )
    actions.take(site.engine, site.site, [said_], micros(site.clock.now()), "test")
    return id_of(site, tag="T-1")


def test_a_probe_never_makes_two_endpoints_one(site, pump):
    other = listed_with_the_certificate(site)
    order(site, pump)
    _, whole = said(site, other)
    assert (whole.row.merged, whole.merges) == ("", ())


def test_heard_the_same_would_have_joined_them(site, pump):
    """The reverse of the test above."""
    other = listed_with_the_certificate(site)
    hears(site, card="", ago_us=0, marks=[Mark(MarkKind.CERTIFICATE, DIGEST)], source="pcap.tls")
    assert {said(site, one)[1].row.merged for one in (pump, other)} in ({"", pump}, {"", other})


def test_a_certificate_that_another_shows_too_is_a_conflict_and_a_finding(site, pump):
    hears(
        site,
        address="10.1.0.8",
        card="00:1b:63:77:00:08",
        marks=[Mark(MarkKind.CERTIFICATE, DIGEST)],
        source="pcap.tls",
    )
    order(site, pump)
    assert [one.mark for one in said(site, pump)[1].conflicts] == ["certificate"]
    with read(site.engine) as db:
        kinds = Counter(db.exec_driver_sql("SELECT kind FROM finding").scalars())
    assert kinds["identity.claimed-twice"] == 1


# --- what must hold


def test_off_by_default_nothing_is_opened(folder, tmp_path):
    site = build(load(shutil.copytree(folder, tmp_path / "off")), "admin")
    try:
        hears(site)
        id_ = id_of(site, mac=CARD)
        describe(site, id_, **KNOWN)
        refused(site, id_, "probe.off")
        assert orders.may(site, said(site, id_)[1]).why_not
    finally:
        site.keeper.close()
        site.engine.dispose()


@pytest.mark.parametrize(
    "more",
    [
        {"kind": "snmp"},
        {"kind": ""},
        {"port": 0},
        {"port": 65_536},
        {"port": -1},
        {"reason": "  "},
        {"reason": "x" * 201},
        {"reason": "a\x1bb"},
        {"although": ("everything",)},
    ],
)
def test_what_cannot_be_meant_is_refused(site, pump, more):
    refused(site, pump, "input.invalid", **more)


def test_nobody_of_that_id_is_asked(site, pump):
    refused(site, "none", "not-found")


def test_an_address_that_was_not_seen_of_late_is_stale(site, pump, clock):
    clock[0] += probing.FRESH_US - 2 * MINUTE
    assert order(site, pump)[2].calls
    clock[0] += probing.FRESH_US + 2 * MINUTE
    refused(site, pump, "probe.address-stale")


def test_one_that_a_list_alone_has_has_no_address(site, clock):
    marks = (Mark(MarkKind.TAG, "T-9"), Mark(MarkKind.ADDRESS, "10.1.0.9"))
    now_us = micros(site.clock.now())
    actions.take(site.engine, site.site, [Statement(now_us, "cmms", "demo", marks)], now_us, "test")
    refused(site, id_of(site, tag="T-9"), "probe.address-unknown")


def test_an_address_that_another_had_of_late_is_shared(site, pump):
    hears(site, card="00:1b:63:77:00:08", ago_us=0)
    assert refused(site, pump, "probe.address-shared").where == "address"


def test_an_address_that_a_list_gives_another_is_shared(site, pump):
    marks = (
        Mark(MarkKind.TAG, "T-9"),
        Mark(MarkKind.MAC, "00:1b:63:77:00:09"),
        Mark(MarkKind.ADDRESS, ADDRESS),
    )
    now_us = micros(site.clock.now())
    actions.take(site.engine, site.site, [Statement(now_us, "cmms", "demo", marks)], now_us, "test")
    refused(site, pump, "probe.address-shared")


def test_a_card_that_speaks_for_many_is_nobodys_address(site, pump):
    with write(site.engine) as db:
        db.exec_driver_sql("UPDATE endpoint_mark SET fronts = 1 WHERE kind = 'mac'")
    refused(site, pump, "probe.address-shared")


def test_who_is_heard_through_a_gateway_is_not_asked_at_the_gateways_address(site, pump):
    with write(site.engine) as db:
        db.exec_driver_sql("UPDATE endpoint SET parent = 'gateway-1'")
    refused(site, pump, "probe.address-shared")


def test_one_whose_identity_is_in_conflict_is_not_asked(site, pump):
    for number, card in enumerate(("00:1b:63:77:00:08", CARD)):
        address = f"10.1.0.{number + 7}" if card == CARD else "10.1.0.8"
        address = ADDRESS if card == CARD else address
        hears(
            site,
            address=address,
            card=card,
            ago_us=0,
            marks=[Mark(MarkKind.CERTIFICATE, DIGEST)],
            source="pcap.tls",
        )
    assert [one.closed_us for one in said(site, pump)[1].conflicts] == [0]
    refused(site, pump, "probe.address-shared")


def test_the_address_of_another_realm_is_not_asked_from_here(site, clock):
    hears(site, realm="north")
    id_ = id_of(site, mac=CARD)
    refused(site, id_, "probe.other-realm")


def test_an_address_that_is_in_use_in_another_realm_too_is_not_asked(site, pump):
    hears(site, realm="north", card="00:1b:63:77:00:08")
    refused(site, pump, "probe.other-realm")


def test_an_address_in_the_plan_of_another_realm_is_not_asked(site, pump, monkeypatch):
    from oathward.network.plan import Plan

    rows = [PlanRow("demo", "10.1.0.0/24", "", "clinical"), PlanRow("north", "10.0.0.0/8", "", "clinical")]
    monkeypatch.setattr("oathward.network.views.plan", lambda *_: Plan(rows))
    refused(site, pump, "probe.other-realm")
    monkeypatch.setattr("oathward.network.views.plan", lambda *_: Plan(rows[:1]))
    assert order(site, pump)[2].calls


def test_what_is_off_the_hospitals_network_is_not_asked(site, clock):
    hears(site, address="93.184.215.14")
    refused(site, id_of(site, mac=CARD), "probe.off-network")
    now_us = micros(site.clock.now())
    watch = Statement(now_us, "vendor", "demo", (Mark(MarkKind.ACCOUNT, "acme|7"),))
    actions.take(site.engine, site.site, [watch], now_us, "test")
    refused(site, id_of(site, sort="account"), "probe.off-network")


def test_one_that_became_part_of_another_is_not_asked(site, pump, clock):
    hears(site, address="10.1.0.8", card="00:1b:63:77:00:08")
    other = id_of(site, address="10.1.0.8")
    deciding.merge(site.engine, site.site, other, pump, by="p", reason="one", now_us=clock[0])
    refused(site, pump, "conflict")


def test_the_address_that_was_shown_is_the_one_that_is_asked(site, pump):
    refused(site, pump, "conflict", address="10.1.0.99")
    assert order(site, pump, address=ADDRESS)[2].calls


# --- risks


@pytest.mark.parametrize(
    ("values", "risks"),
    [
        ({}, {"use-unknown"}),
        ({"criticality": ""}, {"use-unknown", "criticality-unknown"}),
        ({"criticality": "high"}, {"use-unknown", "criticality-high"}),
        ({"criticality": "medium"}, {"use-unknown"}),
        ({"consequence": ""}, {"use-unknown", "consequence-unknown"}),
        ({"consequence": "death"}, {"use-unknown", "consequence-high"}),
        ({"consequence": "injury"}, {"use-unknown", "consequence-high"}),
        ({"consequence": "delay"}, {"use-unknown"}),
    ],
)
def test_each_risk_is_named_or_nothing_is_opened(site, pump, clock, values, risks):
    clock[0] += MINUTE
    describe(site, pump, **values)
    for left in risks:
        error = refused(site, pump, "probe.at-risk", although=tuple(risks - {left}))
        assert left in error.why
    row, _, ask = order(site, pump, although=tuple(risks))
    assert (set(row.risks.split(",")), len(ask.calls)) == (risks, 1)


def test_where_sources_disagree_the_worst_word_counts(site, clock):
    hears(site)
    for source, value in (("cmms", "low"), ("netbox", "high")):
        hears(site, source=source, facts=[("criticality", value, 0.9), ("consequence", "none", 0.9)])
    refused(site, id_of(site, mac=CARD), "probe.at-risk", although=USE)


@pytest.mark.parametrize(("care", "risks"), [("in use", ["in-use"]), ("idle", [])])
def test_use_is_a_risk_as_it_is_known(site, pump, monkeypatch, care, risks):
    monkeypatch.setattr("oathward.observing.caring.tend", lambda _: 0)
    with write(site.engine) as db:
        db.exec_driver_sql("UPDATE endpoint SET care = ?", (care,))
    if risks:
        refused(site, pump, "probe.at-risk", although=USE)
    assert order(site, pump, although=tuple(risks))[0].risks == ",".join(risks)


def test_who_is_in_use_is_looked_at_just_before(site, pump, monkeypatch):
    def tend(opened):
        with write(opened.engine) as db:
            db.exec_driver_sql("UPDATE endpoint SET care = 'in use'")
        return 1

    monkeypatch.setattr("oathward.observing.caring.tend", tend)
    refused(site, pump, "probe.at-risk", although=USE)


# --- how often


def test_one_device_once_in_ten_minutes(site, pump, clock):
    order(site, pump)
    clock[0] += probes.PAUSE_US - MINUTE
    refused(site, pump, "probe.too-soon")
    clock[0] += 2 * MINUTE
    assert order(site, pump)[2].calls


def test_a_closed_port_counts_as_a_probe(site, pump):
    order(site, pump, Asked(Told(Outcome.REFUSED)))
    refused(site, pump, "probe.too-soon", port=80)


def test_one_at_a_time_and_what_was_cut_short_keeps_nobody_waiting(site, pump, clock):
    hears(site, address="10.1.0.8", card="00:1b:63:77:00:08")
    other = id_of(site, address="10.1.0.8")
    describe(site, other, **KNOWN)
    _, _, ask = order(site, pump, Asked(OPEN, lambda: refused(site, other, "already-running")))
    assert len(ask.calls) == 1
    assert order(site, other, Asked(OPEN))[2].calls, "that one has ended"
    with write(site.engine) as db:
        db.exec_driver_sql("UPDATE endpoint_probe SET ended_us = 0, at_us = ?", (clock[0],))
        db.exec_driver_sql("UPDATE endpoint_probe SET endpoint = 'x', address = 'x'")
    refused(site, pump, "already-running")
    clock[0] += probes.LASTS_US + MINUTE
    assert order(site, pump)[2].calls


# --- what a page is told


def test_a_page_is_told_where_at_which_risk_or_why_not(site, pump, clock):
    whole = said(site, pump)[1]
    found = orders.may(site, whole)
    assert (found.address, found.risks, found.why_not) == (ADDRESS, (probing.Risk.USE_UNKNOWN,), "")
    clock[0] += probing.FRESH_US + HOUR
    assert "two hours" in orders.may(site, whole).why_not
