"""What patients choose while it runs: the judge forgives what a choice allows, and calls a leak or a loss what it does not."""

import asyncio
import csv
import io
import itertools
import json
from datetime import UTC, datetime

import pytest

from oathward_sim.adt import Feed
from oathward_sim.contrary import Consents, merge
from oathward_sim.hospital import build
from oathward_sim.judge import Delivery, Given, Judge, Withdrawal, markers_in
from oathward_sim.patients import Scenes
from oathward_sim.plan import DEMO_RULES, Planned, Sent
from oathward_sim.recipients import Kept, Recipient
from oathward_sim.run import Simulation
from oathward_sim.sheets import authority_csv, consent_csv, device_csv

HOSPITAL = build(1, datetime(2026, 5, 4, tzinfo=UTC))
REGISTRY = "research-registry"
RESULTS = frozenset({"ORU^R01"})


def sent(who, number, at_s, must=()):
    plan = Planned(f"C{number}", f"1.{number:06d}", "ORU^R01", (who.mrn,), b"", frozenset(must))
    return Sent(plan, "PUMP-01", at_s, answer="AA", answered_s=at_s + 0.01)


def arrives(judge, one, at_s):
    body = f"MSH|^~\\&|A\rOBX|1|NM|1||{one.plan.marker}".encode()
    judge.see(Delivery(REGISTRY, Kept(at_s, f"O{one.plan.control_id}", body), body))


def judged(who, messages, said, came):
    """Judge messages (times sent), what was said, and arrivals: number -> time."""
    judge = Judge(HOSPITAL, DEMO_RULES)
    ones = [sent(who, n, at, must) for n, (at, must) in enumerate(messages)]
    for one in said:
        judge.give(one) if isinstance(one, Given) else judge.withdraw(one)
    judge.know(ones)
    for number, at_s in came.items():
        arrives(judge, ones[number], at_s)
    return judge.verdict()


def gives(who, at_s):
    return Given(who.mrn, REGISTRY, RESULTS, at_s, at_s + 0.1)


def withdraws(who, at_s):
    return Withdrawal(who.mrn, frozenset({REGISTRY}), at_s, at_s + 0.1, 1.0, "portal")


def test_who_permits_for_the_first_time_is_due_a_little_later_and_no_leak_before():
    who = HOSPITAL.gives
    assert not who.permits_research
    messages = [(10.0, ()), (11.0, ()), (20.0, ())]
    verdict = judged(who, messages, [gives(who, 10.5)], {1: 11.2, 2: 20.1})
    assert (verdict.leaked, verdict.lost, verdict.expected[REGISTRY]) == (0, 0, 1)
    assert judged(who, messages, [gives(who, 10.5)], {1: 11.2}).lost == 1, "the last was due"
    assert judged(who, messages, [], {1: 11.2}).leaked == 1, "nobody gave anything"


def test_another_patient_gains_nothing_by_it_nor_do_other_types():
    given = [gives(HOSPITAL.gives, 10.0)]
    assert judged(HOSPITAL.patients[1], [(20.0, ())], given, {0: 20.1}).leaked == 1
    other = [Given(HOSPITAL.gives.mrn, REGISTRY, frozenset({"FHIR"}), 10.0, 10.0)]
    assert judged(HOSPITAL.gives, [(20.0, ())], other, {0: 20.1}).leaked == 1


def test_who_says_no_and_yes_again_is_due_again():
    who, due = HOSPITAL.newcomer, (REGISTRY,)
    messages = [(20.0, due), (30.0, due)]

    def verdict_of(came):
        return judged(who, messages, [withdraws(who, 15.0), gives(who, 25.0)], came)

    assert verdict_of({0: 20.1, 1: 30.1}).leaked == 1, "said no then"
    verdict = verdict_of({1: 30.1})
    assert (verdict.leaked, verdict.lost) == (0, 0)
    assert verdict.withdrawals[0].last_s == 0.0
    assert verdict_of({}).lost == 1


def test_what_arrives_is_counted_by_patient():
    judge = Judge(HOSPITAL, DEMO_RULES)
    who = HOSPITAL.newcomer
    one = sent(who, 1, 10.0, (REGISTRY,))
    judge.know([one])
    arrives(judge, one, 10.5)
    assert judge.came(who.mrn, REGISTRY) == (1, 10.5)
    assert judge.came(who.mrn, "ehr") == (0, 0.0)


class Fails:
    """A holder who cannot get in."""

    async def enrol(self):
        raise TimeoutError("no invitation came")


@pytest.mark.parametrize("part", ["newcomer", "gives", "parent"])
def test_a_part_that_fails_breaks_its_promise_and_names_nobody(part):
    async def play():
        simulation = Simulation(HOSPITAL, [Recipient(REGISTRY)])
        scenes = Scenes(simulation, {part: Fails()}, {})
        await asyncio.wait_for(scenes.run(None if part == "newcomer" else 0.0), 5)
        return scenes

    scenes = asyncio.run(play())
    promise = scenes.promises[f"the {part} gets through"]
    assert (promise.kept, promise.why) == (False, "no invitation came")
    assert not scenes.deeds
    assert not scenes.night_is_over


