"""What each element of a FHIR resource is: ``classes_present`` and ``codes`` for a message, ``rows`` for the page.

Rules:
- The data type speaks first, a reviewed row for the element speaks louder, siblings decide codes, quantities and
  the values of observations.
- Every class is a word of ``core.labels.CLASSES``.
- What nobody catalogued (extensions that nobody reviewed) is ``uncatalogued``.
- ``docs/reference/fhir-catalogue.md`` shows all of it and what is unreviewed.
- A message is read once: the last one is remembered, however many links ask.

Deliberately absent: what may happen to a class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from oathward.core.code_systems import name_of
from oathward.core.labels import OBSERVATION_CLASSES
from oathward.protocols.fhir import elements, tables, values
from oathward.protocols.fhir.edits import MASKED, Run
from oathward.protocols.fhir.elements import Element
from oathward.protocols.fhir.message import Entry, Message, Resource
from oathward.protocols.fhir.overrides import id_class
from oathward.protocols.fhir.resources import Shaped, shape
from oathward.protocols.fhir.steps import Compiler
from oathward.protocols.shaping import KEEP

ABOUT = frozenset(
    (
        "Patient", "Person", "RelatedPerson", "Practitioner", "PractitionerRole", "Organization", "Location", "Device",
        "DeviceMetric", "Encounter", "EpisodeOfCare", "Account", "Provenance", "AuditEvent", "CareTeam",
    )
)  # fmt: skip
"""Types that say whom, where and by what, and by themselves nothing of what was found."""

_READER = Compiler(lambda _cls, _part: KEEP, hold=False)


class Reading(NamedTuple):
    """What stands in a message.

    ``classes``: of all values. ``uncatalogued``: how many values nobody catalogued.
    """

    classes: frozenset[str]
    codes: frozenset[str]
    uncatalogued: int


_last: tuple[Message | None, Reading] = (None, Reading(frozenset(), frozenset(), 0))


def read(message: Message) -> Reading:
    """Read a message once."""
    global _last  # noqa: PLW0603  one tuple, replaced whole: the last message and what stands in it
    seen, found = _last
    if seen is message:
        return found
    found = message.shape and message.shape.constant("reading", _reading)
    found = found or _reading(message)
    _last = (message, found)
    return found


def _reading(message: Message) -> Reading:
    classes: set[str] = set()
    codes: set[str] = set()
    uncatalogued = 0
    for entry in message.entries:
        one, own = _read(entry)
        classes.update(one.run.kept, one.run.removed, one.run.told)
        classes.update((id_class(entry.type),) if entry.id else ())
        codes.update(own)
        uncatalogued += one.run.uncatalogued
    return Reading(frozenset(classes), frozenset(codes), uncatalogued)


def _read(entry: Entry) -> tuple[Shaped, set[str]]:
    names = Run(None)
    names.codes = set()
    one = shape(_READER, entry.resource, entry.type, names)
    return one, {f"{name_of(system) or system}|{code}" for system, code in names.codes}


def classes_present(message: Message) -> frozenset[str]:
    """Give the classes of all values of a message."""
    return read(message).classes


def codes(message: Message) -> frozenset[str]:
    """Give all coded content of a message: ``LN|8867-4``, by the system's name in HL7 v2 or its URI."""
    return read(message).codes


def counted(resource: Resource) -> Counter[str]:
    """Count the values of one resource by class, those of resources it contains among them.

    Args:
        resource: ``check`` found nothing wrong with it.
    """
    run = shape(_READER, resource, resource["resourceType"], Run(None)).run
    found = Counter((*run.kept, *run.removed, *run.told))
    if resource.get("id"):
        found[id_class(resource["resourceType"])] += 1
    return found


