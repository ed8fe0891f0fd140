"""Consents by code, by label and with exceptions: which observations of which classes pass, one row a rule."""

from dataclasses import replace

import pytest
from tests.unit.policy import small
from tests.unit.policy.small import DAY_US, NOW_US, consent, facts

from oathward.core.labels import OBSERVATION_CLASSES, Confidentiality
from oathward.core.reasons import Reason
from oathward.policy.consents import Box, ConsentFact, codes_asked, codes_met, hits
from oathward.policy.decide import decide
from oathward.policy.memo import Memo
from oathward.policy.model import Deny, Facts, Indeterminate, Permit, Recipient

BUNDLE = small.bundle()
REGISTRY, EHR = BUNDLE.links["research-registry"], BUNDLE.links["ehr"]
HR, SPO2, HIV = "LN|8867-4", "MDC|150456", "LN|75622-1"
GRANT = consent()


def said(id_: str = "c1", **changes: object) -> ConsentFact:
    """Write a consent fact; sets as words with spaces between them."""
    sets = {k: frozenset(v.split()) for k, v in changes.items() if isinstance(v, str)}
    return replace(consent(id_), **(changes | sets))


def box(**changes: object) -> Box:
    sets = {k: frozenset(v.split()) for k, v in changes.items() if isinstance(v, str)}
    return replace(Box(), **(changes | sets))


def ask(*consents: ConsentFact, link=REGISTRY, codes: str | None = f"{HR} {SPO2}", now_us=NOW_US, **changes):
    present = None if codes is None else frozenset(codes.split())
    row = facts(consents=consents, codes_present=present, **changes)
    return decide(replace(BUNDLE, answers=Memo(), verdicts=Memo()), link, row, now_us)


def outcome(answer) -> str:
    """Observations of an answer, short: what is withheld, and what alone may pass."""
    match answer:
        case Permit() if answer.classes >= OBSERVATION_CLASSES:
            only = "all" if answer.only is None else "only " + " ".join(sorted(answer.only))
            return f"{only} without {' '.join(sorted(answer.withheld)) or 'none'}"
        case Permit():
            return "no observations"
        case Deny():
            return f"deny {answer.reasons[0].code}"
        case Indeterminate():
            return f"unknown {answer.why.code}"


ALL = "all without none"
GONE = "deny decision.nothing-left"

BY_CODE = [
    ("a grant of everything", [GRANT], ALL),
    ("a denial by code withholds it", [GRANT, said("d", permit=False, codes=HR)], f"all without {HR}"),
    ("also where it names classes", [GRANT, said("d", permit=False, codes=HR, classes="patient.name")], f"all without {HR}"),
    ("a denial of a code that is not there", [GRANT, said("d", permit=False, codes=HIV)], ALL),
    ("two denials by code", [GRANT, said("d", permit=False, codes=HR), said("e", permit=False, codes=SPO2)], f"all without {HR} {SPO2}"),
    ("a grant by code alone", [said(codes=HR)], f"only {HR} without none"),
    ("two grants by code", [said(codes=HR), said("d", codes=SPO2)], f"only {HR} {SPO2} without none"),
    ("a grant by code beside one of all", [said(codes=HR), GRANT], ALL),
    ("a grant of a code that is not there", [said(codes=HIV)], "deny decision.no-consent"),
    ("a grant by code of half an observation", [said(codes=HR, classes="observation.value")], "deny decision.no-consent"),
    ("granted and denied by code", [said(codes=HR), said("d", permit=False, codes=HR)], "deny decision.consent-denies"),
    ("one of two granted is denied", [said(codes=f"{HR} {SPO2}"), said("d", permit=False, codes=HR)], f"only {HR} {SPO2} without {HR}"),
    ("a denial that lost its codes", [GRANT, said("d", permit=False, codes="")], "deny decision.consent-denies"),
    ("a grant that lost its codes", [said(codes="")], "deny decision.no-consent"),
]  # fmt: skip


@pytest.mark.parametrize(("consents", "expected"), [row[1:] for row in BY_CODE], ids=[r[0] for r in BY_CODE])
def test_consent_by_code(consents, expected):
    assert outcome(ask(*consents)) == expected


