"""Decisions against a slow oracle written class by class, and: what is taken away never widens."""

from dataclasses import fields, replace

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.policy import small

from oathward.core.labels import CLASSES, OBSERVATION_CLASSES, Assurance, Confidentiality, expand
from oathward.policy.decide import decide
from oathward.policy.memo import Memo
from oathward.policy.model import (
    TRANSPORT_CLASSES,
    ConsentFact,
    Deny,
    Facts,
    Indeterminate,
    Link,
    Permit,
)

BUNDLE = small.with_policy(
    '@id("extra") permit(principal, action == Action::"Disclose", resource) when { context.assurance >= 3 };\n'
    '@id("no-or") forbid(principal, action == Action::"Disclose", resource) '
    'when { context.device_tags.contains("or") };'
)
T0 = small.NOW_US
TIMES = [T0 - 20, T0 - 10, T0, T0 + 10, T0 + 20]
CLASS_WORDS = [
    "*",
    "patient.*",
    "observation.*",
    "observation.value",
    "note.text",
    "order",
    "structure",
    "*.name",
]
CODES = ["HIV", "PSY", "SUD"]


def mostly(value: object, other: st.SearchStrategy) -> st.SearchStrategy:
    """The plain value three times in four, so that most examples reach the later steps."""
    return st.one_of(st.just(value), st.just(value), st.just(value), other)


moments = st.none() | st.sampled_from(TIMES)
some_classes = st.frozensets(st.sampled_from(CLASS_WORDS), max_size=3)


@st.composite
def consents(draw: st.DrawFn) -> tuple[ConsentFact, ...]:
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from([True, True, False]),
                mostly(
                    frozenset({"*"}),
                    st.frozensets(st.sampled_from(["HRESCH", "TREAT", "HOPERAT", "*"]), max_size=2),
                ),
                mostly(
                    frozenset({"*"}),
                    st.frozensets(
                        st.sampled_from(["research-registry", "ehr", "vendor-cloud", "*"]), max_size=2
                    ),
                ),
                mostly(frozenset({"*"}), some_classes),
                mostly(None, moments),
                mostly(None, moments),
            ),
            max_size=5,
        )
    )
    return tuple(ConsentFact(f"c{n}", *row) for n, row in enumerate(rows))


@st.composite
def all_facts(draw: st.DrawFn) -> Facts:
    return small.facts(
        device_tags=draw(mostly(frozenset({"icu"}), st.frozensets(st.sampled_from(["icu", "or"])))),
        assurance=draw(mostly(Assurance.CERTIFICATE, st.sampled_from(Assurance))),
        subject_kind=draw(mostly("known", st.sampled_from(["holding", "none"]))),
        message_type=draw(mostly("ORU^R01", st.sampled_from(["ORU^R40", "ADT^A01"]))),
        confidentiality=draw(mostly(Confidentiality.N, st.sampled_from(Confidentiality))),
        sensitivity=draw(st.frozensets(st.sampled_from(CODES), max_size=2)),
        classes_present=draw(st.just(CLASSES) | some_classes.map(expand)),
        consents=draw(consents()),
        clock_sure=draw(mostly(True, st.just(False))),
    )


@st.composite
def links(draw: st.DrawFn) -> Link:
    base = BUNDLE.links[draw(st.sampled_from(sorted(BUNDLE.links)))]
    return replace(
        base,
        classes=draw(mostly(base.classes, some_classes.map(expand))),
        without_consent=draw(st.booleans()),
        objection=draw(st.sampled_from(["honoured", "honoured", "overruled"])),
        min_assurance=draw(mostly(base.min_assurance, st.sampled_from(Assurance))),
        confidentiality_max=draw(mostly(Confidentiality.V, st.sampled_from(Confidentiality))),
        carries_identity=draw(st.booleans()),
        sensitivity_denied={
            code: expand(words)
            for code, words in draw(
                st.dictionaries(st.sampled_from([*CODES, "*"]), some_classes.filter(bool), max_size=2)
            ).items()
        },
        valid_from_us=draw(mostly(None, moments)),
        valid_until_us=draw(mostly(None, moments)),
    )


def fresh():
    return replace(BUNDLE, answers=Memo(), verdicts=Memo())


def passing(answer) -> frozenset[str]:
    """What may leave under an answer."""
    return answer.classes if isinstance(answer, Permit) else frozenset()


# --- the oracle: nothing shared with decide.py but the words


def said(consent: ConsentFact, link: Link) -> bool:
    def hit(words, word):
        return word in words or "*" in words or (words == frozenset() and consent.permit is False)

    return hit(consent.purposes, str(link.purpose)) and hit(consent.recipients, link.recipient)


def in_time(start, end, now) -> bool:
    return not (start is not None and now < start) and not (end is not None and now >= end)


def covers(consent: ConsentFact, klass: str) -> bool:
    if not consent.classes:
        return not consent.permit
    return any(klass in expand([word]) for word in consent.classes)


