"""Whole runs over real sockets against a tiny gateway: clean when it behaves, and each fault seen when it does not."""

import asyncio
import base64
import json
import ssl
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.unit.oathward_sim.envelopes import seal
from tests.unit.oathward_sim.tiny import TinyGateway

from oathward_sim import pumps
from oathward_sim.envelope import NotForUsError, Reader
from oathward_sim.evidence import KEPT_MAX, write
from oathward_sim.hospital import build
from oathward_sim.judge import Delivery, Judge
from oathward_sim.pki import Authority, server_context
from oathward_sim.plan import DEMO_RULES, Sent
from oathward_sim.recipients import Folder, Kept, Recipient
from oathward_sim.run import Config, Inbox, Simulation, first
from oathward_sim.senders import Door

START = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)


def a_run(*, prepare=lambda gateway, recipients: None, during=None, count=12, seed=1, **options):
    """Run the small hospital against the tiny gateway; give (outcome, simulation)."""

    async def whole():
        hospital = build(seed, START, patients=12, pumps=3, monitors=3)
        recipients = {name: Recipient(name) for name in ("ehr", "vendor-cloud", "research-registry")}
        simulation = Simulation(hospital, recipients.values(), rules=DEMO_RULES)
        await simulation.start()
        try:
            async with TinyGateway(hospital, lambda: {n: r.port for n, r in recipients.items()}) as gateway:
                prepare(gateway, recipients)
                config = Config(
                    Door("127.0.0.1", gateway.port), rate_s=0, feed_rate_s=0, count=count, duration_s=20,
                    drain_s=options.pop("drain_s", 5), settle_s=0.1, reply_timeout_s=2, **options,
                )  # fmt: skip
                side = asyncio.create_task(during(simulation, gateway, recipients)) if during else None
                await simulation.drive(config)
                await simulation.drain(config)
                if side:
                    await side
                return simulation.outcome(), simulation
        finally:
            await simulation.close()

    return asyncio.run(whole())


def test_a_gateway_that_behaves_loses_doubles_and_leaks_nothing():
    outcome, simulation = a_run()
    verdict = outcome.verdict
    assert verdict.findings == []
    assert outcome.clean
    assert verdict.sent == verdict.accepted == len(simulation.sent()) > 70
    assert verdict.held == 12  # the unknown pump's
    assert all(verdict.delivered[r] >= verdict.expected[r] for r in verdict.expected)
    assert min(verdict.delivered.values()) > 0
    assert outcome.repeats > 0


@pytest.mark.parametrize("recipient", ["ehr", "vendor-cloud", "research-registry"])
def test_a_lost_message_is_counted(recipient):
    outcome, _ = a_run(prepare=lambda g, _: g.lose.add((recipient, "PUMP-01-1-000003")), drain_s=0.5)
    assert (outcome.verdict.lost, outcome.verdict.duplicated, outcome.verdict.leaked) == (1, 0, 0)
    [finding] = outcome.verdict.findings
    assert (finding.kind, finding.recipient, finding.message) == ("lost", recipient, "PUMP-01-1-000003")


def test_a_delivery_dropped_on_purpose_is_counted_as_lost():
    def prepare(_, recipients):
        recipients["ehr"].faults.drop = 1

    outcome, _ = a_run(prepare=prepare, drain_s=0.5)
    assert outcome.verdict.lost == outcome.dropped_on_purpose == 1


def test_the_same_message_under_two_ids_is_counted():
    outcome, _ = a_run(prepare=lambda g, _: g.twice.add(("vendor-cloud", "PUMP-01-1-000003")))
    assert (outcome.verdict.lost, outcome.verdict.duplicated, outcome.verdict.leaked) == (0, 1, 0)
    assert outcome.verdict.duplicated_new_id == 1


def test_identity_that_was_not_taken_out_is_a_leak():
    outcome, simulation = a_run(prepare=lambda g, _: g.leak.add("PUMP-01-1-000003"))
    assert (outcome.verdict.lost, outcome.verdict.duplicated, outcome.verdict.leaked) == (0, 0, 1)
    said = " ".join(str(f) for f in outcome.verdict.findings)
    assert "identifier in utf-8" in said
    for patient in simulation.hospital.patients:
        assert patient.mrn not in said
        assert patient.family not in said


