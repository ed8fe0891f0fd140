"""What the elements of a type are: for each key of a JSON object its class, part and kind.

Rules:
- The data type speaks first: HumanName is a name, Address an address, Identifier an identifier, dateTime a time,
  Narrative, Annotation, markdown and string a note. A review may give an element another class or role.
- The parts of a person's data type stay together: system, use and period are ``rest`` of their identifier or name.
- A reference has the class of its target's id, its display the name class of its target.
- What its siblings decide (codes, displays, quantities, ``Observation.value[x]``, extensions) is judged when it is
  seen (``verdicts``).
- A key that no definition has is ``uncatalogued``.

Deliberately absent: actions, and any look at a message.

Source: FHIR R4 4.0.1 data types (§2.24), Element (§2.24.0), references (§2.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from oathward.core.labels import ROLES
from oathward.protocols.fhir import tables
from oathward.protocols.fhir.overrides import (
    CLINICAL,
    CONTROL,
    OF_PARENT,
    OF_ROLE,
    Review,
    Subject,
    extensions,
    id_class,
    reviewed,
    subject_of,
)

REST, TEXT = "rest", "text"

STRICTNESS = (
    *("structure", "message.time", "message.control", "message.party", "device.type"),
    *("observation.code", "observation.time", "observation.value", "clinical.code", "order", "location"),
    *("financial", "organisation.", "staff.", "device.identity", "relative.", "patient."),
    *("attachment", "note.text", "uncatalogued"),
)
"""Classes (or their roles) from the least to the most telling."""

TEXTS = frozenset(("string", "markdown", "xhtml"))
URIS = frozenset(("uri", "url", "canonical", "oid", "uuid"))
TIMES = frozenset(("date", "dateTime", "instant", "time"))
INTEGERS = frozenset(("integer", "positiveInt", "unsignedInt"))
PRIMITIVES = TEXTS | URIS | TIMES | INTEGERS | {"boolean", "decimal", "code", "id", "base64Binary"}
QUANTITIES = frozenset(("Quantity", "Age", "Count", "Distance", "Duration"))
PROFILED = {"SimpleQuantity": "Quantity", "MoneyQuantity": "Quantity"}
"""Names of the definitions that are other types with a rule of their own."""

CODED = frozenset(("CodeableConcept", "Coding"))
ATOMIC = frozenset(("Range", "Ratio", "SampledData", "Timing", "Dosage", "SubstanceAmount"))
"""Composites that say something else, or nothing, once a part that is no note was removed."""

ONE_THING: dict[str, tuple[str, dict[str, str]]] = {
    "HumanName": ("name", {"family": "", "text": ""}),
    "ContactPoint": ("contact", {"value": ""}),
    "Identifier": ("identifier", {"value": ""}),
    "Address": (
        "address",
        {"line": "street", "text": "street", "city": "city", "state": "state", "country": "country"}
        | {"postalCode": "postcode"},
    ),
    "Signature": ("image", {"data": ""}),
}
"""Data types that are one thing of somebody: its kind, and the keys that are not ``rest``."""

WHOLE: dict[str, tuple[str, dict[str, str]]] = {
    "Attachment": ("attachment", {"data": "", "url": ""}),
    "Narrative": ("note.text", {"div": ""}),
    "Expression": ("note.text", {"expression": ""}),
    "RelatedArtifact": ("note.text", {"url": ""}),
    "Money": ("financial", {"value": ""}),
    "Period": ("", {"start": "", "end": ""}),
}
"""Data types that are one thing, whoever's."""

STRUCTURAL = frozenset(("status", "intent", "mode", "use"))
"""Keys of codes with a required value set that say nothing about anyone, in whatever type."""

NAMES = {"patient": "patient.name", "relative": "relative.name", "staff": "staff.name"} | {
    "organisation": "organisation.name"
}


@dataclass(frozen=True, slots=True)
class Element:
    """One element of an object.

    Args:
        place: ``Observation.component.code``.
        kind: FHIR type; ``object`` for a backbone element, ``Resource``, ``Extension``.
        cls: its class; of a composite the one that its parts have where they do not say it themselves.
        part: empty for the element itself; ``rest`` for what only qualifies it; a part of an address.
        form: what a value must look like, see ``verdicts``; ``observed`` where an observation's code decides.
        many: a list of them.
        lost: what happens if all of it is removed, see ``overrides.LOST``.
        whole: all parts have ``cls``, whatever their types say.
        within: type and path whose rows say what a backbone element holds.
        targets: of a reference; empty for any.
        codes: required value set.
    """

    place: str
    kind: str
    cls: str = ""
    part: str = ""
    form: str = ""
    many: bool = False
    lost: str = "gone"
    whole: bool = False
    subject: Subject = CLINICAL
    within: tuple[str, str] = ("", "")
    targets: tuple[str, ...] = ()
    codes: str = ""
    source: str = ""