def heard(link: Link, facts: Facts, now: int) -> list[ConsentFact]:
    """The consents that count now; while the clock is not sure, only those without dates."""
    if link.objection == "overruled":
        return []
    spoken = [c for c in facts.consents if said(c, link)]
    if not facts.clock_sure:
        return [c for c in spoken if c.start_us is None and c.end_us is None]
    return [c for c in spoken if in_time(c.start_us, c.end_us, now)]


def granted(klass: str, link: Link, facts: Facts, now: int) -> bool:
    return link.without_consent or any(c.permit and covers(c, klass) for c in heard(link, facts, now))


def denied(klass: str, link: Link, facts: Facts, now: int) -> bool:
    return any(not c.permit and covers(c, klass) for c in heard(link, facts, now))


def class_passes(klass: str, link: Link, facts: Facts, now: int) -> bool:
    if klass in TRANSPORT_CLASSES:
        return True
    if not granted(klass, link, facts, now) or denied(klass, link, facts, now):
        return False
    return not any(klass in _taken(link, code) for code in facts.sensitivity)


def _taken(link: Link, code: str):
    table = link.sensitivity_denied
    return table[code] if code in table else table.get("*", frozenset())


def oracle(link: Link, facts: Facts, now: int) -> frozenset[str] | None:
    """The classes that pass; ``None`` when it cannot be told; empty when nothing does."""
    nothing: frozenset[str] = frozenset()
    types = link.sources.message_types
    if not ("*" in types or facts.message_type in types or facts.message_type[:4] + "*" in types):
        return nothing
    if facts.assurance.rank < link.min_assurance.rank:
        return nothing
    if link.valid_from_us is not None or link.valid_until_us is not None:
        if not facts.clock_sure:
            return None
        if not in_time(link.valid_from_us, link.valid_until_us, now):
            return nothing
    person = [c for c in CLASSES if c.split(".")[0] in ("patient", "relative")]
    if facts.subject_kind != "known" and str(link.purpose) not in ("TREAT", "ETREAT", "BTG"):
        if not link.without_consent:
            return nothing
        may_carry = link.carries_identity or any(c in link.classes for c in person)
        about = facts.subject_kind == "holding" or any(c in facts.classes_present for c in person)
        if may_carry and about:
            return None
    spoken = [] if link.objection == "overruled" else [c for c in facts.consents if said(c, link)]
    dated = [c for c in spoken if not facts.clock_sure and (c.start_us is not None or c.end_us is not None)]
    if any(not c.permit for c in dated):
        return None
    # A grant that cannot be counted turns a refusal for want of grants into "cannot be told".
    refused = None if any(c.permit for c in dated) and not link.without_consent else nothing
    content = [c for c in link.classes if c not in TRANSPORT_CLASSES and c != "uncatalogued"]
    if content and not any(granted(c, link, facts, now) and not denied(c, link, facts, now) for c in content):
        return refused
    order = "ULMNRV"
    if order.index(facts.confidentiality) > order.index(link.confidentiality_max):
        return nothing
    taken = {c for c in content for code in facts.sensitivity if c in _taken(link, code)}
    if content and taken >= set(content):
        return nothing
    left = {c for c in link.classes if class_passes(c, link, facts, now)}
    if not left >= OBSERVATION_CLASSES:
        left -= OBSERVATION_CLASSES
    for c in OBSERVATION_CLASSES:
        if c in link.classes and c in facts.classes_present and c not in left:
            return refused
    if not any(c in facts.classes_present for c in left - TRANSPORT_CLASSES - {"uncatalogued"}):
        return refused
    if "or" in facts.device_tags:
        return nothing
    external = BUNDLE.recipients[link.recipient].external
    if external and "on-loan" in facts.device_tags:
        return nothing
    if link.recipient == "research-registry" and facts.subject_kind != "known":
        return nothing
    return frozenset(left)


@given(links(), all_facts(), st.sampled_from(TIMES))
def test_decide_agrees_with_the_oracle(link: Link, facts: Facts, now: int):
    answer = decide(fresh(), link, facts, now)
    expected = oracle(link, facts, now)
    if expected is None:
        assert isinstance(answer, Indeterminate), answer
    elif expected:
        assert isinstance(answer, Permit), answer
        assert answer.classes == expected
    else:
        assert isinstance(answer, Deny), answer


@given(links(), all_facts(), st.sampled_from(TIMES))
def test_what_passes_is_always_declared(link: Link, facts: Facts, now: int):
    assert passing(decide(fresh(), link, facts, now)) <= link.classes


