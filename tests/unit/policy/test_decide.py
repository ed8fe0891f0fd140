"""Decisions, one table a step: what each fact changes, and that nothing unknown ever widens."""

from dataclasses import replace

import pytest
from tests.unit.policy import small
from tests.unit.policy.small import DAY_US, NOW_US, consent, facts

from oathward.core.labels import CLASSES, OBSERVATION_CLASSES, Assurance, Confidentiality
from oathward.core.reasons import Reason
from oathward.policy import cedar
from oathward.policy.bundle import Bundle
from oathward.policy.consents import Box
from oathward.policy.decide import care_first, decide
from oathward.policy.memo import Memo
from oathward.policy.model import (
    TRANSPORT_CLASSES,
    Deny,
    Facts,
    Indeterminate,
    Notify,
    Permit,
    TravelLabel,
)

BUNDLE = small.bundle()
EHR, REGISTRY, CLOUD, KEEP = (BUNDLE.links[n] for n in ("ehr", "research-registry", "vendor-cloud", "keep"))
GRANT = consent()


def fresh(bundle: Bundle = BUNDLE) -> Bundle:
    """The same bundle with an empty memory, so that changed links of one id do not meet."""
    return replace(bundle, answers=Memo(), verdicts=Memo())


def ask(link, now_us=NOW_US, bundle: Bundle = BUNDLE, **changes):
    return decide(fresh(bundle), link, facts(**changes), now_us)


def reasons(answer) -> tuple[Reason, ...]:
    match answer:
        case Deny():
            return answer.reasons
        case Indeterminate():
            return (answer.why,)
    return ()


# --- step 1: source


@pytest.mark.parametrize(
    ("sources", "changes", "takes"),
    [
        ({"devices": {"d1"}}, {}, True),
        ({"devices": {"d2"}}, {}, False),
        ({"kinds": {"infusion-pump"}}, {}, True),
        ({"kinds": {"monitor"}}, {}, False),
        ({"tags": {"icu", "or"}}, {}, True),
        ({"tags": {"or"}}, {}, False),
        ({"devices": {"d2"}, "kinds": {"infusion-pump"}}, {}, True),
        ({"devices": {"*"}}, {}, True),
        ({}, {}, False),
        ({"devices": {"*"}, "message_types": {"ORU^R01"}}, {}, True),
        ({"devices": {"*"}, "message_types": {"ORU^*"}}, {}, True),
        ({"devices": {"*"}, "message_types": {"ADT^*", "ORU^R40"}}, {}, False),
        ({"devices": {"*"}, "message_types": {"ADT^*"}}, {"message_type": "ADT^A01"}, True),
        ({"devices": {"*"}, "message_types": set()}, {}, False),
    ],
)
def test_the_link_takes_what_it_declares(sources, changes, takes):
    words = {"message_types": {"*"}} | sources
    link = replace(EHR, sources=type(EHR.sources)(**{k: frozenset(v) for k, v in words.items()}))
    answer = ask(link, **changes)
    assert isinstance(answer, Permit) is takes
    assert takes or reasons(answer) == (Reason.NO_LINK,)


@pytest.mark.parametrize("assurance", Assurance)
@pytest.mark.parametrize("least", Assurance)
def test_the_device_is_sure_enough(assurance: Assurance, least: Assurance):
    answer = ask(replace(EHR, min_assurance=least), assurance=assurance)
    if assurance.rank >= least.rank:
        assert isinstance(answer, Permit)
    else:
        assert reasons(answer) == (Reason.DEVICE_ASSURANCE,)


# --- step 2: facts


@pytest.mark.parametrize(
    "name",
    ["site", "device", "device_kind", "device_tags", "assurance", "subject_kind", "message_type",
     "confidentiality", "sensitivity", "classes_present", "consent_version", "consents", "clock_sure"],
)  # fmt: skip
@pytest.mark.parametrize("link", [EHR, REGISTRY, CLOUD, KEEP], ids=lambda link: link.id)
def test_an_unknown_fact_is_indeterminate(link, name):
    answer = ask(link, consents=(GRANT,))
    assert isinstance(answer, Permit)
    answer = ask(link, **{"consents": (GRANT,), name: None})
    assert isinstance(answer, Indeterminate)
    assert answer.why is Reason.FACT_MISSING
    assert answer.about == (name,)


