"""One decision for every wire, tried on a site's own bundle: the same story as HL7 v2 and as FHIR.

For each link, each rule that labels, and each thing a patient may have said, both tellings are read, labelled,
decided and shaped as the gateway does it, with keys of no site. What must be the same:
- the answer and its reasons, classes, codes withheld, obligations, basis and end;
- the name that stands for the patient in what leaves, and the alias of the unit;
- what was measured, and when.

Rules:
- A link that takes only one wire, or only one of the two types, has nothing to compare: it is listed with its reason.
- Nothing is sent, stored or recorded, and no database is needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from oathward.core.labels import OBSERVATION_CLASSES
from oathward.deid.plan import shape
from oathward.gateway.sample import SEEDS, decided, told
from oathward.gateway.twins import Story, labelled
from oathward.gateway.wires import FHIR, HL7V2
from oathward.plans import Plans, route_of
from oathward.policy.bundle import Bundle
from oathward.policy.consents import ConsentFact
from oathward.policy.model import ANY, KEEP, Decision, Deny, Indeterminate, Link, Permit, SubjectKind
from oathward.protocols.hl7v2.reader import decode

_TYPES = ("ORU^R01", "FHIR^Bundle")
_ANYTHING = frozenset({ANY})


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the wires disagree: codes and counts, no values but made-up ones."""

    link: str
    case: str
    what: str
    hl7v2: str
    fhir: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was compared. ``skipped``: link → why it has nothing to compare."""

    cases: int
    permitted: int
    shaped: int
    skipped: dict[str, str]
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One situation: what happened, whose it is, what they said."""

    name: str
    story: Story
    subject: SubjectKind
    consents: tuple[ConsentFact, ...] | None


def run(bundle: Bundle) -> Report:
    """Compare both wires on every link of a bundle."""
    plans = Plans(bundle.profiles)
    skipped: dict[str, str] = {}
    found: list[Difference] = []
    cases = permitted = shaped = 0
    for link in bundle.links.values():
        why = _nothing_to_compare(bundle, link)
        if why:
            skipped[link.id] = why
            continue
        for case in cases_of(bundle, link):
            cases += 1
            answers = [
                decided(bundle, link, wire, case.story, case.consents, case.subject) for wire in (HL7V2, FHIR)
            ]
            differences = list(_compared(link, case, *answers))
            found += differences
            if not differences and isinstance(answers[0], Permit):
                permitted += 1
                if link.recipient != KEEP:
                    shaped += 1
                    found += _shaped(plans, bundle, link, case, *answers)
    return Report(cases, permitted, shaped, skipped, tuple(found))


def cases_of(bundle: Bundle, link: Link) -> Iterator[Case]:
    """List the situations for one link: every label rule, every kind of subject, everything a patient may say."""
    plain = Story()
    stories = [("plain", plain)]
    stories += [(f"label {r.id}", told) for r in bundle.labels.rules if (told := labelled(r, plain))]
    for label, story in stories:
        for said, consents in _said(link, story):
            yield Case(f"{label}, {said}", story, "known", consents)
        yield Case(f"{label}, nobody known", story, "holding", ())


def _said(link: Link, story: Story) -> Iterator[tuple[str, tuple[ConsentFact, ...] | None]]:
    """Give what a patient may have said."""

    def fact(*, permit: bool, classes: frozenset[str] = _ANYTHING, **more: Any) -> ConsentFact:
        purposes, recipients = frozenset({link.purpose.value}), frozenset({link.recipient})
        return ConsentFact("said", permit, purposes, recipients, classes, **more)

    yes, no = fact(permit=True), fact(permit=False)
    yield "nothing said", ()
    yield "not known what was said", None
    yield "permitted", (yes,)
    yield "denied", (no,)
    yield "permitted and denied", (yes, no)
    yield "permitted but for measurements", (yes, fact(permit=False, classes=OBSERVATION_CLASSES))
    yield (
        "permitted but for identifiers",
        (yes, fact(permit=False, classes=frozenset({"patient.identifier"}))),
    )
    yield "permitted but for this code", (yes, fact(permit=False, codes=frozenset({story.code})))
    yield "permitted but for another code", (yes, fact(permit=False, codes=frozenset({"LN|0000-0"})))
    yield "permitted for this code alone", (fact(permit=True, codes=frozenset({story.code})),)


