"""What a demo asks of the site's records: which missing messages a later policy kept back, and never which the first one lost."""

import dataclasses
import time
from hashlib import sha256

import pytest
from tests.site import Site
from tests.unit.policy import small

from oathward import ledger
from oathward.activation import Active
from oathward.app import build
from oathward.cli.demo.withheld import Withheld
from oathward.core.db import write
from oathward.core.ids import uuid7
from oathward.ledger import Record, prepare
from oathward.messages import sql as messages
from oathward.messages.model import OutboxRow
from oathward.plans import Plans, route_of
from oathward.policy.decide import decide
from oathward.policy.memo import Memo
from oathward.vault.bodies import BodyRef
from oathward_sim.judge import Missing, Returned
from oathward_sim.plan import Planned, Sent

AT_S = time.time()
FIRST, SECOND = "starter@1", "starter@2"


@pytest.fixture
def opened(tmp_path):
    site = build(Site.make(tmp_path / "s").settings, "admin")
    yield site
    site.keeper.close()
    site.engine.dispose()


def put(opened, *records):
    with write(opened.engine) as db:
        ledger.append(db, opened.site, [prepare(one) for one in records])


def active(label, after_s=0.0):
    return Record("bundle.activated", {"bundle": label}, int((AT_S + after_s) * 1e6))


def decided(bundle, links, after_s=0.0, device="PUMP-01", message=""):
    body = {"answers": [[link, "permit"] for link in links], "bundle": bundle, "device": device}
    return Record("message.accepted", body, int((AT_S + after_s) * 1e6), message=message or uuid7())


def sent(after_s=0.0, sender="PUMP-01", id_="M1", **rest):
    plan = Planned(id_, "1.000001", "ORU^R40", (), b"", frozenset({"vendor-cloud"}))
    at_s = AT_S + after_s
    one = Sent(plan, sender, at_s - 0.01, answer="AA", answered_s=at_s + 0.01)
    return Missing("vendor-cloud", one, **rest)


@pytest.fixture
def withheld(opened):
    return Withheld(opened.engine, opened.site, FIRST)


def test_without_a_second_policy_nothing_is_withheld(opened, withheld):
    put(opened, active(FIRST), decided(FIRST, ["ehr"]))
    assert withheld.of([sent()]) == [], "the first policy's own denial is the judge's to call lost"


def test_what_the_second_policy_denies_is_and_what_it_permits_is_not(opened, withheld):
    put(opened, active(FIRST), decided(FIRST, ["ehr"], -9.0))
    put(opened, active(SECOND), decided(SECOND, ["ehr"]), decided(SECOND, ["ehr", "vendor-cloud"], 5.0))
    asked = [sent(-9.0, id_="OLD"), sent(id_="M1"), sent(5.0, id_="M2"), sent(sender="PUMP-02", id_="M3")]
    assert withheld.of(asked) == [("vendor-cloud", "M1")]
    put(opened, decided(SECOND, ["ehr"], 7.0))
    assert withheld.of([sent(7.0, id_="M4")]) == [("vendor-cloud", "M4")], "what came since is read too"


def test_where_several_records_fit_each_must_say_it(opened, withheld):
    put(opened, active(FIRST), active(SECOND))
    put(opened, decided(SECOND, ["ehr"]), decided(SECOND, ["ehr", "vendor-cloud"], 0.005))
    assert withheld.of([sent()]) == []


@pytest.mark.parametrize(("reason", "found"), [("decision.permit-narrowed", 1), ("delivery.refused", 0)])
def test_what_the_courier_took_back_is_withheld_and_what_a_recipient_refused_is_not(
    opened, withheld, reason, found
):
    message = uuid7()
    put(opened, active(FIRST), decided(FIRST, ["ehr", "vendor-cloud"], message=message), active(SECOND))
    dead(opened, message, reason)
    assert len(withheld.of([sent()])) == found


def dead(opened, message, reason="decision.permit-narrowed"):
    row = OutboxRow("W1", opened.site, message, "vendor-cloud", "d", "s", "k", BodyRef("o", 1, 1, 9, bytes(32)), False, FIRST, 0, bytes(32), bytes(32), 0, 1, state="dead", reason=reason)  # fmt: skip
    with write(opened.engine) as db:
        messages.insert_outbox(db, [row])


