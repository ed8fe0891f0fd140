"""The invariants that matter for meaning, as functions, each by the name FHIR gives it.

Rules:
- A rule takes the object it stands on, whose elements have the right types, and says whether it holds.
- Where FHIRPath would give nothing (dates of other precision, a value that is absent) a rule holds.
- Reviewed one by one: a rule that asks about a definition rather than a patient is left out, and so are those
  that need the whole message (``check`` has dom-2 to dom-5 and ref-1, ``reader`` those of bundles).

Deliberately absent: FHIRPath; what FHIR calls a warning.

Source: FHIR R4 4.0.1 definitions, ElementDefinition.constraint of severity error.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from oathward.protocols.fhir.message import Resource

UCUM = "http://unitsofmeasure.org"
CURRENCIES = "urn:iso:std:iso:4217"
_FORMS = "http://terminology.hl7.org/CodeSystem/"


class Rule(NamedTuple):
    """One invariant: its name, what it asks for, and whether it holds of an object; ``keyed``: which its keys alone decide."""

    name: str
    why: str
    holds: Callable[[Resource], Any]
    keyed: bool = False


def _has(value: Resource, *names: str) -> bool:
    for name in names:  # noqa: SIM110  half the time of any()
        if name in value or f"_{name}" in value:
            return True
    return False


def _has_choice(value: Resource, name: str) -> bool:
    """Say whether one of a choice stands; no other element of its owner begins with its name."""
    starts = (name, f"_{name}")
    for key in value:  # noqa: SIM110  half the time of any()
        if key.startswith(starts):
            return True
    return False


def _needs(name: str, first: str, second: str) -> Rule:
    """Make a rule: where one stands, the other stands."""
    return Rule(
        name,
        f"{first} needs {second}",
        lambda v: second in v or (first not in v and f"_{first}" not in v) or f"_{second}" in v,
        keyed=True,
    )


def _not_both(name: str, first: str, second: str) -> Rule:
    return Rule(
        name, f"not both {first} and {second}", lambda v: not (_has(v, first) and _has(v, second)), keyed=True
    )


def _one_of(name: str, *names: str) -> Rule:
    return Rule(name, f"at least one of {', '.join(names)}", lambda v: _has(v, *names), keyed=True)


def _both_or_none(name: str, first: str, second: str) -> Rule:
    return Rule(
        name, f"both {first} and {second} or none", lambda v: _has(v, first) == _has(v, second), keyed=True
    )


def _exactly_one(name: str, first: str, second: str) -> Rule:
    return Rule(name, f"either {first} or {second}", lambda v: _has(v, first) != _has(v, second), keyed=True)


def _moment(text: str) -> datetime | None:
    """Read a point in time with its zone; a leap second is its minute's last."""
    try:
        return datetime.fromisoformat(text.replace(":60", ":59"))
    except ValueError:
        return None


def _in_order(first: Any, last: Any) -> bool:
    """Say that one time is not after another; of other precision they cannot be compared."""
    if not (first.__class__ is str and last.__class__ is str):
        return True
    if "T" not in first and "T" not in last:
        return len(first) != len(last) or first <= last
    one, other = _moment(first), _moment(last)
    if one is None or other is None or one.tzinfo is None or other.tzinfo is None:
        return True
    return one <= other


def _codes(concept: Any, system: str) -> set[str]:
    """Give the codes of one system in a CodeableConcept."""
    codings = concept.get("coding", ()) if concept.__class__ is dict else ()
    return {c["code"] for c in codings if c.__class__ is dict and c.get("system") == system and "code" in c}


def _measured(value: Resource) -> bool:
    return ("code" in value or not _has(value, "value")) and value.get("system", UCUM) == UCUM


def _obs_7(value: Resource) -> bool:
    if "component" not in value or not _has_choice(value, "value"):
        return True
    own = value.get("code", {}).get("coding", ())
    parts = value["component"]
    return not any(coding in own for part in parts for coding in part.get("code", {}).get("coding", ()))


def _range(value: Resource) -> bool:
    low, high = value.get("low", {}).get("value"), value.get("high", {}).get("value")
    units = {side.get("code") for side in (value.get("low", {}), value.get("high", {}))}
    return low is None or high is None or len(units) > 1 or low <= high


