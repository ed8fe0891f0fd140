"""Consents by code, label and exception against an oracle that asks of each single datum, and: never wider.

A datum is an element class and the codes of what it stands in: an observation that bears two codes, a name that
bears none. The oracle knows nothing of boxes that were put together; it asks each consent of each datum.
"""

from dataclasses import replace
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st
from tests.property.test_policy_decide import BUNDLE, TIMES, consents, fresh, in_time, links, moments, mostly
from tests.unit.policy import small

from oathward.core.labels import CLASSES, OBSERVATION_CLASSES, Confidentiality, expand
from oathward.policy.consents import Box, ConsentFact, codes_met
from oathward.policy.decide import decide
from oathward.policy.model import TRANSPORT_CLASSES, Facts, Link, Permit

CODES = ["LN|8867-4", "LN|2708-6", "MDC|150456"]
KINDS = ["HIV", "PSY"]
WORDS = ["*", "observation.*", "observation.value", "patient.*", "note.text"]
EVERY = frozenset({"*"})
BEARING = [frozenset(some) for n in (0, 1, 2) for some in combinations(CODES, n)]
"""The codes that things in a message bear: none, one, or two."""

some_codes = mostly(EVERY, st.frozensets(st.sampled_from(CODES), max_size=2))
some_labels = mostly(EVERY, st.frozensets(st.sampled_from([*"NRV", *KINDS]), max_size=3))
some_classes = mostly(EVERY, st.frozensets(st.sampled_from(WORDS), max_size=2))
boxes = st.builds(
    Box,
    purposes=mostly(EVERY, st.frozensets(st.sampled_from(["HRESCH", "TREAT"]), max_size=2)),
    recipients=mostly(EVERY, st.frozensets(st.sampled_from(["ehr", "research-registry"]), max_size=2)),
    classes=some_classes,
    codes=some_codes,
    labels=some_labels,
    start_us=mostly(None, moments),
    end_us=mostly(None, moments),
)


@st.composite
def rich(draw: st.DrawFn) -> tuple[ConsentFact, ...]:
    """Consents that may speak of codes and labels; denials with exceptions."""
    return tuple(
        replace(
            plain,
            codes=draw(some_codes),
            labels=draw(some_labels),
            unless=() if plain.permit else tuple(draw(st.lists(boxes, max_size=2))),
        )
        for plain in draw(consents())
    )


@st.composite
def all_facts(draw: st.DrawFn) -> Facts:
    said = draw(rich())
    return small.facts(
        confidentiality=draw(st.sampled_from([Confidentiality.N, Confidentiality.R])),
        sensitivity=draw(st.frozensets(st.sampled_from(KINDS), max_size=2)),
        consents=said,
        codes_present=codes_met(said, frozenset(CODES)),
        clock_sure=draw(mostly(True, st.just(False))),
    )


def left(answer) -> set[tuple[str, frozenset[str]]]:
    """What of a message that holds everything leaves under an answer."""
    if not isinstance(answer, Permit):
        return set()
    return {
        (klass, codes)
        for klass in answer.classes - TRANSPORT_CLASSES
        for codes in BEARING
        if not codes & answer.withheld
        and (klass not in OBSERVATION_CLASSES or answer.only is None or codes & answer.only)
    }


# --- the oracle: nothing shared with the decision but the words


def asks(one: ConsentFact | Box, permit: bool, link: Link, facts: Facts, now: int) -> bool:
    """Whether it speaks now of this purpose, recipient and message."""
    for words, about in ((one.purposes, str(link.purpose)), (one.recipients, link.recipient)):
        if not (about in words or "*" in words or (not words and not permit)):
            return False
    if "*" not in one.labels:
        levels = [w for w in one.labels if len(w) == 1]
        kinds = set(one.labels) - set(levels)
        if not one.labels and permit:
            return False
        if levels and str(facts.confidentiality) not in levels:
            return False
        has = set(facts.sensitivity)
        if kinds and not (has and has <= kinds if permit else has & kinds):
            return False
    if not facts.clock_sure and (one.start_us is not None or one.end_us is not None):
        return False
    return in_time(one.start_us, one.end_us, now)


