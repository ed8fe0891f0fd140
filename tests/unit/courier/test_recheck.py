"""What is decided again before it leaves: whatever moved, and only that."""

import dataclasses
from hashlib import sha256
from types import SimpleNamespace

import pytest
from tests.unit.policy import small

from oathward import ledger
from oathward.consent.views import UNKNOWN
from oathward.core.db import connect, create_tables, write
from oathward.core.reasons import Reason
from oathward.courier.recheck import Later, Now, refused_each
from oathward.plans import Plans, route_of
from oathward.policy.consents import codes_met
from oathward.policy.decide import decide
from oathward.policy.memo import Memo

from .test_lane import item

NOW_US = 1_000


def row(**changes):
    as_decided = {"subject": "p", "bundle": "b@1", "consent_version": 3, "valid_until_us": 0}
    return item(1, "d").row._replace(**{**as_decided, **changes})


def refused(rows, engine=None, *, consent=(3, ()), sure=True, withdrawn=False):
    """The bundle has no link any more: a row that is decided again is refused for that."""
    nothing = SimpleNamespace(links={})
    consents = {("p",): consent, ("p", "q"): (consent[0], ())}
    if withdrawn:
        consents["p", "q"] = (consent[0] + 1, ())
    now = Now(nothing, "b@1", Plans(), consents, NOW_US, clock_sure=sure)
    return refused_each(engine, "s", rows, now)


@pytest.fixture
def engine(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/t.db")
    create_tables(engine)
    return engine


def test_what_stands_goes_out_without_a_look_at_the_database():
    assert refused([row(), row(valid_until_us=NOW_US + 1)]) == [None, None]
    assert refused([]) == []


@pytest.mark.parametrize("moved", [{"bundle": "b@0"}, {"consent_version": 2}, {"valid_until_us": NOW_US}])
def test_one_that_moved_is_decided_again_and_the_others_are_not_held_up(engine, moved):
    assert refused([row(), row(**moved), row()], engine) == [None, Reason.NO_LINK, None]


def test_what_the_second_person_of_a_message_says_counts(engine):
    assert refused([row(others="q")]) == [None]
    assert refused([row(), row(others="q")], engine, withdrawn=True) == [None, Reason.NO_LINK]


def test_consents_that_are_not_known_never_stand(engine):
    assert refused([row()], engine, consent=UNKNOWN) == [Reason.NO_LINK]


def test_while_the_clock_is_not_sure_what_has_an_end_waits(engine):
    assert refused([row(), row(valid_until_us=NOW_US + 1)], engine, sure=False) == [
        None,
        Later(Reason.CLOCK_UNSURE),
    ]


class TestByCode:
    """A row that was decided while some consents spoke by code, and what they say since."""

    HR, SPO2 = "LN|8867-4", "LN|2708-6"
    BUNDLE = small.bundle()
    LINK = BUNDLE.links["research-registry"]

    def decided(self, engine, *consents, codes=(HR, SPO2)):
        """Decide as the gateway does, and keep facts and plan as it does; gives the row."""
        row = small.facts(consents=consents, codes_present=codes_met(consents, frozenset(codes)))
        permit = decide(self.bundle(), self.LINK, row, small.NOW_US)
        plan = Plans().of(route_of(self.BUNDLE, self.LINK, "hl7v2"), self.LINK, permit)
        bodies = {sha256(body).digest(): body for body in (row.body(), plan.body)}
        with write(engine) as db:
            ledger.append(db, "s", [], facts=bodies)
        of_facts = sha256(row.body()).digest()
        return item(1, "d").row._replace(
            link=self.LINK.id, subject="p", bundle="b@1", consent_version=1, facts=of_facts, plan=plan.key
        )

    def bundle(self):
        return dataclasses.replace(self.BUNDLE, answers=Memo(), verdicts=Memo())

    def again(self, engine, row, *consents):
        now = Now(self.bundle(), "b@1", Plans(), {("p",): (2, consents)}, small.NOW_US, clock_sure=True)
        return refused_each(engine, "s", [row], now)[0]

    GRANT = small.consent()

    def by_code(self, code, *, permit=False):
        return dataclasses.replace(small.consent(f"of-{code}", permit=permit), codes=frozenset({code}))

    def test_the_same_again_goes_out(self, engine):
        denial = self.by_code(self.HR)
        row = self.decided(engine, self.GRANT, denial)
        assert self.again(engine, row, self.GRANT, dataclasses.replace(denial, id="again")) is None

    def test_what_was_withheld_stays_out_although_it_would_be_permitted_now(self, engine):
        assert self.again(engine, self.decided(engine, self.GRANT, self.by_code(self.HR)), self.GRANT) is None

    def test_a_further_denial_by_code_withholds_the_row(self, engine):
        denials = self.by_code(self.HR), self.by_code(self.SPO2)
        row = self.decided(engine, self.GRANT, denials[0])
        narrowed = self.again(engine, row, self.GRANT, *denials)
        assert narrowed is Reason.PERMIT_NARROWED, "nobody looked whether it holds that code"

    def test_a_denial_of_a_code_that_was_looked_for_and_is_not_there_changes_nothing(self, engine):
        either = dataclasses.replace(
            self.by_code(self.HR, permit=True), codes=frozenset({self.HR, self.SPO2})
        )
        row = self.decided(engine, self.GRANT, either, codes=(self.HR,))
        assert self.again(engine, row, self.GRANT, self.by_code(self.SPO2)) is None
        assert self.again(engine, row, self.GRANT, self.by_code(self.HR)) is Reason.PERMIT_NARROWED

    def test_a_permit_that_is_only_by_code_now(self, engine):
        row = self.decided(engine, self.GRANT, self.by_code(self.HR, permit=True))
        assert self.again(engine, row, self.GRANT) is None
        assert self.again(engine, row, self.by_code(self.HR, permit=True)) is Reason.PERMIT_NARROWED

    def test_what_a_consent_that_came_may_take_away_is_withheld_and_waits_for_nobody(self, engine):
        """Waiting in its place it would hold up those behind it, of other patients, until a person has looked."""
        row = self.decided(engine, self.GRANT)
        came = dataclasses.replace(small.consent("arrived-m-0", permit=False), pending=True)
        assert self.again(engine, row, self.GRANT, came) is Reason.CONSENT_WAITING
        other = dataclasses.replace(small.consent("x", permit=False, purposes="TREAT"), pending=True)
        assert self.again(engine, row, self.GRANT, other) is None
