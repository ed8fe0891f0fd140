"""What patients choose while it runs: the judge forgives what a choice allows, and calls a leak or a loss what it does not."""

import asyncio
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
    plan = merge(HOSPITAL, HOSPITAL.pumps[0])
    text = plan.data.decode()
    assert HOSPITAL.pumps[0].name in text.split("\r")[0]
    assert f"MRG|{HOSPITAL.newcomer.mrn}" in text
    assert plan.must == frozenset()
    feed = {one.marker for one in itertools.islice(Feed(HOSPITAL, DEMO_RULES).opening(), 50)}
    assert plan.marker not in feed


@pytest.mark.parametrize(("until_s", "kept"), [(0.0, None), (9e9, False)])
def test_a_parent_whose_time_is_over_before_a_page_is_open_is_no_broken_promise(until_s, kept):
    class Shut:
        async def enrol(self):
            raise LookupError("a right code did not sign in")

    simulation = Simulation(HOSPITAL, [Recipient(REGISTRY)])
    scenes = Scenes(simulation, {"parent": Shut()}, {}, parent_until_s=until_s)
    asyncio.run(asyncio.wait_for(scenes.run(), 5))
    assert [one.kept for one in scenes.promises.values()][-1] is kept