def names_class(words: frozenset[str], klass: str, permit: bool) -> bool:
    return not permit if not words else any(klass in expand([word]) for word in words)


def names_code(words: frozenset[str], codes: frozenset[str], permit: bool) -> bool:
    return "*" in words or (not permit if not words else bool(words & codes))


def covers(one: ConsentFact | Box, permit: bool, klass: str, codes: frozenset[str]) -> bool:
    return names_class(one.classes, klass, permit) and names_code(one.codes, codes, permit)


def may(klass: str, codes: frozenset[str], link: Link, facts: Facts, now: int) -> bool:
    """Whether consents allow one datum to leave. A denial that lost its codes denies all, without exceptions."""
    spoken = [c for c in facts.consents if asks(c, c.permit, link, facts, now)]
    if link.objection == "overruled":
        spoken = []
    allowed = link.without_consent or any(c.permit and covers(c, True, klass, codes) for c in spoken)
    return allowed and not any(
        not c.permit
        and (covers(c, False, klass, codes) or not c.codes)
        and not (
            c.codes
            and any(asks(b, True, link, facts, now) and covers(b, True, klass, codes) for b in c.unless)
        )
        for c in spoken
    )


def dated_denial(link: Link, facts: Facts) -> bool:
    """Whether a denial cannot be told because the clock is not sure."""
    sure = replace(facts, clock_sure=True)
    return not facts.clock_sure and any(
        not c.permit
        and (c.start_us is not None or c.end_us is not None)
        and asks(replace(c, start_us=None, end_us=None), False, link, sure, 0)
        for c in facts.consents
    )


@given(links(), all_facts(), st.sampled_from(TIMES))
def test_what_leaves_was_allowed_datum_by_datum(link: Link, facts: Facts, now: int):
    answer = decide(fresh(), link, facts, now)
    assert not (isinstance(answer, Permit) and link.objection != "overruled" and dated_denial(link, facts))
    for klass, codes in left(answer):
        assert may(klass, codes, link, facts, now), (klass, set(codes))


@given(links(), all_facts(), st.sampled_from(TIMES))
def test_what_was_allowed_of_observations_leaves(link: Link, facts: Facts, now: int):
    """Where consents are of all classes, exactly the allowed observations leave: those of one code, and of none."""
    said = tuple(
        replace(c, classes=EVERY, unless=tuple(replace(b, classes=EVERY) for b in c.unless))
        for c in facts.consents
    )
    facts = replace(facts, consents=said, classes_present=CLASSES)
    answer = decide(fresh(), link, facts, now)
    if isinstance(answer, Permit) and answer.classes >= OBSERVATION_CLASSES:
        for codes in [frozenset[str](), *({code} for code in CODES)]:
            allowed = may("observation.value", frozenset(codes), link, facts, now)
            assert (("observation.value", frozenset(codes)) in left(answer)) is allowed


@given(links(), all_facts(), st.sampled_from(TIMES))
def test_a_lost_grant_or_exception_never_widens(link: Link, facts: Facts, now: int):
    before = left(decide(fresh(), link, facts, now))
    for n, one in enumerate(facts.consents):
        others = (*facts.consents[:n], *facts.consents[n + 1 :])
        fewer = [others] if one.permit else []
        fewer += [
            (*others, replace(one, unless=one.unless[:k] + one.unless[k + 1 :]))
            for k in range(len(one.unless))
        ]
        for said in fewer:
            assert left(decide(fresh(), link, replace(facts, consents=said), now)) <= before


@given(links(), all_facts(), rich(), st.sampled_from(TIMES))
def test_a_further_denial_never_widens(link: Link, facts: Facts, more, now: int):
    facts = replace(facts, codes_present=frozenset(CODES))
    before = left(decide(fresh(), link, facts, now))
    denials = tuple(replace(c, id=f"x{n}", permit=False) for n, c in enumerate(more))
    after = decide(fresh(), link, replace(facts, consents=facts.consents + denials), now)
    assert left(after) <= before