def strictness(cls: str) -> int:
    """Rank a class by ``STRICTNESS``."""
    for rank, word in enumerate(STRICTNESS):
        if cls == word or (word.endswith(".") and cls.startswith(word)):
            return rank
    raise KeyError(cls)


@cache
def resource(kind: str) -> Element:
    """Give the element that a whole resource is; one of no known type is uncatalogued."""
    if kind not in tables.resource_types():
        return Element(kind, "unknown", "uncatalogued")
    return Element(kind, "Resource", subject=subject_of(kind), within=(kind, ""))


@cache
def children(element: Element) -> Mapping[str, Element]:
    """Map each key that an object of this element may have to what stands there, ``_x`` keys left out."""
    kind, above = element.within if element.within[0] else (element.kind, "")
    found: dict[str, Element] = {}
    start = f"{above}." if above else ""
    for row in tables.elements_of(kind):
        name = row.path.removeprefix(start)
        if row.path.startswith(start) and "." not in name and row.count != "0":
            found |= _keyed(element, kind, row, name)
    found |= _inherited(element, kind, above)
    if kind in ATOMIC and not element.whole:
        return {key: _vital(child) for key, child in found.items()}
    return found


def _vital(child: Element) -> Element:
    """Make a part of something atomic take the rest with it."""
    free = child.cls == "note.text" or child.kind == "Extension" or child.part == REST
    return child if free else replace(child, lost="group")


def _inherited(element: Element, kind: str, above: str) -> dict[str, Element]:
    place = element.place
    base = "BackboneElement" if above else tables.base_of(kind)
    local = Element(f"{place}.id", "string", CONTROL, REST)
    # What stands beside a name is one, and texts may repeat it.
    beside = (element.cls, REST) if element.cls.endswith(".name") else ("", "")
    extension = Element(f"{place}.extension", "Extension", *beside, many=True)
    modifier = Element(f"{place}.modifierExtension", "Extension", many=True, lost="whole")
    if base in ("Resource", "DomainResource"):
        found = {
            "resourceType": Element(f"{place}.resourceType", "type", "structure"),
            "id": Element(f"{place}.id", "id", id_class(kind)),
            "meta": Element(f"{place}.meta", "Meta"),
            "implicitRules": Element(f"{place}.implicitRules", "uri", "uncatalogued", lost="whole"),
            "language": Element(f"{place}.language", "code", "structure", form="language"),
        }
        if base == "DomainResource":
            found["text"] = _typed(f"{place}.text", "Narrative", element.subject, "")
            found["contained"] = Element(f"{place}.contained", "Resource", many=True)
            found |= {"extension": extension, "modifierExtension": modifier}
        return found
    # What stands in a backbone element or a data type that inherits from it may be modified.
    return {"id": local, "extension": extension, "modifierExtension": modifier}


def _keyed(element: Element, kind: str, row: tables.Row, name: str) -> dict[str, Element]:
    """Give one row of the definitions, a choice of types once for each."""
    known = reviewed().get(kind, {})
    found = {}
    for word in row.kinds:
        head, _, inside = word.partition("(")
        head = PROFILED.get(head, head)
        key = name
        if name.endswith("[x]"):
            key = name[:-3] + head[:1].upper() + head[1:]
        above = row.path[: -len(name)]
        review = known.get(above + key) or known.get(row.path)
        made = _element(element, kind, row, head, key, review)
        targets = tuple(inside.rstrip(")").split("|")) if inside else made.targets
        found[key] = replace(made, targets=targets)
    return found


def _element(
    parent: Element, kind: str, row: tables.Row, head: str, key: str, review: Review | None
) -> Element:
    place = f"{parent.place}.{key}"
    subject, cls = parent.subject, parent.cls if parent.whole else ""
    if review is not None:
        cls = subject.code if review.cls == OF_PARENT else review.cls
        subject = OF_ROLE.get(cls.partition(".")[0], subject) if cls in ROLES else subject
    if review is None and parent.whole:
        made = _whole_part(parent, place, head, key)
    elif head in ("BackboneElement", "Element") or head.startswith("#"):
        made = _backbone(place, kind, row, head, subject, cls)
    else:
        made = _typed(place, head, subject, cls, structural=bool(row.codes) and key in STRUCTURAL)
    if review is not None:
        made = replace(
            made,
            part=review.part or made.part,
            form=review.form or made.form,
            source=review.source,
        )
    required = row.count in ("1", "+")
    lost = ("masked" if _maskable(made.kind) else "group") if required else "gone"
    return replace(
        made,
        many=row.count in ("*", "+"),
        lost=(review.lost if review else "") or lost,
        codes=row.codes,
    )


@cache
def _maskable(kind: str) -> bool:
    """Say whether an extension can stand for an element of this type: one that asks for no element itself."""
    if kind in ("object", "xhtml", "Resource"):
        return False
    rows = tables.elements_of(kind) if kind in tables.data_types() else ()
    return not any(row.count in ("1", "+") and "." not in row.path for row in rows)


