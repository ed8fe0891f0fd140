"""Explanations against decisions: the same answer for all facts, and what is said to decide does."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.property import test_policy_codes as codes
from tests.property.test_policy_decide import BUNDLE, TIMES, all_facts, fresh, links
from tests.unit.policy.small import NOW_US, consent, facts

from oathward.policy.decide import care_first, decide
from oathward.policy.explain import Explanation, effect_of, explain
from oathward.policy.model import Facts, Indeterminate, Link, Permit

anything = st.one_of(all_facts(), codes.all_facts())


@st.composite
def with_waiting(draw: st.DrawFn) -> Facts:
    """Facts of which some denials wait for a person, and one fact may be missing."""
    facts = draw(anything)
    waits = draw(st.booleans())
    said = tuple(
        replace(one, pending=waits and not one.permit and draw(st.booleans())) for one in facts.consents or ()
    )
    lost = draw(st.sampled_from(["", "", "", "consents", "sensitivity", "device_tags", "message_type"]))
    return replace(facts, **({"consents": said} | ({lost: None} if lost else {})))


def consents_named(told: Explanation, weight: str) -> set[str]:
    return {p.id for s in told.steps for p in s.parts if p.weight == weight and p.id.startswith("consent:")}


@given(links(), with_waiting(), st.sampled_from(TIMES))
def test_an_explanation_answers_as_the_decision_does(link: Link, facts: Facts, now: int):
    told = explain(fresh(), link, facts, now)
    answer = decide(fresh(), link, facts, now)
    assert told.answer == answer
    care = care_first(link, answer) if isinstance(answer, Indeterminate) else answer
    assert told.passes == (care.classes if isinstance(care, Permit) else frozenset())


@given(links(), with_waiting(), st.sampled_from(TIMES))
def test_the_steps_come_to_the_answer(link: Link, facts: Facts, now: int):
    told = explain(fresh(), link, facts, now)
    ends = [step for step in told.steps if step.answers]
    assert ends, "no step answers"
    last = told.steps[-1]
    assert ends[-1] is last or last.name == "waiting"
    if isinstance(told.answer, Permit):
        assert last.left == told.answer.classes
    else:
        why = told.answer.why if isinstance(told.answer, Indeterminate) else None
        assert last.reasons == ((why,) if why else told.answer.reasons)
        assert last.left == frozenset()
    assert [step.number for step in told.steps if step.name != "waiting"] == list(
        range(1, len([step for step in told.steps if step.name != "waiting"]) + 1)
    )
    left = link.classes
    for step in told.steps:
        assert step.left <= left, "a step gave something back"
        assert step.took == left - step.left
        left = step.left


@given(links(), with_waiting(), st.sampled_from(TIMES))
def test_what_is_said_to_decide_does_and_nothing_else_does_alone(link: Link, facts: Facts, now: int):
    told = explain(fresh(), link, facts, now)
    decides = consents_named(told, "decides")
    for one in facts.consents or ():
        rest = tuple(other for other in facts.consents if other is not one)
        other = decide(fresh(), link, replace(facts, consents=rest), now)
        assert (effect_of(other) != effect_of(told.answer)) == (f"consent:{one.id}" in decides)


@given(links(), with_waiting(), st.sampled_from(TIMES))
def test_what_is_not_named_as_counting_may_go_together(link: Link, facts: Facts, now: int):
    told = explain(fresh(), link, facts, now)
    counts = consents_named(told, "decides") | consents_named(told, "shares")
    kept = tuple(one for one in facts.consents or () if f"consent:{one.id}" in counts)
    if facts.consents is not None:
        other = decide(fresh(), link, replace(facts, consents=kept), now)
        assert effect_of(other)[:4] == effect_of(told.answer)[:4]


@given(links(), with_waiting(), st.sampled_from(TIMES))
def test_every_step_has_words_and_no_word_of_a_form(link: Link, facts: Facts, now: int):
    for step in explain(fresh(), link, facts, now).steps:
        assert step.words.endswith(".")
        assert "None" not in step.words
        assert "frozenset" not in step.words


def test_two_that_end_now_while_the_clock_is_not_sure_both_count():
    """Each alone changes nothing, since the other is as unknown; without both the answer is another."""
    ends = [consent(one, purposes="*", recipients="*", end_us=NOW_US) for one in ("c0", "c1")]
    link, said = BUNDLE.links["research-registry"], facts(consents=tuple(ends), clock_sure=False)
    told = explain(fresh(), link, said, NOW_US)
    assert isinstance(told.answer, Indeterminate)
    assert consents_named(told, "shares") == {"consent:c0", "consent:c1"}
    assert not isinstance(decide(fresh(), link, replace(said, consents=()), NOW_US), Indeterminate)
