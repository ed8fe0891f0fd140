"""Cedar fails open on errors: the guard that makes an error Indeterminate, and what happens without it."""

from dataclasses import replace

import orjson
import pytest
from tests.unit.policy import small

from oathward.core.reasons import Reason
from oathward.policy import cedar, statements
from oathward.policy.decide import decide
from oathward.policy.memo import Memo
from oathward.policy.model import Deny, Indeterminate, Permit

ATTRIBUTES = (
    "assurance",
    "confidentiality",
    "device_kind",
    "device_tags",
    "message_type",
    "sensitivity",
    "subject",
)
CONDITIONS = {
    "assurance": "context.assurance >= 4",
    "confidentiality": 'context.confidentiality == "N"',
    "device_kind": 'context.device_kind == "infusion-pump"',
    "device_tags": 'context.device_tags.contains("icu")',
    "message_type": 'context.message_type == "ORU^R01"',
    "sensitivity": "context.sensitivity.isEmpty()",
    "subject": 'context.subject == "known"',
}
SCOPE = 'principal, action == Action::"Disclose", resource == Link::"ehr"'


def without(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Lose one attribute on the way to Cedar."""
    real = cedar.context_of

    def lossy(facts, names):
        context = orjson.loads(real(facts, names))
        del context[name]
        return orjson.dumps(context).decode()

    monkeypatch.setattr(cedar, "context_of", lossy)


def ask(bundle, **changes):
    return decide(
        replace(bundle, answers=Memo(), verdicts=Memo()),
        bundle.links["ehr"],
        small.facts(**changes),
        small.NOW_US,
    )


def test_every_attribute_has_a_condition():
    assert set(CONDITIONS) == set(ATTRIBUTES) == set(orjson.loads(cedar.context_of(small.FACTS, ATTRIBUTES)))


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_forbid_that_cannot_read_an_attribute_does_not_let_through(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    bundle = small.with_policy(f'@id("no") forbid({SCOPE}) when {{ {CONDITIONS[name]} }};')
    assert ask(bundle) == Deny("ehr", (Reason.POLICY_DENIES,), ("policy:no",))
    without(monkeypatch, name)
    assert ask(bundle) == Indeterminate("ehr", Reason.POLICY_ERROR, ("policy:no",))


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_with_the_guard_off_the_wide_answer_appears(name: str, monkeypatch: pytest.MonkeyPatch):
    """The reverse test: Cedar alone allows what the forbid forbids, because reading it failed."""
    bundle = small.with_policy(f'@id("no") forbid({SCOPE}) when {{ {CONDITIONS[name]} }};')
    without(monkeypatch, name)
    monkeypatch.setattr(cedar, "failures", lambda _result: ())
    assert isinstance(ask(bundle), Permit)


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_permit_that_cannot_read_an_attribute_is_indeterminate(name: str, monkeypatch: pytest.MonkeyPatch):
    bundle = small.with_policy(f'@id("yes") permit({SCOPE}) when {{ {CONDITIONS[name]} }};')
    assert "policy:yes" in ask(bundle).basis
    without(monkeypatch, name)
    assert ask(bundle) == Indeterminate("ehr", Reason.POLICY_ERROR, ("policy:yes",))


def test_a_request_that_cedar_cannot_read_is_indeterminate(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cedar, "context_of", lambda *_: "{not json")
    assert ask(small.bundle()) == Indeterminate("ehr", Reason.POLICY_ERROR, ("policy:request",))


def test_an_error_of_evaluation_is_indeterminate():
    """Overflow passes every check against the schema and fails when it is evaluated."""
    text = f'@id("no") forbid({SCOPE}) when {{ context.assurance * 9223372036854775807 > 1 }};'
    answer = ask(small.with_policy(text))
    assert answer == Indeterminate("ehr", Reason.POLICY_ERROR, ("policy:no",))


def test_removing_a_permit_never_widens():
    extra = "\n".join(
        f'@id("{name}") permit({SCOPE}) when {{ {condition} }};' for name, condition in CONDITIONS.items()
    )
    bundle = small.with_policy(extra)
    full = ask(bundle)
    assert isinstance(full, Permit)
    for statement in bundle.policies:
        rest = [s for s in bundle.policies if s is not statement and s.permits]
        cuts = {"ehr": cedar.Cut(bundle.links["ehr"], bundle.recipients["ehr"], rest)}
        less = ask(replace(bundle, cuts=cuts))
        assert isinstance(less, Permit | Deny)
        assert getattr(less, "classes", frozenset()) <= full.classes


def test_what_we_send_fits_the_schema():
    """The request and the entities are as the schema says, with nothing optional."""
    import cedarpy

    bundle = small.bundle()
    for link in bundle.links.values():
        described = orjson.dumps(cedar.entities(link, bundle.recipients[link.recipient])).decode()
        request = {
            "principal": {"type": "Device", "id": "d1"},
            "action": {"type": "Action", "id": "Disclose"},
            "resource": {"type": "Link", "id": link.id},
            "context": cedar.context_of(small.FACTS, ATTRIBUTES),
        }
        text = f'permit(principal, action, resource == Link::"{link.id}");'
        result = cedarpy.is_authorized(
            request,
            text,
            cedarpy.Entities.from_json_str(described, cedar.vocabulary().schema),
            cedar.vocabulary().schema,
        )
        assert result.allowed, result.diagnostics.errors
    assert "?:" not in str(cedar.vocabulary().schema)


@pytest.mark.parametrize(
    ("scope", "reaches"),
    [
        ("principal, action, resource", True),
        ('principal, action == Action::"Disclose", resource', True),
        ('principal, action in [Action::"Disclose"], resource', True),
        ('principal, action, resource == Link::"ehr"', True),
        ('principal, action, resource == Link::"keep"', False),
        ('principal, action, resource in Link::"ehr"', True),
        ('principal, action, resource in Recipient::"ehr"', True),
        ('principal, action, resource in Recipient::"vendor-cloud"', False),
        ('principal, action, resource == Recipient::"ehr"', False),
        ("principal, action, resource is Link", True),
        ("principal, action, resource is Device", False),
        ('principal, action, resource is Link in Recipient::"ehr"', True),
        ('principal, action, resource is Link in Recipient::"vendor-cloud"', False),
        ('principal is Device, action == Action::"Disclose", resource == Link::"ehr"', True),
    ],
)
def test_sets_are_cut_by_scope_without_changing_an_answer(scope: str, reaches: bool):
    """A policy is left out only where Cedar itself, given all of them, would not have matched it."""
    import cedarpy

    text = f'@id("p") permit({scope});'
    errors: list = []
    statement = statements.statement("policies/p.cedar", text, 1, errors, cedar.vocabulary())
    assert statement is not None
    link = small.bundle().links["ehr"]
    assert statement.reaches("Disclose", "ehr", "ehr") is reaches
    entities = orjson.dumps(cedar.entities(link, small.bundle().recipients["ehr"])).decode()
    request = {
        "principal": {"type": "Device", "id": "d1"},
        "action": {"type": "Action", "id": "Disclose"},
        "resource": {"type": "Link", "id": "ehr"},
        "context": "{}",
    }
    assert cedarpy.is_authorized(request, text, entities).allowed is reaches
    cut = cedar.Cut(link, small.bundle().recipients["ehr"], [statement])
    assert cut.ask("d1", "{}").allowed is reaches


@pytest.mark.parametrize(
    ("condition", "reads", "by_device"),
    [
        ("true", set(), False),
        (CONDITIONS["subject"], {"subject"}, False),
        ("context.assurance >= 4 || context.sensitivity.isEmpty()", {"assurance", "sensitivity"}, False),
        ("context has subject", set(ATTRIBUTES), False),
        ('context == {"subject": "known"}', set(ATTRIBUTES), False),
        ('principal == Device::"d1"', set(), True),
        ('if context.subject == "known" then principal in [Device::"d1"] else false', {"subject"}, True),
    ],
)
def test_only_what_a_set_reads_is_sent(condition: str, reads: set[str], by_device: bool):
    errors: list = []
    text = f'@id("p") permit({SCOPE}) when {{ {condition} }};'
    statement = statements.statement("policies/p.cedar", text, 1, errors, cedar.vocabulary())
    bundle = small.bundle()
    cut = cedar.Cut(bundle.links["ehr"], bundle.recipients["ehr"], [statement])
    assert set(cut.reads) == reads
    assert cut.by_device is by_device


@pytest.mark.parametrize(
    ("principal", "by_device"),
    [
        ("principal", False),
        ("principal is Device", False),
        ('principal == Device::"d1"', True),
        ('principal in Device::"d1"', True),
    ],
)
def test_a_set_that_names_devices_is_asked_for_each(principal: str, by_device: bool):
    text = f'@id("no") forbid({principal}, action == Action::"Disclose", resource == Link::"ehr");'
    bundle = small.with_policy(text)
    assert bundle.cuts["ehr"].by_device is by_device
    both = replace(bundle, answers=Memo(), verdicts=Memo())
    answers = [decide(both, both.links["ehr"], small.facts(device=d), small.NOW_US) for d in ("d2", "d1")]
    assert [isinstance(answer, Permit) for answer in answers] == [by_device, False]
