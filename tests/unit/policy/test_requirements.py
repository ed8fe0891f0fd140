"""What a change of policy must bring along, and what an emergency may do without it."""

import pytest
from tests.unit.policy.test_difference import BASE, EHR, VENDOR, edited

from oathward import activation
from oathward.policy import requirements
from oathward.policy.requirements import Held, Need, answered, emergency_refusals, missing, needed
from oathward.proposing import changes_between

EVERY = {("assessment", "link"), ("owner", "link"), ("steward", "link")}


def without(*words: str, files=None) -> dict[str, bytes]:
    """The bundle without the links and recipients of these names."""
    found = {p: c for p, c in (files or BASE).items() if not any(word in p for word in words)}
    lines = BASE["policies/links.cedar"].decode().splitlines()
    for path in [p for p in found if p.endswith(".test.toml")]:
        cases = found[path].decode().split("[[case]]")
        found[path] = "[[case]]".join(c for c in cases if not any(w in c for w in words)).encode()
    chunks = found["policies/exceptions.cedar"].decode().split("@id")
    found["policies/exceptions.cedar"] = "@id".join(
        c for c in chunks if not any(f'"{w}"' in c for w in words)
    ).encode()
    kept, skip = [], False
    for line in lines:
        if line.startswith("@id"):
            skip = any(word in line for word in words)
        if not skip:
            kept.append(line)
    return found | {"policies/links.cedar": "\n".join(kept).encode()}


def asked(before, after):
    old, new = activation.check(before) if before else None, activation.check(after)
    return needed(changes_between(old, new), old, new)


def kinds(needs, id_=None):
    return {(n.kind, n.thing) for n in needs if id_ is None or n.id == id_}


OWN = edited("links/home-care.toml", 'recipient = "home-care"', 'recipient = "ehr"')
OWN["links/home-care.toml"] = OWN["links/home-care.toml"].replace(b'"FHIR^*"', b'"ORU^*"')
ROWS = [
    ("nothing of a link", edited("bundle.toml", "Record at", "At"), set()),
    ("less", edited(VENDOR, '"ORU^R01", "ORU^R40"', '"ORU^R01"'), set()),
    ("more of an external link", edited(VENDOR, '"ORU^R01", "ORU^R40"', '"ORU^R01", "ORU^R40", "ADT^*"'), {("agreement", "link")}),
    ("more of an own link", edited("links/home-care.toml", '"hub", "wearable"', '"hub", "wearable", "pump"'), set()),
    ("another agreement", edited(VENDOR, "MSA-2026-007", "MSA-2027-001"), {("agreement", "link")}),
    ("another party", edited("recipients/vendor-cloud.toml", "Example Devices Inc.", "Another Inc."), {("agreement", "link")}),
    ("another purpose", edited(VENDOR, 'purpose = "HOPERAT"', 'purpose = "HPAYMT"'), EVERY | {("agreement", "link"), ("assessment", "purpose")}),
    ("a purpose others have", edited(VENDOR, 'purpose = "HOPERAT"', 'purpose = "HRESCH"'), EVERY | {("agreement", "link")}),
    ("another recipient", edited(VENDOR, 'recipient = "vendor-cloud"', 'recipient = "research-registry"'), EVERY | {("agreement", "link")}),
    ("an own link elsewhere", OWN, EVERY),
]  # fmt: skip


@pytest.mark.parametrize(("what", "after", "wanted"), ROWS, ids=[row[0] for row in ROWS])
def test_what_a_change_needs(what, after, wanted):
    try:
        assert kinds(asked(BASE, after)) == wanted, what
    except activation.PolicyErrors as error:
        pytest.fail("; ".join(f"{one.where}: {one.why}" for one in error.errors))


def test_a_new_link_to_a_new_recipient_needs_everything():
    needs = asked(without("vendor-cloud"), BASE)
    assert kinds(needs) == EVERY | {
        *((kind, "recipient") for kind, _ in EVERY),
        ("agreement", "link"),
        ("assessment", "purpose"),
    }
    assert {n.id for n in needs} == {"vendor-cloud", "HOPERAT"}
    assert asked(BASE, without("vendor-cloud")) == ()


def test_a_first_bundle_needs_owners_for_all_of_it():
    needs = asked(None, BASE)
    assert {n.id for n in needs if n.kind == "owner" and n.thing == "link"} == {
        "ehr",
        "home-care",
        "keep",
        "research-registry",
        "vendor-cloud",
    }
    assert {n.id for n in needs if n.kind == "agreement"} == {"research-registry", "vendor-cloud"}
    assert {n.id for n in needs if n.thing == "purpose"} == {"TREAT", "HRESCH", "HOPERAT"}


def test_a_new_model_of_device_needs_an_assessment():
    bundle = activation.check(BASE)
    needs = needed((), bundle, bundle, {"vendor-cloud": ["Acme|Vista 3"], "ehr": ["Acme|Vista 3"]})
    assert needs == (Need("assessment", "device-model", "Acme|Vista 3"),)


def test_what_is_missing_is_told_in_words_with_what_to_do():
    a, o, d = (
        Need("agreement", "link", "x"),
        Need("owner", "link", "x"),
        Need("assessment", "device-model", "Acme|Vista 3"),
    )
    told = answered([a, o, d], {o: Held("p-7", "aa")}, {a: ("names no agreement", "is over")})
    assert [(one.met, one.words) for one in told] == [
        (False, "An agreement that covers purpose, destination and classes of link x is missing: names no agreement; is over. Enter it under Governance, name it in the link's `agreement`."),
        (True, "An owner of link x: p-7"),
        (False, "A privacy and security assessment of device model Acme|Vista 3 is missing: none is in the register. Have one written and approved under Governance."),
    ]  # fmt: skip
    assert [one.need for one in missing(told)] == [a, d]