def test_what_is_certain_is_denied_before_what_is_unknown():
    assert reasons(ask(CLOUD, message_type="ADT^A01", consents=None)) == (Reason.NO_LINK,)


# --- step 3: dates of the agreement


def test_an_agreement_has_its_dates():
    link = replace(EHR, valid_from_us=NOW_US, valid_until_us=NOW_US + DAY_US)
    permit = ask(link)
    assert isinstance(permit, Permit)
    assert permit.valid_until_us == NOW_US + DAY_US
    for now_us in (NOW_US - 1, NOW_US + DAY_US):
        assert reasons(ask(link, now_us)) == (Reason.PERMIT_EXPIRED,)
    assert reasons(ask(link, clock_sure=False)) == (Reason.CLOCK_UNSURE,)
    assert isinstance(ask(EHR, clock_sure=False), Permit)


# --- step 4: subject


@pytest.mark.parametrize(
    ("link", "kind", "expected"),
    [
        (EHR, "holding", None),
        (EHR, "none", None),
        (CLOUD, "holding", None),
        (CLOUD, "none", None),
        (REGISTRY, "holding", Reason.NO_CONSENT),
        (REGISTRY, "none", Reason.NO_CONSENT),
        (replace(CLOUD, classes=CLASSES), "holding", Reason.FACT_MISSING),
        (replace(CLOUD, carries_identity=True), "holding", Reason.FACT_MISSING),
        (replace(CLOUD, classes=CLASSES), "none", Reason.FACT_MISSING),
    ],
)
def test_an_unknown_patient_has_said_nothing(link, kind, expected):
    answer = ask(link, subject_kind=kind)
    assert reasons(answer) == (() if expected is None else (expected,))


def test_a_message_about_nobody_may_pass_where_no_consent_is_needed():
    link = replace(CLOUD, classes=CLASSES)
    present = frozenset({"device.type", "observation.code", "observation.value", "structure"})
    assert isinstance(ask(link, subject_kind="none", classes_present=present), Permit)


# --- step 5: consent


@pytest.mark.parametrize(
    ("consents", "expected"),
    [
        ((), Reason.NO_CONSENT),
        ((GRANT,), None),
        ((consent(purposes="*", recipients="*"),), None),
        ((consent(purposes="TREAT"),), Reason.NO_CONSENT),
        ((consent(recipients="ehr"),), Reason.NO_CONSENT),
        ((consent(purposes=""),), Reason.NO_CONSENT),
        ((consent(recipients=""),), Reason.NO_CONSENT),
        ((consent(classes=""),), Reason.NO_CONSENT),
        ((consent(classes="no.such-class"),), Reason.NO_CONSENT),
        ((consent(classes="structure message.time"),), Reason.NO_CONSENT),
        ((consent(start_us=NOW_US),), None),
        ((consent(start_us=NOW_US + 1),), Reason.NO_CONSENT),
        ((consent(end_us=NOW_US + 1),), None),
        ((consent(end_us=NOW_US),), Reason.NO_CONSENT),
        ((GRANT, consent("d", permit=False)), Reason.CONSENT_DENIES),
        ((GRANT, consent("d", permit=False, purposes="")), Reason.CONSENT_DENIES),
        ((GRANT, consent("d", permit=False, recipients="")), Reason.CONSENT_DENIES),
        ((GRANT, consent("d", permit=False, classes="")), Reason.CONSENT_DENIES),
        ((GRANT, consent("d", permit=False, classes="no.such-class")), Reason.CONSENT_DENIES),
        ((GRANT, consent("d", permit=False, purposes="TREAT")), None),
        ((GRANT, consent("d", permit=False, recipients="ehr")), None),
        ((GRANT, consent("d", permit=False, end_us=NOW_US)), None),
        ((GRANT, consent("d", permit=False, start_us=NOW_US + 1)), None),
        ((consent("d", permit=False, classes="order"),), Reason.NO_CONSENT),
    ],
)
def test_consent_for_research(consents, expected):
    answer = ask(REGISTRY, consents=consents)
    assert isinstance(answer, Permit) if expected is None else expected in reasons(answer)