def without_codes(message: Message, withheld: frozenset[str], only: frozenset[str] | None = None) -> Message:
    """Give a message without the resources that hold one of some codes; nothing refers to them either.

    Args:
        withheld: as ``codes`` gives them.
        only: of resources that observe, those alone stay whose ``code`` is one of these; ``None``: all.
    """
    gone = [entry for entry in message.entries if _leaves(entry, withheld, only)]
    if not gone:
        return message
    names = {f"{entry.type}/{entry.id}" for entry in gone if entry.id} | {entry.full_url for entry in gone}
    left = tuple(
        entry if not names else entry_without(entry, names - {""})
        for entry in message.entries
        if entry not in gone
    )
    return Message(message.raw, message.request, message.body, message.bundle or "transaction", left)


def _leaves(entry: Entry, withheld: frozenset[str], only: frozenset[str] | None) -> bool:
    one, held = _read(entry)
    if held & withheld:
        return True
    observes = not OBSERVATION_CLASSES.isdisjoint((*one.run.kept, *one.run.removed))
    return only is not None and observes and not _named(entry.resource) & only


def _named(resource: Resource) -> set[str]:
    """Give the codes that say what a resource is of, those of ``Resource.code``."""
    code = resource.get("code")
    codings = code.get("coding", ()) if isinstance(code, dict) else ()
    named = ((one.get("system", ""), one["code"]) for one in codings if "code" in one)
    return {f"{name_of(system) or system}|{code}" for system, code in named}


def entry_without(entry: Entry, names: set[str]) -> Entry:
    """Give an entry whose references to some others are masked."""
    return Entry(
        _unreferred(entry.resource, names),
        entry.method,
        entry.type,
        entry.id,
        entry.full_url,
        entry.if_none_exist,
        entry.if_match,
        entry.index,
    )


def _unreferred(value: Any, names: set[str]) -> Any:
    if value.__class__ is dict:
        if value.get("reference") in names:
            return MASKED
        return {key: _unreferred(item, names) for key, item in value.items()}
    if value.__class__ is list:
        return [_unreferred(item, names) for item in value]
    return value


@dataclass(frozen=True, slots=True)
class Row:
    """One element of the catalogue.

    ``classes``: of its parts, the element's own first; of a reference, of the ids of its targets. ``lost``: see
    ``overrides.LOST``. ``source``: empty where its data type speaks alone.
    """

    kind: str
    path: str
    type: str
    classes: tuple[str, ...]
    lost: str
    source: str


_COMMON = frozenset(
    (
        *("resourceType", "id", "meta", "implicitRules", "language", "text", "contained", "extension"),
        "modifierExtension",
    )
)
"""What every type has."""


def rows() -> Iterator[Row]:
    """Give every element of every resource type, in order; what every type has is left out."""
    for kind in sorted(tables.resource_types()):
        yield from _rows(kind, elements.resource(kind), "", frozenset())


def _rows(kind: str, element: Element, above: str, seen: frozenset[tuple[str, str]]) -> Iterator[Row]:
    for key, child in elements.children(element).items():
        if key in _COMMON and (not above or key in ("id", "extension", "modifierExtension")):
            continue
        path = f"{above}{key}"
        if child.kind != "object":
            lost = child.lost if elements.may_go(child) else "gone"
            yield Row(kind, path, child.kind, classes_of(child), lost, child.source)
        elif child.within not in seen:
            yield from _rows(kind, child, f"{path}.", seen | {child.within})


def classes_of(element: Element) -> tuple[str, ...]:
    """Give the classes of the parts of an element, its own first."""
    if element.form == "observed":
        return (values.of_value(element.kind, "", known=True)[0],)
    if element.kind == "Reference":
        return tuple(dict.fromkeys(id_class(kind) for kind in element.targets)) or ("by target",)
    if element.whole or element.kind in elements.PRIMITIVES | elements.CODED | elements.QUANTITIES:
        return (element.cls,)
    if element.kind in ("Resource", "Extension"):
        return ("by type" if element.kind == "Resource" else "by URL",)
    found = [
        cls
        for key, child in elements.children(element).items()
        if key not in ("id", "extension", "modifierExtension")
        for cls in classes_of(child)
    ]
    return tuple(dict.fromkeys([element.cls, *found] if element.cls in found else found))
