"""Home devices over FHIR against a tiny door: clean when it behaves, and each fault seen when it does not."""

import asyncio
import base64
import json
import time
from datetime import UTC, datetime
from itertools import islice

import pytest
from tests.unit.oathward_sim.envelopes import seal
from tests.unit.oathward_sim.tiny import TinyGateway
from tests.unit.oathward_sim.tiny_fhir import TinyFhirGateway

from oathward_sim import home, https, strangers
from oathward_sim.envelope import Reader
from oathward_sim.hospital import build
from oathward_sim.judge import markers_in
from oathward_sim.pki import Authority, server_context
from oathward_sim.plan import DEMO_RULES
from oathward_sim.recipients import FhirRecipient
from oathward_sim.run import Config, Simulation
from oathward_sim.senders import Door
from oathward_sim.traces import Index

START = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
COUNT = 14


def a_run(*, prepare=lambda gateway, recipients: None, during=None, sealed=False, rate_s=0.0, **options):
    """Run the home devices against the tiny door; give (outcome, simulation, recipients)."""

    async def whole():
        hospital = build(1, START, patients=12, pumps=1, monitors=1)
        recipients = {name: FhirRecipient(name) for name in ("home-care", "research-registry")}
        reader = Reader() if sealed else None
        rules = [rule for rule in DEMO_RULES if rule.recipient in recipients]
        readers = {"research-registry": reader} if reader else {}
        # What pumps and monitors send is another test's: here the plain door takes it and nobody gets it.
        only_home = [
            rule.__class__(
                **{f: getattr(rule, f) for f in rule.__slots__}
                | {"sources": rule.sources - {"pump", "monitor"}}
            )
            for rule in rules
        ]
        simulation = Simulation(hospital, recipients.values(), rules=only_home, readers=readers)

        def wrap(out, data):
            envelope = seal(reader.public, "demo", "research-registry", out, data)
            return json.dumps(
                {"resourceType": "Binary", "id": out, "data": base64.b64encode(envelope).decode()}
            ).encode()

        await simulation.start()
        try:
            async with (
                TinyGateway(hospital, dict) as plain,
                TinyFhirGateway(
                    hospital, lambda: {n: r.port for n, r in recipients.items()}, wrap if sealed else None
                ) as gateway,
            ):
                prepare(gateway, recipients)
                config = Config(
                    Door("127.0.0.1", plain.port), fhir=Door("127.0.0.1", gateway.port), rate_s=rate_s, feed_rate_s=0, count=COUNT,
                    duration_s=20, drain_s=options.get("drain_s", 5), settle_s=0.1, reply_timeout_s=2, with_strangers=False,
                )  # fmt: skip
                side = asyncio.create_task(during(simulation, gateway)) if during else None
                await simulation.drive(config)
                await simulation.drain(config)
                if side:
                    await side
                return simulation.outcome(), simulation, recipients
        finally:
            await simulation.close()

    return asyncio.run(whole())


def counts(outcome):
    verdict = outcome.verdict
    return verdict.lost, verdict.duplicated, verdict.disordered, verdict.leaked


def test_a_door_that_behaves_loses_doubles_disorders_and_leaks_nothing():
    outcome, simulation, recipients = a_run()
    assert outcome.verdict.findings == []
    assert outcome.clean
    sent = [s for s in simulation.sent() if s.plan.type.startswith("FHIR")]
    assert {s.plan.type for s in sent} == {"FHIR^Patient", "FHIR^Observation", "FHIR^Bundle"}
    assert outcome.verdict.delivered["home-care"] == outcome.verdict.expected["home-care"] == len(sent)
    assert 0 < outcome.verdict.delivered["research-registry"] < len(sent)
    assert outcome.repeats > 0
    assert any(name.startswith("Observation/") for name in recipients["home-care"].resources)


@pytest.mark.turns(2, "recipient", "fault")  # each recipient and each fault once
@pytest.mark.parametrize("recipient", ["home-care", "research-registry"])
@pytest.mark.parametrize(("fault", "expected"), [("lose", (1, 0, 0, 0)), ("twice", (0, 1, 0, 0))])
def test_what_is_lost_or_doubled_is_counted(recipient, fault, expected):
    outcome, _, _ = a_run(prepare=lambda g, _: getattr(g, fault).add((recipient, 9)), drain_s=0.5)
    assert counts(outcome) == expected
    assert outcome.verdict.findings[0].recipient == recipient


def test_a_delivery_dropped_on_purpose_is_counted_as_lost():
    outcome, _, _ = a_run(prepare=lambda _, r: setattr(r["home-care"].faults, "drop", 1), drain_s=0.5)
    assert (outcome.verdict.lost, outcome.dropped_on_purpose) == (1, 1)


def test_a_name_in_a_note_is_a_leak():
    outcome, simulation, _ = a_run(prepare=lambda g, _: g.leak.add(("research-registry", 5)))
    assert outcome.verdict.leaked == 1
    said = " ".join(str(f) for f in outcome.verdict.findings)
    assert not any(p.family in said or p.mrn in said for p in simulation.hospital.patients)


def test_messages_of_two_people_in_one_delivery_are_a_leak():
    outcome, _, _ = a_run(prepare=lambda g, _: setattr(g, "mixes", True))
    assert outcome.verdict.leaked > 0
    assert {f.what for f in outcome.verdict.findings if f.kind == "leaked"} >= {
        "messages of several patients in one"
    }


def test_another_order_is_seen_where_order_is_promised():
    def prepare(gateway, _):
        gateway.late |= {("home-care", n) for n in range(5, 30)}

    outcome, _, _ = a_run(prepare=prepare)
    assert outcome.verdict.disordered > 0
    assert (outcome.verdict.lost, outcome.verdict.duplicated) == (0, 0)