def test_a_consent_by_class_narrows():
    some = ask(REGISTRY, consents=(consent(classes="observation.* patient.identifier"),))
    assert some.classes == OBSERVATION_CLASSES | {"patient.identifier"} | (
        TRANSPORT_CLASSES & REGISTRY.classes
    )
    less = ask(REGISTRY, consents=(GRANT, consent("d", permit=False, classes="patient.* structure")))
    assert less.classes == {c for c in REGISTRY.classes if not c.startswith("patient.")}


def test_several_consents_add_up():
    both = (consent("a", classes="observation.*"), consent("b", classes="order"))
    assert ask(REGISTRY, consents=both).classes == OBSERVATION_CLASSES | {"order"} | (
        TRANSPORT_CLASSES & REGISTRY.classes
    )


def test_a_denial_narrows_a_link_that_needs_no_consent():
    denial = consent("d", permit=False, purposes="TREAT", recipients="ehr", classes="note.text")
    assert ask(EHR, consents=(denial,)).classes == EHR.classes - {"note.text"}
    assert ask(replace(EHR, objection="overruled"), consents=(denial,)).classes == EHR.classes
    every = replace(denial, classes=frozenset({"*"}))
    assert reasons(ask(EHR, consents=(every,))) == (Reason.CONSENT_DENIES,)


def test_a_denial_of_one_half_of_observations_takes_them_whole():
    denial = consent("d", permit=False, purposes="TREAT", recipients="ehr", classes="observation.time")
    assert reasons(ask(EHR, consents=(denial,))) == (Reason.NOTHING_LEFT,)
    admission = frozenset({"patient.name", "structure"})
    answer = ask(EHR, consents=(denial,), classes_present=admission, message_type="ADT^A01")
    assert answer.classes == EHR.classes - OBSERVATION_CLASSES


@pytest.mark.parametrize("times", [{"start_us": NOW_US - DAY_US}, {"end_us": NOW_US + DAY_US}])
def test_an_unsure_clock_stops_what_hangs_on_time(times):
    assert isinstance(ask(REGISTRY, consents=(GRANT,), clock_sure=False), Permit)
    assert reasons(ask(REGISTRY, consents=(consent(**times),), clock_sure=False)) == (Reason.CLOCK_UNSURE,)
    # A grant without dates still counts, alone; the one with dates adds nothing that might have ended.
    both = (consent("a", classes="observation.*"), consent("b", **times))
    assert ask(REGISTRY, consents=both, clock_sure=False).classes <= ask(REGISTRY, consents=both[:1]).classes
    denial = consent("d", permit=False, purposes="TREAT", recipients="ehr", classes="note.text", **times)
    assert reasons(ask(EHR, consents=(denial,), clock_sure=False)) == (Reason.CLOCK_UNSURE,)


# --- step 6: labels


@pytest.mark.parametrize("level", Confidentiality)
@pytest.mark.parametrize("most", Confidentiality)
def test_confidentiality_has_a_ceiling(level, most):
    order = list(Confidentiality)
    answer = ask(replace(EHR, confidentiality_max=most), confidentiality=level)
    assert isinstance(answer, Permit) is (order.index(level) <= order.index(most))
    assert isinstance(answer, Permit) or reasons(answer) == (Reason.LABEL_DENIES,)


def test_a_sensitivity_takes_classes_or_all():
    link = replace(EHR, sensitivity_denied={"HIV": frozenset({"note.text", "structure"}), "PSY": CLASSES})
    assert ask(link, sensitivity=frozenset({"HIV"})).classes == link.classes - {"note.text"}
    assert reasons(ask(link, sensitivity=frozenset({"HIV", "PSY"}))) == (Reason.LABEL_DENIES,)
    assert isinstance(ask(link, sensitivity=frozenset({"SUD"})), Permit)
    other = replace(EHR, sensitivity_denied={"*": CLASSES, "HIV": frozenset({"note.text"})})
    assert reasons(ask(other, sensitivity=frozenset({"SUD"}))) == (Reason.LABEL_DENIES,)
    assert isinstance(ask(other, sensitivity=frozenset({"HIV"})), Permit)


# --- step 7: what is left


@pytest.mark.parametrize(
    "present", [frozenset(), TRANSPORT_CLASSES, frozenset({"patient.name", "structure", "uncatalogued"})]
)
def test_nothing_left_is_a_denial(present):
    assert reasons(ask(CLOUD, classes_present=present)) == (Reason.NOTHING_LEFT,)


