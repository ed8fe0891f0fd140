"""Write what stands for a patient as FHIR R4 or R5 Consents: one a source, and nothing that reads back otherwise.

Rules:
- What is written is read again before it is given: the same facts, or it is refused (``consent.not-in-fhir``). Nothing is dropped
  and nothing is widened. A permit that an exception makes is not written twice.
- The form that others read best comes first: a decision for everything with its exceptions. Else the provisions stand side by
  side under a root that says nothing; R5 has no such root, so each says its type in a modifier extension (``r5.TYPE``).
- The patient is the identifier that the caller gives. A recipient that has no name in FHIR is its id in ``parts.RECIPIENT``.
- The same statements give the same bytes; an id is a hash of the subject and the source.

Deliberately absent: originals (they are kept as they came), signatures, narrative, who gave it: statements do not hold it.

Source: FHIR R4 §6.2, R5 §6.2 (Consent); HL7 v3 ActConsentDirective.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from oathward.consent.fhir import words
from oathward.consent.fhir.parts import RECIPIENT
from oathward.consent.fhir.r5 import TYPE, Edition
from oathward.consent.fhir.reader import read
from oathward.consent.model import FHIR_SOURCE, Statement
from oathward.core.code_systems import uri_of
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.policy.consents import ANY, EVERY, Box, ConsentFact, meet
from oathward.protocols.fhir.json import dumps

RULES_MAX = 25
"""Provisions side by side in one Consent; their exceptions come to them, and a reader takes 100."""

ID_CHARS = 32
CATEGORY = {"system": "http://loinc.org", "code": "59284-0"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STATED = {"text": "as the provisions say"}


@dataclass(frozen=True, slots=True)
class _Rule:
    """A provision to be written."""

    permit: bool
    box: Box
    nested: tuple[_Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Head:
    """What each Consent of a patient bears. ``patient``: a FHIR Identifier; ``at_us``: when it was last said."""

    subject: str
    patient: dict[str, Any]
    edition: Edition
    at_us: int


def write(statements: Sequence[Statement], head: Head) -> list[dict[str, Any]]:
    """Write statements as Consents, in the order of their sources.

    Raises:
        InputError: ``consent.not-in-fhir``; names the statement.
    """
    groups = _groups(statements)
    return [resource for source in sorted(groups) for resource in _written(source, groups[source], head)]


def write_sayable(
    statements: Sequence[Statement], head: Head
) -> tuple[list[dict[str, Any]], list[Statement]]:
    """Write the sources that FHIR can say; gives those statements too of which it cannot: whoever shows the one says the other."""
    groups = _groups(statements)
    made: list[dict[str, Any]] = []
    left: list[Statement] = []
    for source in sorted(groups):
        try:
            made += _written(source, groups[source], head)
        except InputError:
            left += groups[source]
    return made, left


def _groups(statements: Sequence[Statement]) -> dict[str, list[Statement]]:
    groups: dict[str, list[Statement]] = {}
    for one in statements:
        form, _, rest = one.source.partition(" ")
        groups.setdefault(f"{form} {one.digest}" if form == FHIR_SOURCE and rest else one.source, []).append(
            one
        )
    return groups


def _written(source: str, group: Sequence[Statement], head: Head) -> list[dict[str, Any]]:
    """Write the statements of one source in the first form that says them."""
    facts = {_plain(one.fact): one.fact.id for one in group}
    # With nothing missing there is too much: an exception permits what no statement does.
    excepting = next((id_ for fact, id_ in facts.items() if fact.unless), next(iter(facts.values())))
    missing = excepting
    for rules in _forms(sorted(facts, key=lambda fact: repr(fact.row()))):
        made = [_resource(some, head, f"{head.subject} {source} {n}") for n, some in enumerate(rules)]
        found = {
            _plain(s.fact) for one in made for s in read(one, dumps(one), edition=head.edition).statements
        }
        if found == facts.keys():
            return made
        missing = next((id_ for fact, id_ in facts.items() if fact not in found), excepting)
    raise InputError(
        f"statement {missing}",
        f"cannot be said in FHIR {head.edition.upper()}",
        reason=Reason.CONSENT_NOT_IN_FHIR,
    )


def _plain(fact: ConsentFact) -> ConsentFact:
    """Give a fact without its id, and what means everything in one form."""
    if not fact.permit and not fact.codes:
        fact = replace(fact, classes=EVERY, codes=EVERY, unless=())
    names = ("purposes", "recipients", "classes", "codes", "labels")
    sets: dict[str, Any] = {
        name: EVERY
        for name in names
        if ANY in getattr(fact, name) or (not fact.permit and not getattr(fact, name))
    }
    return replace(
        fact, id="", unless=tuple(sorted(set(fact.unless), key=lambda box: repr(box.row()))), **sets
    )


def _forms(facts: Sequence[ConsentFact]) -> Iterable[list[list[_Rule]]]:
    """Give the ways to say some facts, best first: each as Consents, each as its rules; one alone is the root."""
    denials = [_denial(fact) for fact in facts if not fact.permit]
    made = {box for rule in denials for one in rule.nested if (box := meet(rule.box, one.box, wide=False))}
    permits = [_Rule(True, fact.box) for fact in facts if fact.permit and fact.box not in made]
    if len(permits) == 1 and _whole(permits[0].box):
        yield [[replace(permits[0], nested=tuple(denials))]]
    roots = [rule for rule in denials if _whole(rule.box)]
    if len(roots) == 1 and not permits:
        yield [[_around(roots[0], [rule for rule in denials if rule is not roots[0]])]]
    rules = [*permits, *denials]
    # The root of a form that has one rule alone would be that rule: it stands beside nothing instead.
    yield [[_NOTHING, *rules[n : n + RULES_MAX]] for n in range(0, len(rules), RULES_MAX)]


_NOTHING = _Rule(False, Box())
"""In front of rules that stand side by side."""


def _denial(fact: ConsentFact) -> _Rule:
    return _Rule(False, fact.box, tuple(_Rule(True, box) for box in fact.unless))


def _whole(box: Box) -> bool:
    return replace(box, start_us=None, end_us=None) == Box()


def _around(root: _Rule, others: Sequence[_Rule]) -> _Rule:
    """Nest each further denial in the first exception that it lies in."""
    nested = []
    for one in root.nested:
        inside = [rule for rule in others if meet(one.box, rule.box, wide=True) == rule.box]
        others = [rule for rule in others if rule not in inside]
        nested.append(replace(one, nested=tuple(inside)))
    return replace(root, nested=tuple(nested))


# --- as JSON


def _resource(rules: Sequence[_Rule], head: Head, known_by: str) -> dict[str, Any]:
    r4 = head.edition == "r4"
    scope = {"coding": [{"system": words.SCOPE, "code": "patient-privacy"}]}
    found: dict[str, Any] = {
        "resourceType": "Consent",
        "id": sha256(known_by.encode()).hexdigest()[:ID_CHARS],
        "status": "active",
        "category": [{"coding": [CATEGORY]}] if r4 else [scope, {"coding": [CATEGORY]}],
        "patient" if r4 else "subject": {"type": "Patient", "identifier": head.patient},
    }
    found |= {"scope": scope, "dateTime": _time(head.at_us)} if r4 else {"date": _time(head.at_us)[:10]}
    return found | (_r4(rules) if r4 else _r5(rules))


def _r4(rules: Sequence[_Rule]) -> dict[str, Any]:
    root, *beside = rules
    if root is _NOTHING:
        return {"policyRule": _STATED, "provision": {"provision": [_provision(one, "r4") for one in beside]}}
    code = "OPTIN" if root.permit else "OPTOUT"
    return {
        "policyRule": {"coding": [{"system": words.ACT_CODE, "code": code}]},
        "provision": _provision(root, "r4"),
    }


def _r5(rules: Sequence[_Rule]) -> dict[str, Any]:
    root, *beside = rules
    if root is _NOTHING:
        stated = [
            {"modifierExtension": [{"url": TYPE, "valueCode": _type(one)}], **_provision(one, "r5")}
            for one in beside
        ]
        return {"provision": stated}
    made = _provision(root, "r5")
    return {"decision": _type(root), **{name: made[name] for name in ("period", "provision") if name in made}}


def _type(rule: _Rule) -> str:
    return "permit" if rule.permit else "deny"


def _provision(rule: _Rule, edition: Edition) -> dict[str, Any]:
    box, found = rule.box, dict[str, Any]()
    if edition == "r4":
        found["type"] = _type(rule)
    times = {"start": box.start_us, "end": box.end_us}
    period = {name: _time(at, end=name == "end") for name, at in times.items() if at is not None}
    if period:
        found["period"] = period
    if box.recipients != EVERY:
        role = {"coding": [{"system": words.PARTICIPATION, "code": "IRCP"}]}
        found["actor"] = [{"role": role, "reference": _named(word)} for word in sorted(box.recipients)]
    if box.labels != EVERY:
        found["securityLabel"] = _labels(box.labels, permit=rule.permit)
    if box.purposes != EVERY:
        found["purpose"] = [
            {"system": words.ACT_REASON, "code": code} for code in words.tops_of(box.purposes)
        ]
    if box.classes != EVERY:
        types = words.types_of(box.classes, wide=not rule.permit)
        name = "class" if edition == "r4" else "resourceType"
        found[name] = [{"system": words.RESOURCE_TYPES, "code": type_} for type_ in types]
    if box.codes != EVERY:
        found["code"] = [{"coding": [_coding(code)]} for code in sorted(box.codes)]
    if rule.nested:
        found["provision"] = [_provision(one, edition) for one in rule.nested]
    return found


def _named(word: str) -> dict[str, Any]:
    """Name a recipient by a word of it: a reference, ``system|value``, or its id."""
    system, bar, value = word.partition("|")
    if bar:
        return {"identifier": {"system": system, "value": value}}
    return {"reference": word} if "/" in word else {"identifier": {"system": RECIPIENT, "value": word}}


def _coding(code: str) -> dict[str, str]:
    system, _, value = code.rpartition("|")
    return {"system": uri_of(system) or system, "code": value}


def _labels(labels: frozenset[str], *, permit: bool) -> list[dict[str, str]]:
    level = words.level_of(labels & words.LEVELS, permit=permit)
    kinds = words.kinds_tops_of(labels - words.LEVELS, wide=not permit)
    return [{"system": words.CONFIDENTIALITY, "code": code} for code in level] + [
        {"system": words.ACT_CODE, "code": code} for code in kinds
    ]


def _time(at_us: int, *, end: bool = False) -> str:
    """Write a time; an end as the last of what it ends after, for FHIR's ends are inclusive."""
    whole = at_us % 1_000_000 == 0
    at = (
        _EPOCH
        + timedelta(microseconds=at_us)
        - (timedelta(seconds=1) if whole else timedelta(microseconds=1)) * end
    )
    return f"{at:%Y-%m-%dT%H:%M:%S}{'' if whole else f'.{at.microsecond:06d}'}Z"