def test_what_a_leak_was_seen_in_is_kept(tmp_path):
    outcome, simulation = a_run(prepare=lambda g, _: g.leak.add("PUMP-01-1-000003"))
    [file] = write(tmp_path / "evidence", simulation.judge.evidence)
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    said = json.loads(file.read_text())
    assert (said["recipient"], said["message"]) == ("vendor-cloud", "PUMP-01-1-000003")
    assert said["found"] == [f.what for f in outcome.verdict.findings]
    who = simulation.hospital.patients[0]
    assert who.mrn in " ".join(seen["text"] for seen in said["seen"] if seen["kind"] == "identifier")
    assert who.mrn.encode() in base64.b64decode(said["data_base64"])
    assert base64.b64decode(said["came_base64"]) in {
        k.data for k in simulation.inboxes["vendor-cloud"].recipient.kept
    }
    [sent] = said["sent_base64"]
    assert b"PUMP-01-1-000003" in base64.b64decode(sent)
    # Reverse: a run without a leak keeps nothing.
    _, simulation = a_run()
    assert simulation.judge.evidence == []


def test_the_first_leaks_are_kept_and_all_are_counted():
    outcome, simulation = a_run(
        prepare=lambda g, _: g.leak.update(f"PUMP-0{n}-1-{m:06d}" for n in (1, 3) for m in range(12))
    )
    assert outcome.verdict.leaked > KEPT_MAX == len(simulation.judge.evidence)


def test_a_message_of_the_canary_at_a_vendor_is_a_leak_even_without_a_name():
    def prepare(gateway, _):
        gateway.canary = "nobody"

    outcome, _ = a_run(prepare=prepare)
    assert outcome.verdict.leaked > 0
    assert all("is not for this recipient" in f.what for f in outcome.verdict.findings)


def test_a_message_of_an_unknown_device_that_is_delivered_is_a_leak():
    outcome, _ = a_run(prepare=lambda g, _: setattr(g, "route", _routes_everything(g)))
    assert outcome.verdict.leaked >= 12


def test_a_message_of_a_device_adopted_meanwhile_is_no_leak_and_not_due():
    async def during(simulation, _gateway, _recipients):
        simulation.judge.adopt("unknown")

    outcome, _ = a_run(prepare=lambda g, _: setattr(g, "route", _routes_everything(g)), during=during)
    assert outcome.clean
    assert outcome.verdict.optional["ehr"] >= 12


def test_identity_stays_checked_after_adoption():
    def prepare(gateway, _):
        inner = gateway.route

        def route(body):
            if b"|X0" in body:
                gateway.deliver("vendor-cloud", body, body.split(b"|")[9].decode())
            else:
                inner(body)

        gateway.route = route

    async def during(simulation, _gateway, _recipients):
        simulation.judge.adopt("unknown")

    outcome, _ = a_run(prepare=prepare, during=during)
    assert outcome.verdict.leaked >= 12
    assert all("is not for this recipient" not in f.what for f in outcome.verdict.findings)


def _routes_everything(gateway):
    inner = gateway.route

    def route(body):
        if b"|XINFUSER" in body or b"|X0" in body:
            gateway.deliver("ehr", body, body.split(b"|")[9].decode())
        else:
            inner(body)

    return route


def test_bytes_that_nobody_sent_are_a_leak():
    async def during(_simulation, gateway, _recipients):
        gateway.deliver("vendor-cloud", b"MSH|^~\\&|A|B|C|D|2026||ORU^R01|Z|P|2.6\rOBX|1|NM|1||5\r", "Z")

    outcome, _ = a_run(during=during)
    assert outcome.verdict.leaked == 1


def test_senders_resend_what_was_not_answered_with_the_same_id_and_nothing_is_doubled():
    outcome, simulation = a_run(prepare=lambda g, _: setattr(g, "drop_answers", 5))
    assert outcome.clean
    assert outcome.resent == 5
    assert (
        max(s.tries - len(s.answers) for x in simulation.senders for s in x.sent) == 5
    )  # all the first message's