def test_a_door_that_is_busy_and_a_recipient_that_breaks_off_lose_nothing():
    def prepare(gateway, recipients):
        gateway.unavailable = 5
        recipients["home-care"].faults.close_mid_ack = 3

    outcome, _, _ = a_run(prepare=prepare)
    assert outcome.clean
    assert outcome.resent >= 5
    assert outcome.verdict.repeated == 3


def test_sealed_to_the_registry_only_it_can_read():
    outcome, simulation, _ = a_run(sealed=True)
    assert outcome.verdict.findings == []
    assert outcome.verdict.delivered["research-registry"] > 0
    assert simulation.inboxes["research-registry"].unopened == 0


async def _withdraws(simulation, gateway):
    await asyncio.sleep(0.6)
    asked_s = time.time()
    gateway.withdraw(simulation.hospital.withdraws.mrn)
    simulation.withdrawn(simulation.hospital.withdraws, asked_s, time.time(), 0.3)


def test_a_withdrawal_that_takes_effect_is_no_loss_and_no_leak_and_is_measured():
    outcome, simulation, _ = a_run(during=_withdraws, rate_s=8.0)
    assert outcome.verdict.findings == []
    [withdrawal] = outcome.verdict.withdrawals
    assert withdrawal.effect_s < 0.3
    assert withdrawal.stopped > 3
    assert outcome.verdict.delivered["home-care"] == outcome.verdict.expected["home-care"]
    assert simulation.hospital.withdraws.permits_research


def test_a_withdrawal_that_nobody_heeds_is_a_leak_for_each_row_after_it():
    outcome, _, _ = a_run(prepare=lambda g, _: setattr(g, "deaf", True), during=_withdraws, rate_s=8.0)
    assert outcome.verdict.leaked > 3
    assert {f.what for f in outcome.verdict.findings} == {"after the patient withdrew"}
    [withdrawal] = outcome.verdict.withdrawals
    assert withdrawal.effect_s > 0.3


def test_markers_of_fhir_are_found_with_all_their_digits():
    hospital = build(1, START)
    for plan in islice(
        home.wearable(hospital, hospital.wearables[0], 70, hospital.patients[0], DEMO_RULES), 40
    ):
        found = markers_in(plan.data.partition(b"\n")[2])
        assert found == [plan.marker, *(one.marker for one in plan.more)]
    for plan in islice(home.hub(hospital, hospital.hubs[0], 61, hospital.household(0), DEMO_RULES), 20):
        assert markers_in(plan.data.partition(b"\n")[2]) == [plan.marker, *(one.marker for one in plan.more)]
        assert len({p.patients for p in (plan, *plan.more)}) == 2


def test_requests_are_fhir():
    hospital = build(1, START)
    plans = [
        *islice(home.wearable(hospital, hospital.wearables[0], 70, hospital.patients[0], DEMO_RULES), 30)
    ]
    plans += islice(home.hub(hospital, hospital.hubs[0], 61, hospital.household(0), DEMO_RULES), 5)
    kinds, text = set(), ""
    for plan in plans:
        line, _, body = plan.data.partition(b"\n")
        resource = json.loads(body)
        text += body.decode()
        kinds.add((line.split(b" ")[0], resource["resourceType"], resource.get("type", "")))
    assert "valueSampledData" in text
    assert kinds == {
        (b"PUT", "Patient", ""), (b"POST", "Observation", ""), (b"POST", "Bundle", "batch"), (b"POST", "Bundle", "transaction"),
    }  # fmt: skip


def test_neighbours_in_json_make_no_number_and_a_name_twice_hides_nothing():
    hospital = build(1, START)
    mrn = hospital.patients[0].mrn
    index = Index(hospital.everyone)
    assert not index.search(json.dumps({"a": mrn[:4], "b": mrn[4:]}).encode())
    for data in (b'{"a":%s}' % mrn.encode(), b'{"a":"%s","a":1}' % mrn.encode(), b'{"%s":1}' % mrn.encode()):
        assert {t.kind for t in index.search(data)} == {"identifier"}
    name = hospital.canary.family
    escaped = "".join(f"\\u{ord(c):04x}" for c in name)
    assert {t.kind for t in index.search(f'{{"a":"{escaped}"}}'.encode())} == {"name"}


def test_a_foreign_certificate_is_turned_away_at_the_fhir_door(tmp_path):
    """The stranger gives up, and nobody has its messages."""
    hospital = build(1, START)
    server, devices = Authority(tmp_path / "server", "server"), Authority(tmp_path / "devices", "devices")
    foreign = Authority(tmp_path / "foreign", "foreign").client("WATCH-01", server.file)
    taken = []

    async def go():
        async def serve(reader, writer):
            try:
                while asked := await https.read_request(reader):
                    taken.append(asked)
                    writer.write(https.answer(201))
            except EOFError:
                pass
            finally:
                writer.transport.abort()

        door = server_context(server.issue("gateway"), devices.file)
        listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=door)
        at = Door("127.0.0.1", listening.sockets[0].getsockname()[1])
        [*_, stranger] = strangers.senders(hospital, at, at, {}, foreign, (), at)
        stranger.count, stranger.rate_s = 3, 0.0
        await stranger.run(asyncio.Event())
        listening.close()
        await asyncio.sleep(0.05)
        return stranger

    stranger = asyncio.run(go())
    assert (taken, stranger.refused_connections) == ([], 3)
    assert all(sent.turned_away for sent in stranger.sent)
