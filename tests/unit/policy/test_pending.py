"""Denials that arrived and nobody has looked at: what they would change is held, nothing else moves."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.property.test_policy_codes import all_facts, left, rich
from tests.property.test_policy_decide import TIMES, fresh, links
from tests.unit.policy import small

from oathward.core.reasons import Reason
from oathward.policy import decide as module
from oathward.policy.consents import ConsentFact
from oathward.policy.decide import care_first, decide
from oathward.policy.model import Deny, Facts, Indeterminate, Link, Permit

YES = small.consent()
NO = small.consent("no", permit=False)


def pending(one: ConsentFact) -> ConsentFact:
    return replace(one, permit=False, pending=True)


def answer(link: str, *consents: ConsentFact):
    bundle = small.bundle()
    return decide(bundle, bundle.links[link], small.facts(consents=consents, consent_version=1), small.NOW_US)


def test_what_would_be_denied_is_held():
    assert isinstance(answer("research-registry", YES), Permit)
    held = answer("research-registry", YES, pending(NO))
    assert held == Indeterminate("research-registry", Reason.CONSENT_WAITING, ("consents",))


def test_what_would_be_the_same_is_permitted():
    other = pending(small.consent("no", permit=False, purposes="TREAT"))
    assert isinstance(answer("research-registry", YES, other), Permit)
    ends = answer("research-registry", YES, replace(pending(NO), start_us=small.NOW_US + 5))
    assert isinstance(ends, Permit)
    assert ends.valid_until_us == small.NOW_US + 5, "it ends where what pends begins"


def test_what_is_denied_anyway_is_denied():
    assert isinstance(answer("research-registry", pending(NO)), Deny)


def test_it_permits_nothing():
    assert isinstance(answer("research-registry", replace(YES, pending=True)), Deny)


def test_care_that_may_have_what_cannot_be_told_has_it():
    bundle = small.bundle()
    link = replace(bundle.links["ehr"], indeterminate="care-team")
    held = Indeterminate(link.id, Reason.CONSENT_WAITING, ("consents",))
    assert isinstance(care_first(link, held), Permit)


@given(links(), all_facts(), rich(), st.sampled_from(TIMES))
def test_what_pends_holds_and_never_widens_or_denies(link: Link, facts: Facts, more, now: int):
    before = decide(fresh(), link, facts, now)
    waits = tuple(map(pending, more))
    with_it = replace(facts, consents=(*facts.consents, *waits))
    after = decide(fresh(), link, with_it, now)
    if not isinstance(before, Permit):
        assert type(after) is type(before)
        return
    assert left(after) <= left(before)
    assert isinstance(after, Permit) or (
        isinstance(after, Indeterminate) and after.why is Reason.CONSENT_WAITING
    )
    counted = replace(facts, consents=(*facts.consents, *(replace(one, pending=False) for one in waits)))
    if isinstance(after, Permit):
        assert left(after) <= left(decide(fresh(), link, counted, now)), (
            "once it is counted nothing had left too much"
        )


@given(all_facts(), rich())
def test_facts_with_what_pends_survive_being_written(facts: Facts, more):
    facts = replace(facts, consents=(*facts.consents, *map(pending, more)))
    assert Facts.from_body(facts.body()).digest == facts.digest


def test_reverse_a_decision_that_does_not_look_again(monkeypatch):
    monkeypatch.setattr(module, "_reviewed", module._decide)
    with pytest.raises(AssertionError):
        test_what_would_be_denied_is_held()
    with pytest.raises(AssertionError):
        test_it_permits_nothing()