def test_a_copy_after_an_answer_that_never_came_is_forgiven_if_its_id_is_the_same():
    def prepare(_, recipients):
        recipients["vendor-cloud"].faults.close_mid_ack = 3

    outcome, _ = a_run(prepare=prepare)
    assert outcome.clean
    assert outcome.verdict.repeated == 3


def test_a_recipient_that_refuses_stalls_or_is_slow_gets_everything_in_the_end():
    async def during(_simulation, _gateway, recipients):
        faults = recipients["research-registry"].faults
        faults.slow_s = 0.01
        recipients["ehr"].faults.refuse = True
        await asyncio.sleep(0.5)
        recipients["ehr"].faults.refuse = False
        faults.slow_s = 0

    outcome, _ = a_run(during=during)
    assert outcome.clean
    assert outcome.verdict.lost == 0


def test_a_stalled_recipient_keeps_without_answering():
    async def during(_simulation, _gateway, recipients):
        recipients["vendor-cloud"].faults.stall = True

    outcome, simulation = a_run(during=during, drain_s=0.5)
    kept = simulation.inboxes["vendor-cloud"].recipient.kept
    assert sum(not k.acked for k in kept) == 1
    assert outcome.verdict.lost == outcome.verdict.expected["vendor-cloud"] - 1


def test_tls_sealed_files_and_journals(tmp_path):
    async def whole():
        hospital = build(2, START, patients=12, pumps=2, monitors=2)
        reader, drop = Reader(), tmp_path / "drop"
        drop.mkdir()
        authority = Authority(tmp_path, "ehr")
        ehr = Recipient("ehr", tls=server_context(authority.issue("ehr")), journal=tmp_path / "kept.jsonl")
        folder = Folder("research-registry", drop)
        rules = [r for r in DEMO_RULES if r.recipient != "vendor-cloud"]
        simulation = Simulation(hospital, [ehr, folder], rules=rules, readers={"research-registry": reader})
        await simulation.start()

        def sealed(recipient, out, body):
            if recipient == "research-registry":
                (drop / f"{out}.sealed").write_bytes(seal(reader.public, "demo", recipient, out, body))
            return body

        def addresses():
            return {"ehr": ehr.port, "research-registry": 0}

        trust = ssl.create_default_context(cafile=str(authority.file))
        try:
            async with TinyGateway(hospital, addresses, seal=sealed, tls=trust) as gateway:
                config = Config(
                    Door("127.0.0.1", gateway.port), rate_s=0, feed_rate_s=0, count=8, settle_s=0.1
                )
                await simulation.drive(config)
                await simulation.drain(config)
                return simulation.outcome(), simulation
        finally:
            await simulation.close()

    outcome, simulation = asyncio.run(whole())
    assert outcome.verdict.findings == []
    assert outcome.verdict.delivered["research-registry"] > 0
    assert simulation.inboxes["research-registry"].unopened == 0
    lines = [json.loads(x) for x in (tmp_path / "kept.jsonl").read_text().splitlines()]
    assert outcome.verdict.delivered["ehr"] == len(lines) > 0


def test_a_name_in_clear_beside_a_seal_is_a_leak(tmp_path):
    hospital = build(2, START)
    (tmp_path / "a.sealed").write_bytes(b"OWE1\x01" + bytes(40) + hospital.patients[0].mrn.encode())
    simulation = Simulation(
        hospital, [Folder("research-registry", tmp_path)], readers={"research-registry": Reader()}
    )
    assert simulation.outcome().verdict.leaked == 1