def _ratio(value: Resource) -> bool:
    both = ("numerator" in value) == ("denominator" in value)
    return both and ("numerator" in value or "extension" in value)


def _parameter(value: Resource) -> bool:
    inner = "part" in value
    own = _has_choice(value, "value") + ("resource" in value)
    return own == 0 if inner else own == 1


def _status_of(value: Resource, element: str, system: str) -> set[str]:
    return _codes(value.get(element), f"{_FORMS}{system}")


def _allergy(wrong: bool, value: Resource) -> bool:  # noqa: FBT001  which of two rules
    mistaken = "entered-in-error" in _status_of(
        value, "verificationStatus", "allergyintolerance-verification"
    )
    return mistaken != wrong or ("clinicalStatus" in value) != wrong


def _abated(value: Resource) -> bool:
    over = {"resolved", "remission", "inactive"}
    return not _has_choice(value, "abatement") or bool(
        over & _status_of(value, "clinicalStatus", "condition-clinical")
    )


def _mistaken(value: Resource) -> bool:
    wrong = "entered-in-error" in _status_of(value, "verificationStatus", "condition-ver-status")
    return not (wrong and "clinicalStatus" in value)


def _no_home(name: str) -> Callable[[Resource], bool]:
    return lambda v: all(each.get("use") != "home" for each in v.get(name, ()))


_QUANTITY = _needs("qty-3", "code", "system")
_REPEAT = (
    _needs("tim-1", "duration", "durationUnit"),
    _needs("tim-2", "period", "periodUnit"),
    Rule("tim-4", "duration is not negative", lambda v: v.get("duration", 0) >= 0),
    Rule("tim-5", "period is not negative", lambda v: v.get("period", 0) >= 0),
    _needs("tim-6", "periodMax", "period"),
    _needs("tim-7", "durationMax", "duration"),
    _needs("tim-8", "countMax", "count"),
    Rule("tim-9", "offset needs when, and not a meal", lambda v: (
        not _has(v, "offset") or ("when" in v and not {"C", "CM", "CD", "CV"} & {*v["when"]})
    )),
    _not_both("tim-10", "timeOfDay", "when"),
)  # fmt: skip