@given(links(), all_facts(), st.sampled_from(TIMES), st.data())
def test_an_unknown_fact_never_widens(link: Link, facts: Facts, now: int, data: st.DataObject):
    before = passing(decide(fresh(), link, facts, now))
    unread = ("bundle_version", "codes_present")  # no consent here speaks by code
    names = [f.name for f in fields(Facts) if f.init and f.name not in unread]
    for name in data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)):
        facts = replace(facts, **{name: None})
        after = decide(fresh(), link, facts, now)
        assert passing(after) <= before
        assert not isinstance(after, Permit)


@given(links(), all_facts(), st.sampled_from(TIMES))
def test_a_lost_grant_never_widens(link: Link, facts: Facts, now: int):
    before = passing(decide(fresh(), link, facts, now))
    for lost in facts.consents:
        if lost.permit:
            rest = tuple(c for c in facts.consents if c is not lost)
            assert passing(decide(fresh(), link, replace(facts, consents=rest), now)) <= before


@given(links(), all_facts(), st.sampled_from(TIMES))
def test_a_word_lost_from_a_consent_never_widens_to_what_it_did_not_say(link: Link, facts: Facts, now: int):
    """The last word of a set lost: a grant then grants nothing, a denial denies everything."""
    before = passing(decide(fresh(), link, facts, now))
    for n, consent in enumerate(facts.consents):
        for name in ("purposes", "recipients", "classes"):
            emptied = replace(consent, **{name: frozenset()})
            changed = (*facts.consents[:n], emptied, *facts.consents[n + 1 :])
            assert passing(decide(fresh(), link, replace(facts, consents=changed), now)) <= before


@given(links(), all_facts(), consents(), st.sampled_from(TIMES))
def test_a_further_denial_never_widens(link: Link, facts: Facts, more, now: int):
    before = passing(decide(fresh(), link, facts, now))
    denials = tuple(replace(c, id=f"x{n}", permit=False) for n, c in enumerate(more))
    after = decide(fresh(), link, replace(facts, consents=facts.consents + denials), now)
    assert passing(after) <= before


@given(links(), all_facts(), st.sampled_from(TIMES), st.sampled_from(CODES))
def test_a_higher_label_never_widens(link: Link, facts: Facts, now: int, code: str):
    before = passing(decide(fresh(), link, facts, now))
    if "*" not in link.sensitivity_denied or code in link.sensitivity_denied:
        more = replace(facts, sensitivity=facts.sensitivity | {code})
        assert passing(decide(fresh(), link, more, now)) <= before
    order = list(Confidentiality)
    for level in order[order.index(facts.confidentiality) :]:
        assert passing(decide(fresh(), link, replace(facts, confidentiality=level), now)) <= before


@given(
    links(), all_facts(), st.lists(st.sampled_from([t + d for t in TIMES for d in (-1, 0, 1)]), max_size=8)
)
def test_memory_never_changes_an_answer(link: Link, facts: Facts, times: list[int]):
    remembering = fresh()
    for now in times:
        assert decide(remembering, link, facts, now) == decide(fresh(), link, facts, now)


@given(links(), all_facts(), st.sampled_from(TIMES), st.randoms(use_true_random=False))
def test_the_order_of_consents_does_not_matter(link: Link, facts: Facts, now: int, random):
    shuffled = list(facts.consents)
    random.shuffle(shuffled)
    other = replace(facts, consents=tuple(shuffled))
    assert other.digest == facts.digest
    assert decide(fresh(), link, other, now) == decide(fresh(), link, facts, now)


@given(links(), all_facts(), st.sampled_from(TIMES))
def test_a_permit_holds_until_it_says(link: Link, facts: Facts, now: int):
    permit = decide(fresh(), link, facts, now)
    if isinstance(permit, Permit):
        end = T0 + 100 if permit.valid_until_us is None else permit.valid_until_us
        assert end > now
        for later in [*(t for t in TIMES if now < t < end), end - 1]:
            again = decide(fresh(), link, facts, later)
            assert permit.classes <= passing(again)


@given(links(), all_facts(), st.sampled_from(TIMES))
def test_an_unsure_clock_permits_only_what_holds_at_any_time(link: Link, facts: Facts, now: int):
    answer = decide(fresh(), link, replace(facts, clock_sure=False), now)
    if isinstance(answer, Permit):
        for other in TIMES:
            assert answer.classes <= passing(decide(fresh(), link, replace(facts, clock_sure=True), other))


@given(all_facts())
def test_facts_survive_being_written(facts: Facts):
    again = Facts.from_body(facts.body())
    assert again.digest == facts.digest
    assert again.body() == facts.body()


def test_reverse_a_decision_that_ignores_denials_is_caught():
    """The oracle sees it when deny does not win (the guard of the properties above)."""
    grant, denial = small.consent(), small.consent("d", permit=False, classes="observation.*")
    link, facts = BUNDLE.links["research-registry"], small.facts(consents=(grant, denial))
    deaf = decide(fresh(), link, replace(facts, consents=(grant,)), T0)
    assert isinstance(deaf, Permit)
    assert deaf.classes != oracle(link, facts, T0)