def _nothing_to_compare(bundle: Bundle, link: Link) -> str:
    if link not in bundle.carriers("fhir"):
        return "its recipient speaks HL7 v2: FHIR is not written as HL7 v2"
    types = link.sources.message_types
    for kind in _TYPES:
        if not types & {ANY, kind, f"{kind.partition('^')[0]}^{ANY}"}:
            return f"it does not take {kind}"
    return ""


def _compared(link: Link, case: Case, one: Decision, other: Decision) -> Iterator[Difference]:
    if type(one) is not type(other):
        yield Difference(link.id, case.name, "answer", _word(one), _word(other))
        return
    for what in _PARTS[type(one)]:
        mine, its = getattr(one, what), getattr(other, what)
        if mine != its:
            yield Difference(link.id, case.name, what, _text(mine), _text(its))


_PARTS: dict[type, tuple[str, ...]] = {
    Permit: ("classes", "profile", "obligations", "basis", "valid_until_us", "withheld", "only"),
    Deny: ("reasons", "basis"),
    Indeterminate: ("why", "about"),
}


def _word(answer: Decision) -> str:
    match answer:
        case Permit():
            return "permit"
        case Deny(_, reasons):
            return f"deny: {', '.join(reason.code for reason in reasons)}"
        case Indeterminate(_, why):
            return f"indeterminate: {why.code}"


def _text(value: object) -> str:
    if isinstance(value, frozenset):
        return " ".join(sorted(map(str, value))) or "none"
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _shaped(
    plans: Plans, bundle: Bundle, link: Link, case: Case, one: Decision, other: Decision
) -> Iterator[Difference]:
    """Shape both tellings; names, aliases and measurements in what leaves must be the same."""
    found: list[dict[str, str]] = []
    for wire, permit in ((HL7V2, one), (FHIR, other)):
        assert isinstance(permit, Permit)
        planned = plans.of(route_of(bundle, link, wire.name), link, permit)
        message = told(wire, case.story)
        if permit.withheld or permit.only is not None:
            message = wire.narrowed(message, permit.withheld, permit.only)
        data = shape(message, planned.plan, SEEDS).data
        found.append(_of_fhir(data) if data.startswith(b"{") else _of_hl7v2(data))
    if "value" not in found[0] and "value" not in found[1]:  # a unit alone says nothing of a measurement
        for one_found in found:
            one_found.pop("unit", None)
    for what in found[0].keys() | found[1].keys():
        mine, its = found[0].get(what, "absent"), found[1].get(what, "absent")
        if mine != its:
            yield Difference(link.id, case.name, f"{what} in what leaves", mine, its)


def _of_hl7v2(data: bytes) -> dict[str, str]:
    message = decode(data)
    paths = {
        "patient": "PID-3.1",
        "born": "PID-7",
        "code": "OBX-3.1",
        "value": "OBX-5",
        "time": "OBX-14",
        "unit": "OBX-18.1",
    }
    found = {what: value.reveal() for what, path in paths.items() if (value := message.get(path)) is not None}
    return _clean(found)


def _of_fhir(data: bytes) -> dict[str, str]:
    body = orjson.loads(data)
    resources = [e["resource"] for e in body["entry"]] if body["resourceType"] == "Bundle" else [body]
    by_type = {resource["resourceType"]: resource for resource in resources}
    patient, device = by_type.get("Patient", {}), by_type.get("Device", {})
    seen: dict[str, Any] = next((r for r in resources if r["resourceType"] == "Observation"), {})
    value = seen.get("valueQuantity", {}).get("value", "")
    found = {
        "patient": _first(patient),
        "born": patient.get("birthDate", ""),
        "code": next((one.get("code", "") for one in seen.get("code", {}).get("coding", [])), ""),
        "value": f"{value:g}" if isinstance(value, int | float) else str(value),
        "time": seen.get("effectiveDateTime", ""),
        "unit": _first(device) or seen.get("device", {}).get("identifier", {}).get("value", ""),
    }
    return _clean(found)


def _first(resource: dict[str, Any]) -> str:
    return next((one.get("value", "") for one in resource.get("identifier", [])), "")


def _clean(found: dict[str, str]) -> dict[str, str]:
    """Write times alike, and leave out what is empty."""
    dated = {
        what: re.sub(r"[-:T]", "", value) if what in ("born", "time") else value
        for what, value in found.items()
    }
    dated = {what: value.replace("Z", "+0000") for what, value in dated.items()}
    return {what: value for what, value in dated.items() if value}
