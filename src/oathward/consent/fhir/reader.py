"""Read a FHIR R4 or R5 Consent into statements: nobody gets more than it surely says, and nothing it may deny goes out.

Rules:
- Only ``active`` counts; a consent of another status says nothing, and takes back what it said when it was.
- What is not read here (a modifier extension, an element nobody knows, data named by reference or date, a word of
  another system) makes a permit not count and a denial count as if that condition were not there. Each is a remark: a code
  and a place.
- Several values of one element: one is enough. Several elements: each must hold.
- ``policyRule`` (opt in, opt out) is what holds where no provision speaks; a root provision of the other type is an
  exception to it. Without either the root says nothing, and what is nested in it speaks alone.
- Actors stay words (``Organization/54``, ``system|value``): which recipient they mean is the bundle's to say, and is
  looked up at each decision.
- R5 is read in R4's form (``r5.py``); a Consent with elements of both editions permits nothing, and denies everything where
  either reading denies anything.
- Dates without a zone are of the zone that the caller names.
- A confidentiality in a permit means up to it, in a denial from it on: FHIR's high-water mark, read so that a
  denial of what is restricted does not leave out what is very restricted.

Deliberately absent: narrative, signatures and attachments of the original; the Consent as a whole (``whole.py``).

Source: FHIR R4 §6.2 (Consent), R5 §6.2, §2.3 (Reference), §2.1.28 (Extension: modifiers must be understood).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, tzinfo
from hashlib import sha256
from typing import Any, Literal, cast

from oathward.consent.fhir import words
from oathward.consent.fhir.dates import moment
from oathward.consent.fhir.parts import Parts, Remark, codings, objects
from oathward.consent.fhir.r5 import STATUSES, Edition, Form, as_r4, edition_of, place_of
from oathward.consent.fhir.whole import doubts, scope, under_policy
from oathward.consent.model import FHIR_SOURCE, SOURCE_LENGTH_MAX, Statement
from oathward.consent.provisions import ANYTHING, FACTS_MAX, Flat, Provision, flatten
from oathward.core.errors import InputError
from oathward.core.ids import uuid7
from oathward.core.phi import Phi
from oathward.policy.consents import Box, ConsentFact

BASE = "Consent.policyRule"
NESTED_MAX = 8
PROVISIONS_MAX = 100
ORIGIN_CHARS = 32

_KNOWN = frozenset(
    (
        "resourceType", "modifierExtension", "implicitRules", "id", "meta", "language", "text", "contained", "extension", "identifier", "status", "scope",
        "category", "patient", "dateTime", "performer", "organization", "sourceAttachment", "sourceReference",
        "policy", "policyRule", "verification", "provision",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Patient:
    """Whom a Consent is of: identifiers (system, value, type), and a reference that means something at its server."""

    identifiers: tuple[tuple[str, Phi[str], str], ...]
    reference: Phi[str]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one Consent says.

    ``active``: whether it counts at all. ``origins``: what it is known by, hashed; a later version bears one of them.
    ``as_of_us``: when this version was stored where it comes from, or else its own date; None: it does not say.
    """

    active: bool
    statements: tuple[Statement, ...]
    remarks: tuple[Remark, ...]
    origins: frozenset[str]
    patient: Patient
    as_of_us: int | None = None


@dataclass(slots=True)
class _Work:
    """One Consent being read."""

    parts: Parts
    edition: Edition
    mixed: bool
    zone: tzinfo
    now_us: int | None
    count: int = 0
    doubtful: bool = False


def read(
    resource: dict[str, Any],
    body: bytes,
    *,
    zone: tzinfo = UTC,
    edition: Edition | None = None,
    now_us: int | None = None,
) -> Reading:
    """Read a Consent.

    Args:
        resource: as JSON was read.
        body: the bytes it came in; their SHA-256 stands in each statement as its source.
        zone: in which dates without a time are meant.
        edition: of FHIR; ``None``: it tells itself.
        now_us: what it is dated after permits nothing yet; ``None``: nobody looks.

    Raises:
        InputError: no Consent; names the place.
    """
    if resource.get("resourceType") != "Consent":
        raise InputError("resourceType", "Consent")
    told, mixed = edition_of(resource)
    known = edition or told
    form = as_r4(resource) if known == "r5" else Form(resource)
    try:
        return _read(
            form, resource, body, _Work(Parts(resource, zone), known, mixed and not edition, zone, now_us)
        )
    except InputError as error:
        if known == "r4":
            raise
        raise InputError(place_of(error.where), error.why) from error


