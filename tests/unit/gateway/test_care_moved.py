"""Promises about what is moved from one patient to another: whatever came first, whoever was named, nobody is left in the wrong care."""

import json
from itertools import permutations

import pytest
from tests.care import adt
from tests.unit.gateway import test_care
from tests.unit.gateway.test_care import BOTH, HERE, moving, take, told, who, with_account

from oathward.core.db import read
from oathward.core.ids import uuid7
from oathward.gateway.arrival import Arrival
from oathward.gateway.commit import commit_group
from oathward.gateway.path import handle
from oathward.gateway.wires import HL7V2

gate, mrn = test_care.gate, test_care.mrn

EVENTS = ("A44", "A45")
SURE = ("as it is", "of no authority")
BEFORE = ("never heard of", "known, not in care", "in care elsewhere")
NAMED = {
    "as it is": "{}^^^HOSP^MR",
    "of an authority not declared": "{}^^^UNDECLARED^MR",
    "of no authority": "{}",  # the source's own, as in PID-3
    "a number nobody has": "nobody^^^HOSP^MR",
    "not at all": "",
}


class Story:
    """An admission of somebody, and the move that says it was somebody else's."""

    def __init__(self, event, mrn, named):
        self.mrn, self.other = mrn, f"{mrn}X"
        self.visit, account = f"V{mrn}^^^HOSP^VN", f"A{mrn}^^^HOSP^AN"
        self.admitted = with_account(adt("A01", said="20260504080000", mrn=mrn, visit=self.visit), account)
        visit = {"visit": self.visit, "was_visit": self.visit} if event == "A45" else {}
        moved = moving(event, mrn=self.other, prior=mrn, account=account, was_account=account, **visit)
        self.moved = moved.replace(f"MRG|{mrn}^^^HOSP^MR".encode(), f"MRG|{named.format(mrn)}".encode())

    def before(self, gate, how):
        if how != "never heard of":
            take(gate, adt("A28", said="20260504060000", mrn=self.mrn))
        if how == "in care elsewhere":
            where = {"visit": f"W{self.mrn}^^^HOSP^VN", "place": "X^1^A^HOSP", "attending": ""}
            take(gate, adt("A01", said="20260504070000", mrn=self.mrn, **where))


@pytest.mark.turns(3, "event", "before", "named")  # each event, after each state
@pytest.mark.parametrize("named", NAMED)
@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("event", EVENTS)
def test_nobody_cares_for_whom_it_was_not_in_any_order(gate, mrn, event, before, named):
    for number, order in enumerate(permutations(("admitted", "moved", "second"))):
        story = Story(event, f"{mrn}{number}", NAMED[named])
        second = adt("A28", said="20260504065900", mrn=story.other)
        story.before(gate, before)
        came = {name: take(gate, second if name == "second" else getattr(story, name)) for name in order}
        assert who(gate, came["admitted"]) == set(), order
        there = who(gate, came["second"])
        assert there in (set(), BOTH), order
        if named in SURE and order.index("admitted") < order.index("moved"):
            assert there == BOTH, order
        if named not in SURE:
            assert there == set(), "whose it was is unclear"
        again = take(gate, adt("A08", said="20260504100000", mrn=story.other, visit=story.visit))
        assert (who(gate, came["admitted"]), who(gate, again)) == (set(), BOTH), "said anew"


@pytest.mark.parametrize("named", [name for name in NAMED if name not in SURE])
@pytest.mark.parametrize("event", EVENTS)
def test_a_move_from_nobody_known_is_one_finding(gate, mrn, event, named):
    story = Story(event, mrn, NAMED[named])
    admitted = take(gate, story.admitted)
    moved = take(gate, story.moved)
    assert findings(gate, moved) == [{"finding": "care.prior-unknown", "moves": 1}]
    ended = [(r["kind"], r["subject"]) for r in told(gate, moved)]
    assert ended[0] == ("care.ended", admitted.message.subject)


def findings(gate, prepared):
    with read(gate.engine) as db:
        query = f"SELECT body FROM ledger_record WHERE message = '{prepared.message.id}' AND kind = 'finding.raised'"
        found = [json.loads(body)["body"] for (body,) in db.exec_driver_sql(query)]
    return [one for one in found if one["finding"].startswith("care.")]


def test_a_change_of_number_that_names_no_prior_patient_is_of_the_same_one(gate, mrn):
    was, now = f"V{mrn}^^^HOSP^VN", f"N{mrn}^^^HOSP^VN"
    first = take(gate, adt("A01", said="20260504080000", mrn=mrn, visit=was))
    raw = moving("A50", mrn=mrn, prior=mrn, visit=now, was_visit=was)
    changed = take(gate, raw.replace(f"MRG|{mrn}^^^HOSP^MR".encode(), b"MRG|"))
    assert (who(gate, first), findings(gate, changed)) == (BOTH, [])
    take(gate, adt("A03", said="20260504100000", mrn=mrn, visit=now))
    assert who(gate, first) == set()


def test_a_visit_that_is_its_own_patients_goes_on_whatever_mrg_says(gate, mrn):
    visit = f"V{mrn}^^^HOSP^VN"
    first = take(gate, adt("A01", said="20260504080000", mrn=mrn, visit=visit))
    raw = moving("A45", mrn=mrn, prior=mrn, account="A7^^^HOSP^AN", visit=visit, was_visit=visit)
    take(gate, raw.replace(f"MRG|{mrn}^^^HOSP^MR".encode(), b"MRG|nobody^^^HOSP^MR"))
    assert who(gate, first) == BOTH


def test_reverse_a_visit_moved_from_nobody_known_ends_nobody_elses(gate, mrn):
    visit, foreign = f"V{mrn}^^^HOSP^VN", f"F{mrn}^^^HOSP^VN"
    first = take(gate, adt("A01", said="20260504080000", mrn=mrn, visit=visit))
    raw = moving("A45", mrn=f"{mrn[:-1]}X", prior="nobody", visit=foreign, was_visit=foreign)
    take(gate, raw)
    assert who(gate, first) == BOTH


@pytest.mark.parametrize("named", NAMED)
def test_in_one_transaction_it_is_as_in_several(gate, mrn, named):
    story = Story("A45", mrn, NAMED[named])
    raws = (story.moved, story.admitted)
    group = [handle(gate, Arrival(uuid7(), raw, HERE, gate.now_us(), HL7V2)) for raw in raws]
    commit_group(gate, group)
    assert gate.trouble == ""
    assert [who(gate, one) for one in group] == [set(), set()]
