"""What contradicts: a yes of which a no takes all. What a no leaves something of does not."""

import pytest

from oathward.consent.conflicts import contradictions
from oathward.consent.model import Statement, statement
from oathward.policy.consents import EVERY, Box, ConsentFact

NOW = 1_800_000_000_000_000
HOUR = 3_600_000_000


def yes(purposes=("HRESCH",), recipients=("registry",), classes=("observation.value",), **more):
    return statement(permit=True, purposes=purposes, recipients=recipients, classes=classes, **more)


def no(purposes=(), recipients=(), classes=(), **more):
    return statement(permit=False, purposes=purposes, recipients=recipients, classes=classes, **more)


def found(*said):
    return contradictions([("a", one) for one in said], NOW)


@pytest.mark.parametrize(
    "denial",
    [no(), no(["HRESCH"]), no(recipients=["registry", "other"]), no(classes=["observation.*"])],
)
def test_a_no_that_takes_all_of_a_yes_contradicts_it(denial):
    permit = yes()
    (one,) = found(permit, denial)
    assert (one.permit, one.denial, one.apart, one.until_us) == (permit, denial, False, None)


@pytest.mark.parametrize(
    "denial",
    [
        no(["HPAYMT"]),
        no(recipients=["other"]),
        no(classes=["patient.name"]),
        no(end_us=NOW),  # has ended
        Statement(ConsentFact("d", False, EVERY, EVERY, EVERY, labels=frozenset({"R"}))),
        Statement(ConsentFact("d", False, EVERY, EVERY, EVERY, codes=frozenset({"LN|8867-4"}))),
        Statement(
            ConsentFact("d", False, EVERY, EVERY, EVERY, unless=(Box(purposes=frozenset({"HRESCH"})),))
        ),
    ],
)
def test_a_no_that_leaves_something_is_an_exception(denial):
    assert found(yes(), denial) == []


def test_times_that_never_meet_do_not_contradict_and_those_that_do_end_with_the_first():
    early, late = yes(end_us=NOW + HOUR), no(start_us=NOW + HOUR)
    assert found(early, late) == []
    (one,) = found(yes(end_us=NOW + 3 * HOUR), no(start_us=NOW + HOUR, end_us=NOW + 2 * HOUR))
    assert one.until_us == NOW + 2 * HOUR


def test_two_subjects_of_one_patient_contradict_apart():
    (one,) = contradictions([("a", yes()), ("b", no())], NOW)
    assert one.apart


def test_a_no_of_which_the_codes_were_lost_takes_everything():
    lost = Statement(ConsentFact("d", False, EVERY, EVERY, frozenset(), codes=frozenset()))
    assert len(found(yes(), lost)) == 1