def test_staff_wait_until_the_newcomer_has_played():
    order = []

    class Slow:
        async def enrol(self):
            await asyncio.sleep(0.05)
            order.append("newcomer")
            raise LookupError("enough")

    def link():
        order.append("staff")
        raise LookupError("no link")

    simulation = Simulation(HOSPITAL, [Recipient(REGISTRY)])
    scenes = Scenes(simulation, {"newcomer": Slow()}, {"clerk": link})
    asyncio.run(asyncio.wait_for(scenes.run(), 5))
    assert order == ["newcomer", "staff"]
    order.clear()
    asyncio.run(asyncio.wait_for(Scenes(simulation, {}, {"clerk": link}).run(), 5))
    assert order == ["staff"]


def test_what_contradicts_is_told_apart_and_goes_to_nobody_new():
    hub = HOSPITAL.hubs[1]
    said = Consents(HOSPITAL, hub, HOSPITAL.gives, DEMO_RULES, 0)
    plans = [said.introduction(), said.no(), said.old_yes()]
    assert len({plan.marker for plan in plans}) == 3
    for plan in plans:
        body = plan.data.partition(b"\n")[2]
        assert markers_in(body) == [plan.marker], "the judge finds each where it arrives"
        assert plan.must == {"home-care"}
    no, yes = (json.loads(plan.data.partition(b"\n")[2]) for plan in plans[1:])
    assert yes["dateTime"] < no["dateTime"]
    assert (no["provision"]["type"], yes["provision"]["type"]) == ("deny", "permit")
    assert no["id"] == yes["id"], "the old one comes as the next version of the same"


def test_a_merge_by_a_pump_names_both_and_is_due_nowhere():
    plan = merge(HOSPITAL, HOSPITAL.pumps[0], HOSPITAL.newcomer)
    text = plan.data.decode()
    assert HOSPITAL.pumps[0].name in text.split("\r")[0]
    assert f"MRG|{HOSPITAL.newcomer.mrn}" in text
    assert plan.must == frozenset()
    feed = {one.marker for one in itertools.islice(Feed(HOSPITAL, DEMO_RULES).opening(), 50)}
    assert plan.marker not in feed


def test_a_merge_by_a_department_is_another_one_and_due_where_its_messages_go():
    pump = merge(HOSPITAL, HOSPITAL.pumps[0], HOSPITAL.newcomer)
    plan = merge(HOSPITAL, HOSPITAL.department, HOSPITAL.withdraws, DEMO_RULES, days=2)
    assert HOSPITAL.department.name in plan.data.decode().split("\r")[0]
    assert f"MRG|{HOSPITAL.withdraws.mrn}" in plan.data.decode()
    assert plan.must == {"ehr"}
    assert plan.marker != pump.marker
    assert plan.control_id != pump.control_id


def test_a_department_sends_what_the_feed_sends_and_is_not_who_says_who_is_who():
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(device_csv(HOSPITAL)))}
    feed, department = rows[HOSPITAL.feed.name], rows[HOSPITAL.department.name]
    assert feed["message types"] == department["message types"]
    assert HOSPITAL.department.name not in authority_csv(HOSPITAL)


def test_who_narrows_permits_research_and_denies_it_one_class():
    who = HOSPITAL.narrows
    assert who.permits_research
    assert who.registered
    rows = [row for row in csv.DictReader(io.StringIO(consent_csv(HOSPITAL))) if row["identifier"] == who.mrn]
    told = [(row["permit"], row["purposes"], row["classes"]) for row in rows]
    assert told == [("yes", "HRESCH", "*"), ("no", "HRESCH", "patient.birth-date")]


@pytest.mark.parametrize("who", ["narrows", "newcomer"])
@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("recipient", [REGISTRY, "ehr"])
def test_a_class_that_a_patient_withholds_is_a_leak_there_and_due_elsewhere(who, told, recipient):
    judge = Judge(HOSPITAL, DEMO_RULES)
    patient = getattr(HOSPITAL, who)
    one = sent(patient, 1, 10.0, (REGISTRY, "ehr"))
    judge.know([one])
    born = {"resourceType": "Patient"} | ({"birthDate": patient.born[:4]} if told else {})
    pid = f"PID|||||||{patient.born if told else ''}"
    body = (
        json.dumps({"entry": [born, {"value": one.plan.marker}]}).encode()
        if recipient == REGISTRY
        else f"MSH|^~\\&|A\r{pid}\rOBX|1|NM|1||{one.plan.marker}".encode()
    )
    judge.see(Delivery(recipient, Kept(11.0, "O1", body), body))
    assert judge.came(patient.mrn, recipient)[0] == 1
    assert judge.told_born(patient.mrn, recipient) == told
    leak = who == "narrows" and told and recipient == REGISTRY
    assert judge.verdict().leaked == leak


@pytest.mark.parametrize(("until_s", "kept"), [(0.0, None), (9e9, False)])
def test_a_parent_whose_time_is_over_before_a_page_is_open_is_no_broken_promise(until_s, kept):
    class Shut:
        async def enrol(self):
            raise LookupError("a right code did not sign in")

    simulation = Simulation(HOSPITAL, [Recipient(REGISTRY)])
    scenes = Scenes(simulation, {"parent": Shut()}, {}, parent_until_s=until_s)
    asyncio.run(asyncio.wait_for(scenes.run(), 5))
    assert [one.kept for one in scenes.promises.values()][-1] is kept