def _backbone(place: str, kind: str, row: tables.Row, head: str, subject: Subject, cls: str) -> Element:
    within = (kind, row.path)
    if head.startswith("#"):
        of_kind, _, path = head[1:].partition(".")
        within = (of_kind, path)
    if cls in ROLES:
        subject = OF_ROLE[cls]
    elif cls:
        subject = replace(subject, code=cls)
    return Element(place, "object", subject=subject, within=within)


def _whole_part(parent: Element, place: str, head: str, key: str) -> Element:
    """Give a part of one thing: what it is has the class, the rest qualifies it."""
    if parent.part == REST:
        part = REST
    else:
        keys = (ONE_THING.get(parent.kind) or WHOLE.get(parent.kind) or ("", {key: ""}))[1]
        part = keys.get(key, REST) or parent.part
    if head == "Reference":
        return Element(place, head, subject=parent.subject)
    if parent.kind == "Timing" and head in CODED:
        return Element(place, head, parent.cls, part, subject=parent.subject)
    return Element(place, head, parent.cls, part, whole=True, subject=parent.subject)


def may_go(element: Element) -> bool:
    """Say whether an element may be removed: structure that may have any value, or one of its codes, may not."""
    free = not element.form or bool(element.codes and tables.codes_of(element.codes))
    return not (element.cls == "structure" and element.kind in PRIMITIVES and free)


def by_type(kind: str) -> Element:
    """Give a data type as it is read in a resource about the patient."""
    return _typed(kind, kind, subject_of(""), "")


@cache
def _typed(place: str, kind: str, subject: Subject, given: str, *, structural: bool = False) -> Element:
    """Give an element by its data type; ``given``: a class, a role or empty."""
    role = given if given in ROLES else ""
    given = "" if role else given
    subject = OF_ROLE[role] if role else subject
    own, form, whole = given, "", False
    if kind in ONE_THING:
        word = ONE_THING[kind][0]
        entity = subject.entity if kind == "Identifier" else f"{subject.role}.{word}"
        own, whole = given or entity, True
    elif kind in WHOLE:
        own, whole = given or WHOLE[kind][0] or f"{subject.role}.time", True
    elif kind in PRIMITIVES:
        own, form = _primitive(kind, subject, given, structural=structural)
    elif kind in CODED or kind in QUANTITIES or kind == "SampledData":
        own = given or ("patient.demographic" if kind == "Age" else subject.code)
    elif kind == "Annotation":
        own = given or "note.text"
    elif given:
        subject, whole = replace(subject, code=given), kind == "Timing"
    return Element(place, kind, own, form=form, whole=whole, subject=subject)


def _primitive(kind: str, subject: Subject, given: str, *, structural: bool) -> tuple[str, str]:
    """Give class and form of a primitive."""
    if kind == "code":
        return given or ("structure" if structural else subject.code), "token"
    if kind in TEXTS:
        return given or "note.text", {"device.type": "words"}.get(given, "")
    if kind in URIS:
        return given or "note.text", "uri" if given == "structure" else ""
    if kind in TIMES:
        return given or f"{subject.role}.time", ""
    if kind in INTEGERS or kind == "decimal":
        return given or subject.code, "number"
    own = {"id": CONTROL, "base64Binary": "attachment"}.get(kind, subject.code)
    return given or own, ""


@cache
def extension(url: str, parent: Element) -> Element | None:
    """Give what a reviewed extension is; ``url``: with its outer one, ``outer#inner``. None for what nobody reviewed.

    Args:
        parent: what it stands in.
    """
    review = extensions().get(url)
    if review is None:
        return None
    cls, part = review.cls, review.part
    if cls == OF_PARENT:
        cls, part = parent.cls or "note.text", REST
    place = f"{parent.place}.extension"
    return Element(place, "known", cls, part, review.form, within=("Extension", url), source=review.source)


@cache
def extended(known: Element) -> Mapping[str, Element]:
    """Map the keys of a reviewed extension to what stands there."""
    (value,) = (row for row in tables.elements_of("Extension") if row.path == "value[x]")
    found = {
        "url": Element(f"{known.place}.url", "type", "structure"),
        "id": Element(f"{known.place}.id", "string", CONTROL, REST),
        "extension": Element(
            f"{known.place}.extension", "Extension", known.cls, many=True, within=known.within
        ),
    }
    for word in value.kinds:
        key = f"value{word[:1].upper()}{word[1:]}"
        # A code that says what sort of name it is names nobody.
        cls = "note.text" if word == "code" and known.cls.endswith(".name") else known.cls
        made = _typed(f"{known.place}.{key}", word, subject_of(""), cls)
        found[key] = replace(made, part=known.part or made.part, form=known.form or made.form)
    return found