def test_an_envelope_opens_for_its_own_key_alone_and_only_unchanged():
    reader, other = Reader(), Reader()
    envelope = seal(reader.public, "demo", "research-registry", "out-1", b"MSH|")
    letter = reader.open(envelope)
    assert (letter.site, letter.link, letter.outgoing_id, letter.data) == (
        "demo",
        "research-registry",
        "out-1",
        b"MSH|",
    )
    with pytest.raises(NotForUsError):
        other.open(envelope)
    for at in (6, 20, len(envelope) - 1):
        changed = bytearray(envelope)
        changed[at] ^= 1
        with pytest.raises(NotForUsError):
            reader.open(bytes(changed))
    carrier = b"MSH|^~\\&|OATHWARD||||20260504||ZOW^Z01|out-1|P|2.6\rZOW|1|%s\r"
    carried = carrier % base64.b64encode(envelope)
    assert reader.open(carried) == replace(letter, clear=carrier % b"" + b"\n" + letter.clear)
    with pytest.raises(NotForUsError, match="not an envelope"):
        reader.open(b"MSH|^~\\&|")


def test_strangers_at_a_tls_door_are_turned_away_or_held(tmp_path):
    async def whole():
        hospital = build(4, START, patients=12, pumps=2, monitors=2)
        recipients = {"ehr": Recipient("ehr")}
        server, devices = Authority(tmp_path / "server", "server"), Authority(tmp_path / "devices", "devices")
        device_tls = {d.name: devices.client(d.name, server.file) for d in hospital.devices}
        foreign = Authority(tmp_path / "foreign", "foreign").client("PUMP-01", server.file)
        rules = [r for r in DEMO_RULES if r.recipient == "ehr"]
        simulation = Simulation(hospital, recipients.values(), rules=rules)
        await simulation.start()
        door = server_context(server.issue("gateway"), devices.file)
        try:
            async with TinyGateway(hospital, lambda: {"ehr": recipients["ehr"].port}, door=door) as gateway:
                plain, secure = Door("127.0.0.1", gateway.port), Door("127.0.0.1", gateway.tls_port)
                config = Config(
                    plain, secure, device_tls, foreign, rate_s=0, feed_rate_s=0, count=4, settle_s=0.1
                )
                await simulation.drive(config)
                await simulation.drain(config)
                return simulation.outcome()
        finally:
            await simulation.close()

    outcome = asyncio.run(whole())
    assert outcome.verdict.findings == []
    assert outcome.turned_away == 4
    assert outcome.verdict.held == 12  # unknown, without certificate, with another's
    assert outcome.verdict.waiting == 0


@pytest.mark.parametrize(("answered", "repeated", "duplicated"), [(False, 1, 0), (True, 0, 1)])
def test_a_sealed_copy_is_forgiven_by_whether_the_first_was_answered_and_not_by_when_it_was_looked_at(
    answered, repeated, duplicated
):
    hospital, reader, recipient = build(1, START), Reader(), Recipient("research-registry")
    judge, inbox = Judge(hospital, DEMO_RULES), Inbox(recipient, reader)
    pump, who = hospital.pumps[0], hospital.patients[0]
    [plan] = first(pumps.reports(hospital, pump, 1, who, DEMO_RULES), 1)
    judge.know([Sent(plan, pump.name, 0.0, answer="AA")])
    body = f"MSH|^~\\&|\rOBX|1|NM|||{plan.marker}\r".encode()
    envelope = seal(reader.public, "demo", "research-registry", "0a1b", body)
    recipient.kept.append(Kept(1.0, "0a1b", envelope, acked=False))
    inbox.fresh(judge, forget=False)
    recipient.kept[0].acked = answered
    recipient.kept.append(Kept(2.0, "0a1b", envelope))
    inbox.fresh(judge, forget=False)
    verdict = judge.verdict()
    assert (verdict.repeated, verdict.duplicated, verdict.leaked) == (repeated, duplicated, 0)


def test_what_a_later_policy_withheld_is_not_lost_and_what_the_first_one_loses_is():
    lose = {("vendor-cloud", "PUMP-01-1-000003"), ("vendor-cloud", "PUMP-01-1-000004")}
    outcome, simulation = a_run(prepare=lambda g, _: g.lose.update(lose), drain_s=0.5)
    judge = simulation.judge
    assert outcome.verdict.lost == 2
    assert {(one.recipient, one.sent.plan.control_id) for one in judge.missing()} == lose
    assert judge.missing(late_s=3_600) == [], "it may still be on its way"
    judge.withhold("vendor-cloud", "PUMP-01-1-000003")
    verdict = judge.verdict()
    assert (verdict.lost, verdict.withheld) == (1, {"vendor-cloud": 1})
    assert verdict.expected["vendor-cloud"] == outcome.verdict.expected["vendor-cloud"] - 1
    assert [f.message for f in verdict.findings] == ["PUMP-01-1-000004"]