# --- step 8: Cedar


def test_a_policy_forbids_and_is_named():
    answer = ask(CLOUD, device_tags=frozenset({"on-loan"}))
    assert answer == Deny("vendor-cloud", (Reason.POLICY_DENIES,), ("policy:loaned-devices-stay-inside",))
    assert isinstance(ask(EHR, device_tags=frozenset({"on-loan"})), Permit)


def test_what_no_policy_permits_is_denied():
    cuts = {**BUNDLE.cuts, "ehr": cedar.Cut(EHR, BUNDLE.recipients["ehr"], ())}
    answer = decide(replace(fresh(), cuts=cuts), EHR, facts(), NOW_US)
    assert answer == Deny("ehr", (Reason.POLICY_DENIES,))


def test_a_permit_names_what_it_rests_on():
    far = consent("b", end_us=NOW_US + 9 * DAY_US)
    near = consent("a", classes="observation.*", end_us=NOW_US + 5 * DAY_US)
    later = consent("d", permit=False, start_us=NOW_US + 2 * DAY_US)
    other = consent("o", recipients="ehr", end_us=NOW_US + DAY_US)
    permit = ask(REGISTRY, consents=(far, other, near))
    assert permit.basis == ("link:research-registry", "consent:a", "consent:b", "policy:research-registry")
    assert permit.valid_until_us == NOW_US + 5 * DAY_US
    assert ask(REGISTRY, consents=(far, near, later)).valid_until_us == NOW_US + 2 * DAY_US
    assert ask(REGISTRY, consents=(GRANT,)).valid_until_us is None


def test_obligations_travel_with_a_permit():
    bundle = small.with_policy(
        '@id("tell") @notify("privacy-officer, dpo") permit(principal, action == Action::"Disclose", '
        'resource == Link::"ehr") when { context.sensitivity.contains("HIV") };'
    )
    link = replace(EHR, notify=("ward",))
    answer = ask(link, bundle=bundle, sensitivity=frozenset({"HIV"}), confidentiality=Confidentiality.R)
    label = TravelLabel(Confidentiality.R, frozenset({"HIV"}))
    assert answer.obligations == (label, Notify("dpo"), Notify("privacy-officer"), Notify("ward"))
    assert ask(replace(link, labels_travel=False, notify=()), bundle=bundle).obligations == ()


# --- what cannot be told


def test_care_goes_on_where_the_link_says_so():
    missing = ask(EHR, consents=None)
    assert isinstance(missing, Indeterminate)
    permit = care_first(EHR, missing)
    assert permit == Permit(
        "ehr", EHR.classes, "treatment", (), ("link:ehr", "care-team:decision.fact-missing")
    )
    assert care_first(replace(EHR, indeterminate="hold"), missing) is missing
    for name in ("device", "assurance", "message_type", "classes_present"):
        unknown = ask(EHR, **{name: None})
        assert care_first(EHR, unknown) is unknown
    by_code = replace(consent(permit=False, purposes="*", recipients="*"), codes=frozenset({"LN|1"}))
    unknown = ask(EHR, consents=(by_code,), codes_present=None)
    assert isinstance(unknown, Indeterminate)
    assert care_first(EHR, unknown) is unknown, "a denial by code holds although the codes are not known"


# --- memory


def test_an_answer_is_remembered_only_while_it_holds():
    bundle = fresh()
    row = facts(consents=(consent(start_us=NOW_US, end_us=NOW_US + DAY_US),))
    for now_us, permitted in (
        (NOW_US, True), (NOW_US + 1, True), (NOW_US + DAY_US, False), (NOW_US + DAY_US - 1, True),
        (NOW_US - 1, False), (NOW_US, True), (NOW_US + 9 * DAY_US, False),
    ):  # fmt: skip
        assert isinstance(decide(bundle, REGISTRY, row, now_us), Permit) is permitted