DENIED = said("d", permit=False)
EXCEPTIONS = [
    ("except everything", [box()], ALL),
    ("except for this purpose", [box(purposes="HRESCH")], ALL),
    ("except for another purpose", [box(purposes="TREAT")], "deny decision.consent-denies"),
    ("except to this recipient", [box(recipients="research-registry")], ALL),
    ("except to another", [box(recipients="ehr")], "deny decision.consent-denies"),
    ("except to nobody", [box(recipients="")], "deny decision.consent-denies"),
    ("except observations", [box(classes="observation.*")], ALL),
    ("except half an observation", [box(classes="observation.value")], GONE),
    ("except one code", [box(codes=HR)], f"only {HR} without none"),
    ("except two codes, in two boxes", [box(codes=HR), box(codes=SPO2)], f"only {HR} {SPO2} without none"),
    ("except one code, and a part of all", [box(codes=HR), box(classes="observation.value")], f"only {HR} without none"),
    ("except a code that is not there", [box(codes=HIV)], "deny decision.consent-denies"),
    ("except now", [box(start_us=NOW_US, end_us=NOW_US + 1)], ALL),
    ("except until just now", [box(end_us=NOW_US)], "deny decision.consent-denies"),
    ("except from the next moment on", [box(start_us=NOW_US + 1)], "deny decision.consent-denies"),
    ("except where it is restricted", [box(labels="R")], "deny decision.consent-denies"),
    ("except where it is normal", [box(labels="U L M N")], ALL),
]  # fmt: skip


@pytest.mark.parametrize(("boxes", "expected"), [r[1:] for r in EXCEPTIONS], ids=[r[0] for r in EXCEPTIONS])
def test_a_denial_with_exceptions(boxes, expected):
    answer = ask(GRANT, replace(DENIED, unless=tuple(boxes)))
    assert outcome(answer) == expected


def test_what_an_exception_by_class_leaves_denied():
    answer = ask(GRANT, replace(DENIED, unless=(box(classes="observation.* device.*"),)))
    assert outcome(answer) == ALL
    assert not any(c.startswith(("patient.", "note.", "staff.")) for c in answer.classes)


def test_an_exception_by_code_leaves_other_classes_denied():
    answer = ask(GRANT, replace(DENIED, unless=(box(codes=HR),)))
    assert answer.only == {HR}
    assert "device.type" not in answer.classes


@pytest.mark.parametrize(
    ("exception", "expected"),
    [
        (box(), ALL),
        (box(codes=HR), f"all without {SPO2}"),
        (box(classes="observation.*"), f"all without {HR} {SPO2}"),
        (box(codes=HR, classes="observation.*"), f"all without {HR} {SPO2}"),
    ],
)
def test_a_denial_by_code_with_an_exception(exception, expected):
    """What bears a denied code leaves whole, so an exception must lift every class of it."""
    answer = ask(GRANT, said("d", permit=False, codes=f"{HR} {SPO2}", unless=(exception,)))
    assert outcome(answer) == expected


def test_another_denial_wins_over_an_exception():
    excepted = replace(DENIED, unless=(box(),))
    assert outcome(ask(GRANT, excepted, said("e", permit=False, codes=HR))) == f"all without {HR}"
    assert outcome(ask(GRANT, excepted, said("e", permit=False))) == "deny decision.consent-denies"


LABELS = [
    ("N R", True, Confidentiality.N, "", True),
    ("N R", True, Confidentiality.V, "", False),
    ("HIV", True, Confidentiality.N, "HIV", True),
    ("HIV", True, Confidentiality.N, "HIV PSY", False),
    ("HIV", True, Confidentiality.N, "", False),
    ("N HIV", True, Confidentiality.N, "HIV", True),
    ("N HIV", True, Confidentiality.R, "HIV", False),
    ("R V", False, Confidentiality.N, "", False),
    ("R V", False, Confidentiality.R, "", True),
    ("HIV", False, Confidentiality.N, "HIV PSY", True),
    ("HIV", False, Confidentiality.N, "PSY", False),
    ("HIV", False, Confidentiality.N, "", False),
    ("", True, Confidentiality.N, "", False),
    ("", False, Confidentiality.N, "", True),
]


@pytest.mark.parametrize(("labels", "permit", "level", "kinds", "speaks"), LABELS)
def test_consent_by_label(labels, permit, level, kinds, speaks):
    """A grant speaks only of what has none besides; a denial of what has one of them."""
    consents = (said(labels=labels),) if permit else (GRANT, said("d", permit=False, labels=labels))
    link = replace(REGISTRY, confidentiality_max=Confidentiality.V, sensitivity_denied={})
    answer = ask(*consents, link=link, confidentiality=level, sensitivity=frozenset(kinds.split()))
    assert isinstance(answer, Permit) is (speaks if permit else not speaks)


def test_codes_that_are_not_known_decide_nothing():
    for consents in ([GRANT, said("d", permit=False, codes=HR)], [said(codes=HR)],
                     [GRANT, replace(DENIED, unless=(box(codes=HR),))]):  # fmt: skip
        answer = ask(*consents, codes=None)
        assert isinstance(answer, Indeterminate)
        assert answer.about == ("codes_present",)
    assert outcome(ask(GRANT, codes=None)) == ALL, "nobody asks for codes"
    elsewhere = said("d", permit=False, codes=HR, recipients="ehr")
    assert outcome(ask(GRANT, elsewhere, codes=None)) == ALL, "nobody asks here"