def _read(form: Form, resource: dict[str, Any], body: bytes, work: _Work) -> Reading:
    origins = _origins(form.resource, body)
    patient = _patient(form.resource)
    statuses = STATUSES[work.edition]
    if resource.get("status") not in statuses:  # a misspelt one would be taken for one that says nothing
        raise InputError("Consent.status", f"one of {', '.join(statuses)}")
    active = resource["status"] in {"active", "unknown"}
    if active:
        flat = _facts(work, form, resource)
    else:
        flat = []
        work.parts.note("consent.not-active", "Consent.status")
    place = place_of if work.edition == "r5" else str
    source = f"{FHIR_SOURCE} {sha256(body).hexdigest()}"
    statements = tuple(
        Statement(
            _fact(one), f"{source} {place(one.place).removeprefix('Consent.')}"[:SOURCE_LENGTH_MAX], origins
        )
        for one in flat
    )
    remarks = tuple(dict.fromkeys(Remark(one.code, place(one.where)) for one in work.parts.remarks))
    return Reading(active, statements, remarks, origins, patient, _as_of(form.resource, work.zone))


def _fact(one: Flat) -> ConsentFact:
    box = one.box
    return ConsentFact(
        uuid7(), one.permit, box.purposes, box.recipients, box.classes, box.start_us, box.end_us, box.codes,
        box.labels, one.unless,
    )  # fmt: skip


def _facts(work: _Work, form: Form, written: dict[str, Any]) -> list[Flat]:
    """Give all facts of an active Consent.

    Args:
        written: as it came, in the form of its own edition.
    """
    note, resource = work.parts.note, form.resource
    _doubt_elements(work, form)
    wide, narrow = scope(work.parts, resource)
    for code, where in doubts(work.parts, resource, work.now_us, work.zone):
        note(code, where)
        narrow = ()
    root = under_policy(work.parts, resource, _root(work, resource))
    if work.count > PROVISIONS_MAX:
        note("consent.too-large", "Consent.provision")
        return [Flat(False, Box(), (), "Consent.provision")]
    if work.doubtful:
        return [Flat(False, Box(), (), "Consent")] if _denies(root) or _other_denies(work, written) else []
    found = list(dict.fromkeys(flatten(root, wide=wide, narrow=narrow)))
    if len(found) > FACTS_MAX:
        note("consent.too-large", "Consent.provision")
        return [Flat(False, Box(), (), "Consent.provision")]
    return found


def _doubt_elements(work: _Work, form: Form) -> None:
    """Note elements that may turn the meaning of the whole."""
    note, names = work.parts.note, set(form.resource)
    for name in ("modifierExtension", "implicitRules"):
        if name in names:
            note("consent.modifier-unread", f"Consent.{name}")
            work.doubtful = True
    unknown = {name for name in names - _KNOWN if not name.startswith("_")}
    if form.strange or unknown - {"grantee" if work.edition == "r5" else ""}:
        note("consent.element-unread", "Consent")
        work.doubtful = True
    if work.mixed:
        note("consent.edition-mixed", "Consent")
        work.doubtful = True
    if form.contradicted:
        note("consent.contradicted", "Consent.provision.type")


def _denies(root: Provision) -> bool:
    return any(not one.permit for one in flatten(root))


def _other_denies(work: _Work, written: dict[str, Any]) -> bool:
    """Whether one of two editions denies something where the other is read; its provisions have another form."""
    if not work.mixed:
        return False
    rest = {name: value for name, value in written.items() if name != "provision"}
    other = rest if work.edition == "r5" else as_r4(rest).resource
    aside = _Work(Parts(rest, work.zone), work.edition, False, work.zone, None)
    return _denies(_root(aside, other))


def _root(work: _Work, resource: dict[str, Any]) -> Provision:
    """Put the base policy and the root provision together."""
    base, lifted = _base(work, resource)
    provision = resource.get("provision")
    if provision is not None and not isinstance(provision, dict):
        raise InputError("Consent.provision", "an object")
    place = "Consent.provision"
    own = provision or {}
    nested = _nested(work, own, place, 1)
    type_ = _type(work, own, place) or "deny" if "type" in own else None
    wide, narrow = work.parts.conditions(own, place, permit=(type_ or base) != "deny")
    if "type" in own and own["type"] != type_:
        narrow = ()
    if type_ is None and base is None:
        work.parts.note("consent.base-unread", BASE)
    times = tuple(Box(start_us=box.start_us, end_us=box.end_us) for box in narrow)
    if base is None or type_ is None:
        if (
            base == "deny"
        ):  # conditions without a type: whether it is denied there, or elsewhere, nobody can say
            wide = tuple(Box(start_us=box.start_us, end_us=box.end_us) for box in wide)
        return Provision(type_ or base, wide, narrow, place, (*nested, *lifted))
    if type_ == base:
        return Provision(type_, wide, narrow, place, (*nested, *lifted))
    root = Provision(type_, wide, narrow, place, nested)
    return Provision(base, ANYTHING, times if base == "permit" else ANYTHING, BASE, (root, *lifted))


