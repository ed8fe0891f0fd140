"""What a demo asks of the site's records: which missing messages a later policy kept back, and never which the first one lost."""

import time

import pytest
from tests.site import Site

from oathward import ledger
from oathward.app import build
from oathward.cli.demo.withheld import Withheld
from oathward.core.db import write
from oathward.core.ids import uuid7
from oathward.ledger import Record, prepare
from oathward.messages import sql as messages
from oathward.messages.model import OutboxRow
from oathward.vault.bodies import BodyRef
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


def active(label):
    return Record("bundle.activated", {"bundle": label}, int(AT_S * 1e6))


def decided(bundle, links, after_s=0.0, device="PUMP-01", message=""):
    body = {"answers": [[link, "permit"] for link in links], "bundle": bundle, "device": device}
    return Record("message.accepted", body, int((AT_S + after_s) * 1e6), message=message or uuid7())


def sent(after_s=0.0, sender="PUMP-01", id_="M1"):
    plan = Planned(id_, "1.000001", "ORU^R40", (), b"", frozenset({"vendor-cloud"}))
    at_s = AT_S + after_s
    return "vendor-cloud", Sent(plan, sender, at_s - 0.01, answer="AA", answered_s=at_s + 0.01)


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
    row = OutboxRow("W1", opened.site, message, "vendor-cloud", "d", "s", "k", BodyRef("o", 1, 1, 9, bytes(32)), False, FIRST, 0, bytes(32), bytes(32), 0, 1, state="dead", reason=reason)  # fmt: skip
    with write(opened.engine) as db:
        messages.insert_outbox(db, [row])
    assert len(withheld.of([sent()])) == found