def test_an_answer_is_remembered():
    bundle = fresh()
    first = decide(bundle, EHR, facts(), NOW_US)
    assert decide(bundle, EHR, facts(), NOW_US + 1) is first
    assert len(bundle.answers) == 1
    decide(bundle, EHR, facts(device_tags=frozenset({"or"})), NOW_US)
    assert (len(bundle.answers), len(bundle.verdicts)) == (2, 2)
    decide(bundle, EHR, facts(consent_version=2, device="d2"), NOW_US)
    assert (len(bundle.answers), len(bundle.verdicts)) == (3, 2)  # no policy asks which device, or for whom


def test_memory_is_bounded():
    memo: Memo[int, int] = Memo(64)
    for n in range(1_000):
        memo.put(n, n)
    assert len(memo) <= 64
    assert memo.get(999) == 999
    assert memo.get(0) is None


def test_a_set_holds_only_the_policies_of_its_link():
    many = "\n".join(
        f'@id("p{n}") forbid(principal, action == Action::"Disclose", resource == Link::"{link}") '
        f'when {{ context.device_kind == "kind-{n}" }};'
        for n, link in enumerate(["keep", "ehr", "vendor-cloud", "research-registry", "home-care"] * 100)
    )
    bundle = small.with_policy(many)
    assert len(bundle.policies) == 507
    assert {len(cut.policies) for cut in bundle.cuts.values()} == {102, 103}
    other = small.with_policy('@id("r") forbid(principal, action, resource == Link::"keep");')
    assert "r" not in other.cuts["ehr"].policies


def test_facts_do_not_change_by_the_way_they_are_written():
    a, b = consent("a"), consent("b")
    one = facts(consents=(a, b), sensitivity=frozenset(["HIV", "PSY"]))
    two = facts(consents=(b, a), sensitivity=frozenset(["PSY", "HIV"]))
    assert one.digest == two.digest
    assert len(one.digest) == 16
    back = Facts.from_body(one.body())
    assert back == one
    assert back.digest == one.digest
    assert decide(fresh(), REGISTRY, two, NOW_US) == decide(fresh(), REGISTRY, one, NOW_US)
    assert one.digest != replace(one, bundle_version=2).digest


def test_the_form_of_facts_is_fixed():
    """Written once, read for years: a change of form needs a new FACTS_VERSION."""
    row = facts(classes_present=frozenset({"structure"}), consents=(consent(end_us=5),), device_tags=None)
    first = (
        b'{"assurance":"certificate","bundle_version":1,"classes_present":["structure"],"clock_sure":true,'
        b'"confidentiality":"N","consent_version":1,'
        b'"consents":[["c1",true,["HRESCH"],["research-registry"],["*"],null,5]],"device":"d1",'
        b'"device_kind":"infusion-pump","device_tags":null,"message_type":"ORU^R01","sensitivity":[],'
        b'"site":"test","subject_kind":"known","version":1}'
    )
    second = first.replace(b'"clock_sure":true,', b'"clock_sure":true,"codes_present":null,')
    assert row.body() == second.replace(b'"version":1}', b'"version":2}')
    assert row.digest.hex() == "b126447e290446e924c041523101797e"
    assert Facts.from_body(first) == row, "what version 1 wrote is still read: its codes are not known"
    for body in (b"[]", b"{}", first.replace(b'"version":1}', b'"version":2}'), b'{"version":1}'):
        with pytest.raises(ValueError, match="not facts of this version"):
            Facts.from_body(body)


def test_the_form_of_what_consents_say_of_codes_is_fixed():
    box = Box(frozenset({"HRESCH"}), codes=frozenset({"LN|2"}), end_us=9)
    said = replace(consent(permit=False), codes=frozenset({"LN|1"}), labels=frozenset({"PSY"}), unless=(box,))
    row = facts(consents=(said,), codes_present=frozenset({"LN|1"}))
    assert (
        b'[["c1",false,["HRESCH"],["research-registry"],["*"],null,null,{"codes":["LN|1"],"labels":["PSY"],'
        b'"unless":[[["HRESCH"],["*"],["*"],["LN|2"],["*"],null,9]]}]]'
    ) in row.body()
    assert Facts.from_body(row.body()) == row
    for old, new in ((b'"LN|1"]', b"7]"), (b'"codes"', b'"kodes"'), (b'["LN|2"]', b'"LN|2"'), (b",9]", b"]")):
        assert old in row.body()
        with pytest.raises(ValueError, match="not facts of this version"):
            Facts.from_body(row.body().replace(old, new))