def _base(
    work: _Work, resource: dict[str, Any]
) -> tuple[Literal["permit", "deny"] | None, tuple[Provision, ...]]:
    """Read the base policy, if it is one of those that say opt in or opt out, and what it excepts itself."""
    named = {code for system, code in codings(resource.get("policyRule")) if system == words.ACT_CODE}
    found = {words.BASES[code] for code in named & set(words.BASES)}
    if len(found) > 1:
        work.parts.note("consent.base-unread", BASE)
        return "deny", ()
    emergency = (Box(purposes=words.EMERGENCY),)
    lifted = (Provision("permit", emergency, emergency, BASE),) if named >= {words.EMERGENCY_ONLY} else ()
    return cast("Literal['permit', 'deny']", found.pop()) if found else None, lifted


def _nested(work: _Work, provision: dict[str, Any], place: str, depth: int) -> tuple[Provision, ...]:
    rules = list(objects(provision.get("provision"), f"{place}.provision"))
    work.count += len(rules)
    if not rules:
        return ()
    if depth > NESTED_MAX or work.count > PROVISIONS_MAX:
        work.count = PROVISIONS_MAX + 1
        return ()
    modified = "modifierExtension" in provision
    return tuple(
        _one(
            work, {**rule, "modifierExtension": True} if modified else rule, f"{place}.provision[{n}]", depth
        )
        for n, rule in enumerate(rules)
    )


def _one(work: _Work, provision: dict[str, Any], place: str, depth: int) -> Provision:
    """Read one nested rule; what modifies the rule above modifies it too."""
    type_ = _type(work, provision, place)
    wide, narrow = work.parts.conditions(provision, place, permit=type_ == "permit")
    nested = _nested(work, provision, place, depth + 1)
    return Provision(type_ or "deny", wide, narrow if type_ else (), place, nested)


def _type(work: _Work, provision: dict[str, Any], place: str) -> Literal["permit", "deny"] | None:
    type_ = provision.get("type")
    if type_ in ("permit", "deny"):
        return cast("Literal['permit', 'deny']", type_)
    work.parts.note("consent.type-unread", f"{place}.type")
    return None


# --- whose it is, and which


def _origins(resource: dict[str, Any], body: bytes) -> frozenset[str]:
    """Hash what a Consent is known by: its identifiers, else its id and who manages it, else itself."""
    known = [
        f"{one.get('system', '')}|{one['value']}"
        for one in objects(resource.get("identifier"))
        if isinstance(one.get("value"), str)
    ]
    if not known and isinstance(resource.get("id"), str):
        managers = sorted(str(one.get("reference")) for one in objects(resource.get("organization")))
        known = ["/".join(("Consent", resource["id"], *managers))]
    digests = [sha256(word.encode()).hexdigest() for word in known] or [sha256(body).hexdigest()]
    return frozenset(digest[:ORIGIN_CHARS] for digest in digests)


def _as_of(resource: dict[str, Any], zone: tzinfo) -> int | None:
    meta = resource.get("meta")
    for text in (meta.get("lastUpdated") if isinstance(meta, dict) else None, resource.get("dateTime")):
        with suppress(ValueError):
            if isinstance(text, str) and (at_us := moment(text, end=False, zone=zone)) is not None:
                return at_us
    return None


def _patient(resource: dict[str, Any]) -> Patient:
    patient = resource.get("patient")
    if not isinstance(patient, dict):
        return Patient((), Phi(""))
    reference = patient.get("reference")
    reference = reference if isinstance(reference, str) else ""
    identifiers = [patient["identifier"]] if isinstance(patient.get("identifier"), dict) else []
    if reference.startswith("#"):
        for one in objects(resource.get("contained")):
            if one.get("id") == reference[1:] and one.get("resourceType") == "Patient":
                identifiers += objects(one.get("identifier"))
    return Patient(tuple(identifiers_of(identifiers)), Phi(reference))


def identifiers_of(identifiers: list[dict[str, Any]]) -> Iterator[tuple[str, Phi[str], str]]:
    """Give system, value and type (HL7 table 0203) of FHIR identifiers."""
    for one in identifiers:
        system, value = one.get("system", ""), one.get("value")
        if isinstance(value, str) and isinstance(system, str) and value.strip():
            type_ = next((code for _, code in codings(one.get("type"))), "")
            yield system, Phi(value), type_