def test_an_unsure_clock_leaves_out_exceptions_with_dates():
    dated = replace(DENIED, unless=(box(end_us=NOW_US + 5),))
    answer = ask(GRANT, dated, clock_sure=False)
    assert isinstance(answer, Indeterminate), "it might have been permitted"
    assert answer.why is Reason.CLOCK_UNSURE


def test_a_permit_ends_with_the_exception_it_rests_on():
    until = NOW_US + DAY_US
    answer = ask(GRANT, replace(DENIED, unless=(box(end_us=until),)))
    assert answer.valid_until_us == until
    assert isinstance(ask(GRANT, replace(DENIED, unless=(box(end_us=until),)), now_us=until), Deny)


def test_memory_ends_with_an_exception():
    bundle = replace(BUNDLE, answers=Memo(), verdicts=Memo())
    row = facts(
        consents=(GRANT, replace(DENIED, unless=(box(end_us=NOW_US + 5),))), codes_present=frozenset()
    )
    assert isinstance(decide(bundle, REGISTRY, row, NOW_US), Permit)
    assert isinstance(decide(bundle, REGISTRY, row, NOW_US + 5), Deny)


# --- whom it is to


def test_a_recipient_is_meant_by_its_actors():
    own = BUNDLE.recipients["research-registry"]
    actors = frozenset({"Organization/54", "urn:x|org-good-health"})
    known = replace(BUNDLE, recipients={**BUNDLE.recipients, own.id: replace(own, actors=actors)})
    denial = said("d", permit=False, recipients="Organization/54 Practitioner/1")
    row = facts(consents=(GRANT, denial), codes_present=frozenset())
    assert isinstance(decide(replace(known, answers=Memo(), verdicts=Memo()), REGISTRY, row, NOW_US), Deny)
    assert isinstance(decide(replace(BUNDLE, answers=Memo(), verdicts=Memo()), REGISTRY, row, NOW_US), Permit)
    grant = facts(consents=(said(recipients="urn:x|org-good-health"),), codes_present=frozenset())
    assert isinstance(
        decide(replace(known, answers=Memo(), verdicts=Memo()), REGISTRY, grant, NOW_US), Permit
    )
    assert Recipient("a", "A", "mllp", "z").actors == frozenset()


# --- codes


def test_codes_by_any_name_of_their_system():
    present = frozenset({"LOINC|8867-4", "SNM|724713006", "|8867-4", "99X|8867-4"})
    words = frozenset({"LN|8867-4", "SCT|724713006"})
    assert hits(words, present, wide=False) == {"LOINC|8867-4", "SNM|724713006"}
    assert hits(words, present, wide=True) == {"LOINC|8867-4", "SNM|724713006", "|8867-4"}
    assert hits(frozenset({"*"}), present, wide=False) == present


def test_only_codes_that_are_asked_for_become_facts():
    excepted = replace(DENIED, unless=(box(codes=SPO2),))
    assert codes_asked((GRANT,)) == codes_asked(None) == frozenset()
    assert codes_asked((said(codes=HR), excepted)) == {HR, SPO2}
    assert codes_met((said(codes=HR), excepted), frozenset({HR, HIV})) == {HR}
    assert codes_met((GRANT,), frozenset({HR})) == frozenset()


def test_a_message_decided_again_after_more_was_asked_by_code():
    """Its codes were looked at for what was asked then; what is asked since cannot be told of it."""
    row = facts(consents=(said(codes=HR),), codes_present=frozenset({HR}))
    same = row.renewed(consent_version=2, consents=(said("d", codes=HR),), clock_sure=True)
    assert same.codes_present == {HR}
    more = row.renewed(
        consent_version=2, consents=(GRANT, said("d", permit=False, codes=SPO2)), clock_sure=False
    )
    assert more.codes_present is None
    assert (more.consent_version, more.clock_sure) == (2, False)
    assert isinstance(decide(replace(BUNDLE, answers=Memo()), REGISTRY, more, NOW_US), Indeterminate)
    assert isinstance(more, Facts)


@pytest.mark.parametrize(
    ("now", "then", "covers"),
    [
        ({}, {}, True),
        ({"withheld": {"a"}}, {}, False),
        ({"withheld": {"a"}}, {"withheld": {"a", "b"}}, True),
        ({}, {"withheld": {"a"}}, True),
        ({"only": {"a"}}, {}, False),
        ({"only": {"a"}}, {"only": {"a", "b"}}, False),
        ({"only": {"a", "b"}}, {"only": {"a"}}, True),
        ({}, {"only": {"a"}}, True),
    ],
)
def test_an_answer_covers_what_was_shaped(now, then, covers):
    permit = replace(
        Permit("l", frozenset({"order", "structure"}), "p"), **{k: frozenset(v) for k, v in now.items()}
    )
    shaped = {k: frozenset(v) for k, v in then.items()}
    assert permit.covers(frozenset({"structure"}), **shaped) is covers
    assert not permit.covers(frozenset({"note.text"}), **shaped), "a class that is not permitted any more"
