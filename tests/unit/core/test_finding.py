"""Promises of a finding's clock and states: due by kind and severity, paused by nothing, suppressed until an end or until it is worse."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.core import finding as rules
from oathward.core.errors import InputError
from oathward.core.finding import Raised, State, Step
from oathward.core.finding_kinds import KINDS, Severity
from oathward.core.reasons import Reason
from oathward.core.settings_findings import Findings

T = 1_800_000_000_000_000
DAY = 86_400_000_000
TERMS = Findings()
KIND = "flow.undeclared"
OTHER = "flow.other-destination"


def new(kind=KIND, severity=Severity.SERIOUS):
    return rules.begun(kind, severity, TERMS, T)


def again(was, severity=Severity.SERIOUS, at=T + DAY, kind=KIND):
    return rules.seen_again(was, kind, severity, TERMS, at)


def test_every_kind_says_what_is_the_matter_and_what_to_do():
    for kind, one in KINDS.items():
        assert all(kind.partition(".")), kind
        assert one.title[:1].isupper(), kind
        assert min(len(one.what), 2 * len(one.remedy)) > 30, kind
        assert not one.what.endswith("."), kind
    assert Raised(KIND, "k").weight is KINDS[KIND].severity
    assert Raised(KIND, "k", severity=Severity.URGENT).weight is Severity.URGENT


@pytest.mark.parametrize(
    ("kind", "severity", "days"),
    [
        (KIND, Severity.URGENT, 1),
        (KIND, Severity.SERIOUS, 14),
        (KIND, Severity.ATTENTION, 60),
        (OTHER, Severity.SERIOUS, 3),  # its own term is shorter
        (OTHER, Severity.URGENT, 1),  # the severity's is
    ],
)
def test_the_clock_begins_when_it_is_first_seen_with_the_shorter_term(kind, severity, days):
    one = new(kind, severity)
    assert (one.state, one.first_us, one.due_us) == (State.OPEN, T, T + days * DAY)
    assert not one.overdue(one.due_us - 1)
    assert one.overdue(one.due_us)


def test_seen_again_nothing_happens_and_the_clock_goes_on():
    now, steps = again(new())
    assert steps == ()
    assert now == replace(new(), last_us=T + DAY)


def test_what_gets_worse_is_due_by_the_worse_term_from_then_and_never_later():
    now, steps = again(new(severity=Severity.ATTENTION), Severity.SERIOUS, T + 2 * DAY)
    assert (steps, now.due_us) == ((Step.ROSE,), T + 16 * DAY)
    late, _ = again(new(severity=Severity.ATTENTION), Severity.SERIOUS, T + 59 * DAY)
    assert late.due_us == T + 60 * DAY
    better, steps = again(now, Severity.ATTENTION, T + 3 * DAY)
    assert (steps, better.severity, better.due_us) == ((), Severity.ATTENTION, now.due_us)


def test_back_within_its_term_the_clock_goes_on_and_later_it_begins_anew():
    gone = rules.cleared(new(), T + 2 * DAY)
    soon, steps = again(gone, at=T + 5 * DAY)
    assert (steps, soon.state, soon.due_us, soon.cleared_us) == (
        (Step.REOPENED,),
        State.OPEN,
        T + 14 * DAY,
        0,
    )
    late, _ = again(gone, at=T + 100 * DAY)
    assert (late.first_us, late.since_us, late.due_us) == (T, T + 100 * DAY, T + 114 * DAY)


def test_a_suppression_ends_with_its_time_and_does_not_pause_the_clock():
    held = rules.suppressed(new(), T + 20 * DAY, T)
    assert held.at(T + 20 * DAY - 1).state is State.SUPPRESSED
    assert not held.overdue(T + 19 * DAY)
    assert held.at(T + 20 * DAY).state is State.OPEN
    assert held.overdue(T + 20 * DAY)
    now, steps = again(held, at=T + 21 * DAY)
    assert (steps, now.state, now.until_us, now.held) == ((Step.ENDED,), State.OPEN, 0, None)


def test_a_suppression_ends_when_it_gets_worse_than_what_was_suppressed():
    held = rules.suppressed(new(), T + 20 * DAY, T)
    same, _ = again(held)
    assert same.state is State.SUPPRESSED
    worse, steps = again(held, Severity.URGENT)
    assert (worse.state, worse.until_us, steps) == (State.OPEN, 0, (Step.ROSE,))
    better, _ = again(held, Severity.ATTENTION)
    back, steps = again(better, Severity.SERIOUS, T + 2 * DAY)
    assert (back.state, steps) == (State.SUPPRESSED, (Step.ROSE,))  # not above what the person saw


def test_a_suppression_holds_over_a_time_in_which_it_was_not_seen():
    gone = rules.cleared(rules.suppressed(new(), T + 20 * DAY, T), T + DAY)
    assert again(gone, at=T + 3 * DAY)[0].state is State.SUPPRESSED
    assert again(gone, Severity.URGENT, at=T + 3 * DAY)[0].state is State.OPEN
    assert again(gone, at=T + 30 * DAY)[0].state is State.OPEN


@pytest.mark.parametrize("until", [T, T - 1, T + 366 * DAY + 1])
@pytest.mark.parametrize("verb", [rules.suppressed, rules.extended])
def test_an_end_is_to_come_and_within_a_year(verb, until):
    with pytest.raises(InputError) as error:
        verb(new(), until, T)
    assert error.value.reason is Reason.INPUT_INVALID
    assert verb(new(), T + 366 * DAY, T)


def test_what_is_cleared_takes_no_verb_and_only_what_is_suppressed_is_lifted():
    gone = rules.cleared(new(), T)
    for verb in (
        lambda: rules.cleared(gone, T),
        lambda: rules.suppressed(gone, T + DAY, T),
        lambda: rules.extended(gone, T + 20 * DAY, T),
        lambda: rules.lifted(gone, T),
        lambda: rules.lifted(new(), T),
        lambda: rules.lifted(rules.suppressed(new(), T + DAY, T), T + DAY),
        lambda: rules.extended(new(), T + DAY, T),  # it has more time already
    ):
        with pytest.raises(InputError) as error:
            verb()
        assert error.value.reason is Reason.CONFLICT
    assert rules.lifted(rules.suppressed(new(), T + DAY, T), T) == new()
    assert rules.extended(new(), T + 20 * DAY, T).due_us == T + 20 * DAY
    over = rules.suppressed(new(), T + DAY, T)
    assert rules.extended(over, T + 20 * DAY, T + DAY).state is State.OPEN
    assert rules.cleared(over, T + DAY).until_us == 0


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["see", "clear", "suppress", "lift", "extend"]),
        st.sampled_from(list(Severity)),
        st.integers(1, 200 * DAY),
        st.integers(0, 366 * DAY),
    ),
    max_size=20,
)


@given(ACTS)
def test_whatever_happens_the_state_and_the_clock_hold_what_they_promise(acts):
    now, at = new(), T
    for what, severity, passed, ahead in acts:
        at += passed
        before = now.at(at)
        try:
            if what == "see":
                now, _ = again(now, severity, at)
            elif what == "clear":
                now = rules.cleared(now, at)
            elif what == "suppress":
                now = rules.suppressed(now, at + ahead, at)
            elif what == "lift":
                now = rules.lifted(now, at)
            else:
                now = rules.extended(now, at + ahead, at)
        except InputError:
            continue
        assert now.first_us == T
        assert T <= now.since_us < now.due_us
        assert (now.state is State.CLEARED) == (now.cleared_us > 0)
        if now.state is State.SUPPRESSED:
            assert at < now.until_us <= at + rules.DAYS_MAX * DAY
            assert now.severity.rank >= now.held.rank or what == "suppress"
        if (
            now.due_us > before.due_us
        ):  # only a person's extension, or a new beginning after it was gone for long
            assert what == "extend" or before.state is State.CLEARED