def test_what_was_said_to_be_withheld_and_arrives_is_a_leak():
    hospital = build(1, START)
    judge = Judge(hospital, DEMO_RULES)
    [plan] = first(pumps.reports(hospital, hospital.pumps[0], 1, hospital.patients[0], DEMO_RULES), 1)
    judge.know([Sent(plan, hospital.pumps[0].name, 0.0, answer="AA")])
    body = f"MSH|^~\\&|\rOBX|1|NM|||{plan.marker}\r".encode()
    judge.withhold("vendor-cloud", plan.control_id)
    judge.see(Delivery("vendor-cloud", Kept(1.0, "0a1b", body), body))
    [leak] = [f for f in judge.verdict().findings if f.kind == "leaked"]
    assert leak.what == "though the policy in force withholds it"
    [returned] = judge.returned()
    assert (returned.recipient, returned.sent.plan, returned.at_s) == ("vendor-cloud", plan, 1.0)


def test_what_a_still_later_policy_permits_again_is_no_leak_and_is_due():
    hospital = build(1, START)
    judge = Judge(hospital, DEMO_RULES)
    plans = first(pumps.reports(hospital, hospital.pumps[0], 1, hospital.patients[0], DEMO_RULES), 2)
    judge.know(Sent(plan, hospital.pumps[0].name, 0.0, answer="AA") for plan in plans)
    for plan in plans:
        for rule in plan.must:
            if (rule, plan) != ("vendor-cloud", plan):
                judge.see(arrival(rule, plan))
        judge.withhold("vendor-cloud", plan.control_id)
    assert judge.verdict().expected["vendor-cloud"] == 0
    for plan in plans:
        judge.see(arrival("vendor-cloud", plan))
    assert judge.verdict().leaked == 2
    judge.allow("vendor-cloud", plans[0].control_id)
    verdict = judge.verdict()
    assert (verdict.leaked, verdict.withheld, verdict.lost) == (1, {"vendor-cloud": 1}, 0)
    assert (verdict.expected["vendor-cloud"], verdict.delivered["vendor-cloud"]) == (1, 2)
    assert [f.message for f in verdict.findings] == [plans[1].control_id], "the other one still is"


def arrival(recipient, plan):
    """What says nothing but the message's marker."""
    body = f"MSH|^~\\&|\rOBX|1|NM|||{plan.marker}\r".encode()
    return Delivery(recipient, Kept(1.0, f"{recipient}-{plan.control_id}", body), body)


def test_of_a_request_that_holds_several_the_rest_is_told_with_what_is_missing():
    hospital = build(1, START)
    judge = Judge(hospital, DEMO_RULES)
    pump = hospital.pumps[0]
    plans = first(pumps.reports(hospital, pump, 1, hospital.patients[0], DEMO_RULES), 4)
    due, nobody = frozenset({"vendor-cloud"}), frozenset()
    plans = [replace(plan, patients=(str(n),), must=due) for n, plan in enumerate(plans)]
    plans[2] = replace(plans[2], must=nobody)
    judge.know(Sent(plan, pump.name, 0.0, answer="AA", number=7) for plan in plans)
    judge.know(
        [Sent(replace(plans[0], control_id="ALONE", marker="9.9"), pump.name, 0.0, answer="AA", number=8)]
    )
    judge.see(arrival("vendor-cloud", plans[0]))
    judge.withhold("vendor-cloud", plans[3].control_id)
    [one, alone] = judge.missing()
    assert (one.sent.plan, one.came, one.spared, one.people) == (plans[1], 1, 1, 2)
    assert alone[2:] == (0, 0, 1)