RULES: dict[str, tuple[Rule, ...]] = {
    # --- data types
    "Extension": (Rule("ext-1", "either extensions or a value", lambda v: (
        ("extension" in v) != _has_choice(v, "value")
    ), keyed=True),),
    "Quantity": (_QUANTITY,),
    "SimpleQuantity": (Rule("sqty-1", "no comparator", lambda v: not _has(v, "comparator")),),
    "MoneyQuantity": (Rule("mqty-1", "a currency", lambda v: v.get("system", CURRENCIES) == CURRENCIES),),
    "Age": (_QUANTITY, Rule("age-1", "a positive time in UCUM", lambda v: (
        _measured(v) and v.get("value", 1) > 0
    ))),
    "Count": (_QUANTITY, Rule("cnt-3", "a whole number of 1", lambda v: (
        _measured(v) and v.get("code", "1") == "1" and v.get("value", 0) % 1 == 0
    ))),
    "Distance": (_QUANTITY, Rule("dis-1", "a length in UCUM", _measured)),
    "Duration": (_QUANTITY, Rule("drt-1", "a time in UCUM", lambda v: (
        not _has(v, "code") or (v.get("system") == UCUM and _has(v, "value"))
    ))),
    "Attachment": (_needs("att-1", "data", "contentType"),),
    "ContactPoint": (_needs("cpt-2", "value", "system"),),
    "Expression": (_one_of("exp-1", "expression", "reference"),),
    "Period": (Rule("per-1", "a start that is not after its end", lambda v: (
        _in_order(v.get("start"), v.get("end"))
    )),),
    "Range": (Rule("rng-2", "low is not above high", _range),),
    "Ratio": (Rule("rat-1", "numerator and denominator", _ratio),),
    "Timing.repeat": _REPEAT,
    # --- resources
    "AllergyIntolerance": (
        Rule("ait-1", "a clinicalStatus, unless entered in error", lambda v: _allergy(False, v)),
        Rule("ait-2", "no clinicalStatus where entered in error", lambda v: _allergy(True, v)),
    ),
    "Appointment": (
        _both_or_none("app-2", "start", "end"),
        Rule("app-3", "start and end, unless proposed, cancelled or on a waiting list", lambda v: (
            (_has(v, "start") and _has(v, "end")) or v.get("status") in ("proposed", "cancelled", "waitlist")
        )),
        Rule("app-4", "a reason of cancelling only where cancelled", lambda v: (
            "cancelationReason" not in v or v.get("status") in ("no-show", "cancelled")
        )),
    ),
    "Appointment.participant": (_one_of("app-1", "type", "actor"),),
    "AppointmentResponse": (_one_of("apr-1", "participantType", "actor"),),
    "AuditEvent.entity": (_not_both("sev-1", "name", "query"),),
    "CarePlan.activity": (_not_both("cpl-3", "detail", "reference"),),
    "Composition.section": (
        _one_of("cmp-1", "text", "entry", "section"),
        _not_both("cmp-2", "emptyReason", "entry"),
    ),
    "Condition": (
        Rule("con-4", "what has abated is inactive, resolved or in remission", _abated),
        Rule("con-5", "no clinicalStatus where entered in error", _mistaken),
    ),
    "Condition.stage": (_one_of("con-1", "summary", "assessment"),),
    "Condition.evidence": (_one_of("con-2", "code", "detail"),),
    "Consent": (_one_of("ppc-1", "policy", "policyRule"),),
    "FamilyMemberHistory": (
        Rule("fhs-1", "not both age and born", lambda v: (
            not (_has_choice(v, "age") and _has_choice(v, "born"))
        )),
        Rule("fhs-2", "estimatedAge needs age", lambda v: (
            _has_choice(v, "age") or not _has(v, "estimatedAge")
        )),
    ),
    "Goal.target": (Rule("gol-1", "detail needs measure", lambda v: (
        not _has_choice(v, "detail") or "measure" in v
    )),),
    "Group": (Rule("grp-1", "members only of an actual group", lambda v: (
        "member" not in v or v.get("actual") is True
    )),),
    "Immunization.education": (_one_of("imm-1", "documentType", "reference"),),
    "ImmunizationRecommendation.recommendation": (_one_of("imr-1", "vaccineCode", "targetDisease"),),
    "Linkage": (Rule("lnk-1", "at least two items", lambda v: len(v.get("item", ())) > 1),),
    "List": (
        _not_both("lst-1", "emptyReason", "entry"),
        Rule("lst-2", "deleted entries only of a list of changes", lambda v: (
            v.get("mode") == "changes" or not any("deleted" in each for each in v.get("entry", ()))
        )),
        Rule("lst-3", "dates of entries only of a working list", lambda v: (
            v.get("mode") == "working" or not any("date" in each for each in v.get("entry", ()))
        )),
    ),
    "MedicationAdministration.dosage": (Rule("mad-1", "dose or rate", lambda v: (
        "dose" in v or _has_choice(v, "rate")
    )),),
    "MedicationDispense": (Rule("mdd-1", "prepared before it is handed over", lambda v: (
        _in_order(v.get("whenPrepared"), v.get("whenHandedOver"))
    )),),
    "Observation": (
        Rule("obs-6", "dataAbsentReason only where there is no value", lambda v: (
            "dataAbsentReason" not in v or not _has_choice(v, "value")
        ), keyed=True),
        Rule("obs-7", "no component with the code that the value has", _obs_7),
    ),
    "Observation.referenceRange": (_one_of("obs-3", "low", "high", "text"),),
    "Organization": (
        _one_of("org-1", "identifier", "name"),
        Rule("org-2", "no home address", _no_home("address")),
        Rule("org-3", "no home telephone", _no_home("telecom")),
    ),
    "Parameters.parameter": (Rule("inv-1", "a value, a resource or parts", _parameter),),
    "Patient.contact": (_one_of("pat-1", "name", "telecom", "address", "organization"),),
    "QuestionnaireResponse.item": (_not_both("qrs-1", "answer", "item"),),
    "RequestGroup.action": (_exactly_one("rqg-1", "resource", "action"),),
    "ServiceRequest": (_needs("prr-1", "orderDetail", "code"),),
}  # fmt: skip
"""Type or backbone element -> its rules."""