FORBID = b'@id("stop") @why("recall of the pump") forbid(principal, action == Action::"Disclose", resource);'
INTO = BASE | {"policies/stop.cedar": FORBID}
OUTSIDE = edited(EHR, 'recipient = "ehr"', 'recipient = "research-registry"\nagreement = "DUA-2026-001"')
OUTSIDE[EHR] = OUTSIDE[EHR].replace(b'indeterminate = "care-team"', b'indeterminate = "hold"')
OFF = b'@id("off") @why("maintenance") forbid(principal, action, resource);'
_OURS = edited(EHR, 'profile = "treatment"', 'profile = "treatment"\nproject = "ours"')
RELEASED = [
    edited("projects.toml", "[registry]", f"[ours]\nreleased_by = {who}\n[registry]", _OURS)
    for who in ('["p-1"]', '["p-1", "p-2"]')
]
EMERGENCIES = [
    ("stop everything", BASE, INTO, ""),
    ("a link goes", BASE, without("vendor-cloud"), ""),
    ("less of an external link", BASE, edited(VENDOR, '"ORU^R01", "ORU^R40"', '"ORU^R01"'), ""),
    ("more of a care link inside", BASE, edited(EHR, 'min_assurance = "address"', 'min_assurance = "claimed"'), ""),
    ("a care link that comes back", without("home-care"), BASE, ""),
    ("words alone", BASE, edited("bundle.toml", "Record at", "At"), ""),
    ("more of an external link", BASE, edited(VENDOR, '"ORU^R40"]', '"ORU^R40", "ADT^*"]'), "running the services"),
    ("an external link that comes", without("vendor-cloud"), BASE, "vendor-cloud is for running the services"),
    ("stop no more, for all", INTO, BASE, "running the services"),
    ("a link that was none of care", BASE, edited(VENDOR, 'purpose = "HOPERAT"', 'purpose = "TREAT"'), "running the services"),
    ("another legal person is called ours", BASE, edited("recipients/vendor-cloud.toml", "external = true", "external = false"), "running the services"),
    ("a care link that leaves the house", BASE, OUTSIDE, "goes to another legal person"),
    ("the table of protection", BASE, edited("protection.toml", 'research = "partner"', 'research = "internal"'), "research (HRESCH)"),
    ("more who release, into a project of a care link", *RELEASED, "lets more people run jobs"),
    ("a project that named who releases goes", edited("projects.toml", "[registry]", '[spare]\nreleased_by = ["p-1"]\n[registry]'), BASE, "Project spare is gone"),
    ("what people may do", BASE, BASE | {"people/x.cedar": b'@id("x") permit(principal, action == Action::"ledger.see", resource) when { context.roles.contains("clinician") };'}, "changes what people may do"),
    ("nobody may do anything", BASE, BASE | {"people/off.cedar": OFF}, "changes what people may do"),
    ("people may do more or less", BASE | {"people/off.cedar": OFF}, BASE, "changes what people may do"),
    ("another why of people", BASE | {"people/off.cedar": OFF}, BASE | {"people/off.cedar": OFF.replace(b"maintenance", b"m")}, "changes what people may do"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "before", "after", "refused"), EMERGENCIES, ids=[r[0] for r in EMERGENCIES])
def test_what_an_emergency_may_do(what, before, after, refused):
    try:
        old, new = activation.check(before), activation.check(after)
    except activation.PolicyErrors as error:
        pytest.fail("; ".join(f"{one.where}: {one.why}" for one in error.errors))
    told = emergency_refusals(changes_between(old, new), old, new)
    assert bool(told) is bool(refused), told
    assert all(refused in " ".join(told) for _ in told)


def test_a_care_link_to_a_zone_outside_the_house_is_none_inside():
    files = edited("protection.toml", 'enterprise = "internal"', 'enterprise = "partner"')
    files = edited("recipients/home-care.toml", 'zone = "clinical"', 'zone = "enterprise"', files)
    rules = files["protection.toml"].replace(b'minimum = "mtls+e2e"', b'minimum = "mtls"')
    before = activation.check(files | {"protection.toml": rules})
    after = activation.check(
        edited(
            "links/home-care.toml", '"hub", "wearable"', '"hub", "pump"', files | {"protection.toml": rules}
        )
    )
    assert "home-care leaves the house" in " ".join(
        emergency_refusals(changes_between(before, after), before, after)
    )


def test_without_the_look_at_the_side_before_a_link_could_be_called_ours(monkeypatch):
    """The reverse: what a link was counts too."""
    real = requirements._why_outside
    monkeypatch.setattr(requirements, "_why_outside", lambda name, _, after: real(name, None, after))
    files = edited(VENDOR, 'purpose = "HOPERAT"', 'purpose = "TREAT"')
    files = edited("recipients/vendor-cloud.toml", "external = true", "external = false", files)
    files = edited("recipients/vendor-cloud.toml", 'zone = "cloud"', 'zone = "clinical"', files)
    old, new = activation.check(BASE), activation.check(files)
    assert emergency_refusals(changes_between(old, new), old, new) == ()