def test_of_a_bundle_of_several_patients_each_record_is_accounted_for_and_not_each_must_say_it(
    opened, withheld
):
    message, both = uuid7(), ["ehr", "vendor-cloud"]
    put(
        opened,
        active(FIRST),
        decided(FIRST, both, message=message),
        decided(FIRST, both, message=f"{message}.1"),
    )
    put(opened, active(SECOND))
    dead(opened, f"{message}.1")
    assert withheld.of([sent(came=1)]) == [("vendor-cloud", "M1")], "the other one's arrived"
    assert withheld.of([sent()]) == [], (
        "the other one's stands, and did not arrive: which is lost is not told"
    )
    assert withheld.of([sent(came=1, people=2)]) == []


def test_of_a_bundle_what_the_first_policy_denied_is_another_patient_s_who_was_never_due(opened, withheld):
    message = uuid7()
    put(opened, active(FIRST), decided(FIRST, ["ehr"], message=message))
    put(opened, decided(FIRST, ["vendor-cloud"], message=f"{message}.1"), active(SECOND))
    dead(opened, f"{message}.1")
    assert withheld.of([sent(spared=1)]) == [("vendor-cloud", "M1")]
    assert withheld.of([sent()]) == [], "all were due: the first policy denied one"


def test_what_the_same_device_sent_right_afterwards_is_another_request(opened, withheld):
    put(opened, active(FIRST), active(SECOND), decided(SECOND, ["ehr"]))
    put(opened, decided(SECOND, ["ehr", "vendor-cloud"], 0.02))
    assert withheld.of([sent()]) == [("vendor-cloud", "M1")]


class TestPermittedAgain:
    """What was kept back, was tried again and arrived."""

    LINK = "research-registry"

    def policy(self, version, *, permits):
        bundle = dataclasses.replace(small.bundle(), answers=Memo(), verdicts=Memo())
        if not permits:
            bundle = dataclasses.replace(bundle, links={})
        return Active(bundle, version, 1)

    def arrived(self, opened, withheld, *, permits, after_s=3.0):
        """A message that the first policy permitted was kept back by the second, and went under the fourth."""
        bundle, facts = small.bundle(), small.facts(consents=(small.consent(),))
        link = bundle.links[self.LINK]
        plan = Plans().of(route_of(bundle, link, "hl7v2"), link, decide(bundle, link, facts, small.NOW_US))
        bodies = {sha256(body).digest(): body for body in (facts.body(), plan.body)}
        with write(opened.engine) as db:
            ledger.append(db, opened.site, [], facts=bodies)
        accepted = decided(FIRST, [self.LINK], message=uuid7())
        accepted.body["facts"] = [digest.hex() for digest in bodies]
        at_us = int((AT_S + after_s) * 1e6)
        went = Record("message.delivered", {"id": "W1"}, at_us, "", (self.LINK,), accepted.message)
        put(opened, active(FIRST, -20.0), accepted, active(SECOND, 1.0), active("starter@4", 2.0), went)
        for label, policy in permits.items():
            withheld._known[label] = policy
        return [Returned(self.LINK, sent().sent, AT_S + after_s)]

    def test_under_a_policy_that_permits_it_as_it_was_it_is_no_leak(self, opened, withheld):
        permits = {SECOND: self.policy(2, permits=False), "starter@4": self.policy(4, permits=True)}
        returned = self.arrived(opened, withheld, permits=permits, after_s=9.0)
        assert withheld.permitted_again(returned) == [(self.LINK, "M1")]

    def test_under_one_that_withholds_it_or_is_not_known_it_is(self, opened, withheld):
        returned = self.arrived(
            opened, withheld, permits={"starter@4": self.policy(4, permits=False)}, after_s=9.0
        )
        assert withheld.permitted_again(returned) == []
        withheld._known.clear()
        assert withheld.permitted_again(returned) == []

    def test_what_no_record_says_was_delivered_is(self, opened, withheld):
        put(opened, active(FIRST), active(SECOND), decided(SECOND, ["ehr"]))
        assert withheld.permitted_again([Returned("vendor-cloud", sent().sent, AT_S)]) == []