@given(links(), all_facts(), st.sampled_from(TIMES))
def test_a_word_lost_never_widens_to_what_was_not_said(link: Link, facts: Facts, now: int):
    """The last word of a set lost: a grant then grants nothing, a denial denies everything."""
    before = left(decide(fresh(), link, facts, now))
    for n, one in enumerate(facts.consents):
        lost = [replace(one, **{name: frozenset()}) for name in ("codes", "labels", "classes", "recipients")]
        lost += [
            replace(one, unless=(replace(one.unless[0], **{name: frozenset()}), *one.unless[1:]))
            for name in ("codes", "labels", "classes", "recipients", "purposes")
            if one.unless
        ]
        for changed in lost:
            said = (*facts.consents[:n], changed, *facts.consents[n + 1 :])
            assert left(decide(fresh(), link, replace(facts, consents=said), now)) <= before


@given(links(), all_facts(), st.sampled_from(TIMES))
def test_codes_that_are_not_known_never_widen(link: Link, facts: Facts, now: int):
    before = left(decide(fresh(), link, facts, now))
    after = left(decide(fresh(), link, replace(facts, codes_present=None), now))
    assert after <= before


@given(
    links(), all_facts(), st.lists(st.sampled_from([t + d for t in TIMES for d in (-1, 0, 1)]), max_size=6)
)
def test_memory_never_changes_an_answer(link: Link, facts: Facts, times: list[int]):
    remembering = fresh()
    for now in times:
        assert decide(remembering, link, facts, now) == decide(fresh(), link, facts, now)


@given(links(), all_facts(), st.sampled_from(TIMES))
def test_a_permit_holds_until_it_says(link: Link, facts: Facts, now: int):
    permit = decide(fresh(), link, facts, now)
    if isinstance(permit, Permit):
        end = small.NOW_US + 100 if permit.valid_until_us is None else permit.valid_until_us
        assert end > now
        for later in [*(t for t in TIMES if now < t < end), end - 1]:
            again = decide(fresh(), link, facts, later)
            assert isinstance(again, Permit)
            assert again.covers(permit.classes, permit.withheld, permit.only)
            assert left(permit) <= left(again)


@given(links(), all_facts(), st.sampled_from(TIMES))
def test_an_unsure_clock_permits_only_what_holds_at_any_time(link: Link, facts: Facts, now: int):
    unsure = left(decide(fresh(), link, replace(facts, clock_sure=False), now))
    for other in TIMES:
        assert unsure <= left(decide(fresh(), link, replace(facts, clock_sure=True), other))


@given(all_facts())
def test_facts_survive_being_written(facts: Facts):
    again = Facts.from_body(facts.body())
    assert again.digest == facts.digest
    assert again.codes_present == facts.codes_present


def test_a_denial_that_lost_its_codes_is_of_everything_without_exceptions():
    """Read by its classes alone it would let pass what it withheld by code (the nightly run found it)."""
    no = replace(
        small.consent("d", permit=False), classes=frozenset({"patient.*"}), codes=frozenset({CODES[0]})
    )
    bears = ("observation.value", frozenset({CODES[0]}))
    for denial in (no, replace(no, codes=frozenset()), replace(no, codes=frozenset(), unless=(Box(),))):
        facts = small.facts(consents=(small.consent(), denial), codes_present=frozenset(CODES))
        answer = decide(fresh(), BUNDLE.links["research-registry"], facts, small.NOW_US)
        assert bears not in left(answer)
        assert isinstance(answer, Permit) is bool(denial.codes)


def test_reverse_a_decision_that_forgets_what_is_withheld_is_caught():
    denial = replace(small.consent("d", permit=False), codes=frozenset({CODES[0]}))
    facts = small.facts(consents=(small.consent(), denial), codes_present=frozenset({CODES[0]}))
    link = BUNDLE.links["research-registry"]
    answer = decide(fresh(), link, facts, small.NOW_US)
    assert isinstance(answer, Permit)
    told = left(replace(answer, withheld=frozenset()))
    assert not all(may(klass, codes, link, facts, small.NOW_US) for klass, codes in told)
