"""Whether a resource is what FHIR R4 says it is: one walk over it, along the compiled definitions.

Rules:
- What no definition names is refused: nothing passes because nobody knew it.
- A mistake is told by its place and by what was expected, never by a value. A name that no definition has is told
  by its number: ``Observation.children()[3]``.
- The first mistakes are told, and no more than ``issues_max``.
- References are collected on the way: whoever asks whom a resource is about need not walk again.

Deliberately absent: profiles, terminology beyond required bindings, FHIRPath; a look at other resources.

Source: FHIR R4 4.0.1 definitions, §2.6.2 (JSON: nulls, ``_`` siblings), §2.3.0 (references), §2.4 (contained).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.fhir import tables
from oathward.protocols.fhir.limits import LIMITS, Limits
from oathward.protocols.fhir.message import Resource
from oathward.protocols.fhir.nodes import Field, Node, data_node, part_node, resource_node
from oathward.protocols.fhir.references import kind_of

At = tuple[Any, str, int]
"""(what it is in, its name, its index or -1)."""


class Issue(NamedTuple):
    """One mistake: where it is, which reason, what was expected."""

    where: str
    reason: Reason
    why: str


class Found(NamedTuple):
    """One Reference of a resource: it, the types it may point to (none: any), and where it is."""

    value: Resource
    targets: frozenset[str]
    at: At

    @property
    def path(self) -> str:
        """The element, as ``subject`` or ``participant.actor``, without indexes."""
        names, at = [], self.at
        while at[0] is not None:
            names.append(at[1])
            at = at[0]
        return ".".join(reversed(names))


class DefinitionError(DecodeError):
    """A resource that is not what the definitions say; ``issues`` has the mistakes, the first is the reason."""

    def __init__(self, issues: tuple[Issue, ...]) -> None:
        first = issues[0]
        super().__init__(first.where, first.why, reason=first.reason)
        self.issues = issues


class Report:
    """What a walk found: mistakes, and references in their order."""

    __slots__ = ("found", "issues", "limits")

    def __init__(self, limits: Limits) -> None:
        self.issues: list[Issue] = []
        self.found: list[Found] = []
        self.limits = limits

    def add(self, at: At, reason: Reason, why: str) -> None:
        """Note a mistake, while there is room."""
        if len(self.issues) < self.limits.issues_max:
            self.issues.append(Issue(place(at), reason, why))

    def refuse(self) -> None:
        """Raise what was noted.

        Raises:
            DefinitionError: there is a mistake.
        """
        if self.issues:
            raise DefinitionError(tuple(self.issues))


def check(value: Any, limits: Limits = LIMITS, root: At | None = None, part: str = "") -> Report:
    """Check one resource of any type, or one part of one.

    Args:
        value: as ``json.loads`` read it.
        root: where it stands; its own type if nowhere.
        part: a backbone element such as ``Bundle.entry``; empty for a resource.
    """
    report = Report(limits)
    if part:
        _walk(part_node(part), value, root or (None, part, -1), 1, report)
        return report
    kind = value.get("resourceType") if value.__class__ is dict else None
    node = resource_node(kind) if kind.__class__ is str else None
    if node is None:
        at = root or (None, "resource", -1)
        report.add((at, "resourceType", -1), Reason.TYPE_UNKNOWN, "a resource type of FHIR R4")
        return report
    _walk(node, value, root or (None, node.name, -1), 1, report)
    return report


def check_but(value: Resource, name: str, limits: Limits = LIMITS) -> Report:
    """Check a resource without one of its elements, whose parts are checked one by one."""
    return check({key: item for key, item in value.items() if key != name}, limits)


def place(at: At) -> str:
    """Write where something is: ``Observation.component[1].valueQuantity``."""
    words: list[str] = []
    link: At | None = at
    while link is not None:
        outer, name, index = link
        words.append(name if index < 0 else f"{name}[{index}]")
        link = outer
    return ".".join(reversed(words))


def _walk(node: Node, value: Any, at: At, depth: int, report: Report) -> None:
    """Check one object, and what is in it."""
    if value.__class__ is not dict:
        report.add(at, Reason.ELEMENT_TYPE, "an object")
        return
    if depth > report.limits.depth_max:
        report.add(at, Reason.LIMIT_EXCEEDED, f"at most {report.limits.depth_max} objects within objects")
        return
    if len(value) < 2 and (not value or "id" in value):
        report.add(at, Reason.RULE_BROKEN, "an object with something in it (ele-1)")
    get = node.fields.get
    taken: dict[str, str] | None = None
    for key, item in value.items():
        field = get(key)
        if field is None:
            _stranger(node, value, key, at, depth, report)
            continue
        many, classes, test, child, group, targets, systems, _, _ = field
        if group:
            taken = taken or {}
            if taken.setdefault(group, key) != key:
                report.add((at, key, -1), Reason.ELEMENT_REPEATED, f"one {group}, not two")
        if many:
            _array(field, value, key, at, depth, report)
        elif child is None:
            if item.__class__ not in classes or (test is not None and not test(item)):
                _wrong(field, item, (at, key, -1), report)
        else:
            inner = (at, key, -1)
            _walk(child if not child.any else _named(item, inner, report), item, inner, depth + 1, report)
            if targets is not None:
                _reference(item, targets, inner, report)
            if systems is not None:
                _bound(item, systems, inner, report)
    for name in node.required:
        if name not in value and f"_{name}" not in value:
            report.add((at, name, -1), Reason.ELEMENT_MISSING, "this element")
    for group, names in node.required_choices:
        if not any(name in value or f"_{name}" in value for name in names):
            report.add((at, group, -1), Reason.ELEMENT_MISSING, "this element")
    if not report.issues:
        for rule in node.rules:
            if not rule.holds(value):
                report.add(at, Reason.RULE_BROKEN, f"{rule.why} ({rule.name})")
        if node.resource and "contained" in value:
            _contained(value, at, report)


def _array(field: Field, value: Resource, key: str, at: At, depth: int, report: Report) -> None:
    """Check an element that may stand several times."""
    items, child = value[key], field.node
    if items.__class__ is not list:
        report.add((at, key, -1), Reason.ELEMENT_TYPE, "an array")
        return
    if not items:
        report.add((at, key, -1), Reason.ELEMENT_TYPE, "an array with something in it")
    if child is None:
        classes, test = field.classes, field.test
        for i, item in enumerate(items):
            if item.__class__ not in classes or (test is not None and not test(item)):
                if item is None and _beside(value.get(f"_{key}"), i) is not None:
                    continue
                _wrong(field, item, (at, key, i), report)
        return
    targets, systems = field.targets, field.systems
    for i, item in enumerate(items):
        inner = (at, key, i)
        _walk(child if not child.any else _named(item, inner, report), item, inner, depth + 1, report)
        if targets is not None:
            _reference(item, targets, inner, report)
        if systems is not None:
            _bound(item, systems, inner, report)


def _beside(items: Any, i: int) -> Any:
    return items[i] if items.__class__ is list and i < len(items) else None


_NOTHING = Node("?")


def _named(item: Any, at: At, report: Report) -> Node:
    """Give the node of a resource within another."""
    kind = item.get("resourceType") if item.__class__ is dict else None
    node = resource_node(kind) if kind.__class__ is str else None
    if node is None:
        report.add((at, "resourceType", -1), Reason.TYPE_UNKNOWN, "a resource type of FHIR R4")
        return _NOTHING
    return node


def _stranger(node: Node, value: Resource, key: str, at: At, depth: int, report: Report) -> None:
    """Check what is no element: the sibling of a primitive that holds its id and extensions, or a mistake."""
    if node is _NOTHING:
        return
    field = node.fields.get(key[1:]) if key[:1] == "_" else None
    if field is None or field.node is not None or key == "_resourceType":
        known = key in tables.element_names()
        name = key if known else f"children()[{list(value).index(key)}]"
        why = "no such element here" if known else "no element that FHIR R4 does not have"
        report.add((at, name, -1), Reason.ELEMENT_UNKNOWN, why)
        return
    item, inner, element = value[key], (at, key, -1), data_node("Element")
    if not field.many:
        if field.group and any(
            f.group == field.group and n in value for n, f in node.fields.items() if n != key[1:]
        ):
            report.add(inner, Reason.ELEMENT_REPEATED, f"one {field.group}, not two")
        _walk(element, item, inner, depth + 1, report)
        return
    if item.__class__ is not list or not item:
        report.add(inner, Reason.ELEMENT_TYPE, "an array with something in it")
        return
    values = value.get(key[1:])
    if values.__class__ is list and len(values) != len(item):
        report.add(inner, Reason.ELEMENT_TYPE, "as many as there are values, null where there is nothing")
    for i, each in enumerate(item):
        if each is not None:
            _walk(element, each, (at, key, i), depth + 1, report)
        elif _beside(values, i) is None:
            report.add((at, key, i), Reason.ELEMENT_TYPE, "a value or an extension, not null beside null")


def _wrong(field: Field, item: Any, at: At, report: Report) -> None:
    """Say what is wrong with a primitive."""
    if item.__class__ not in field.classes:
        what = "one value, not several" if item.__class__ is list else f"a {field.kind}"
        report.add(at, Reason.ELEMENT_TYPE, what)
    elif field.coded:
        report.add(at, Reason.CODE_NOT_ALLOWED, "a code of its required value set")
    else:
        report.add(at, Reason.VALUE_INVALID, f"the form of a {field.kind}")


def _reference(value: Any, targets: frozenset[str], at: At, report: Report) -> None:
    """Check and collect a Reference."""
    if value.__class__ is not dict:
        return
    report.found.append(Found(value, targets, at))
    text, kind = value.get("reference"), value.get("type")
    if text.__class__ is str:
        kind_said = kind_of(text)
        if kind_said is None:
            report.add((at, "reference", -1), Reason.VALUE_INVALID, "Type/id, #id or an absolute address")
        elif kind_said and targets and kind_said not in targets:
            allowed = " or ".join(sorted(targets))
            report.add((at, "reference", -1), Reason.TARGET_NOT_ALLOWED, f"a reference to {allowed}")
        elif kind_said and kind in tables.resource_types() and kind != kind_said:
            report.add((at, "type", -1), Reason.TARGET_NOT_ALLOWED, "the type that the reference has")
    if kind.__class__ is str and targets and kind in tables.resource_types() and kind not in targets:
        allowed = " or ".join(sorted(targets))
        report.add((at, "type", -1), Reason.TARGET_NOT_ALLOWED, f"a reference to {allowed}")


def _bound(value: Any, systems: dict[str, frozenset[str]], at: At, report: Report) -> None:
    """Check the required binding of a CodeableConcept or Coding: text alone is allowed, another code is not."""
    if value.__class__ is not dict:
        return
    codings = value.get("coding", ()) if "system" not in value and "code" not in value else (value,)
    if codings.__class__ is not list and codings.__class__ is not tuple:
        return
    said = [c for c in codings if c.__class__ is dict and "code" in c]
    if said and not any(
        c["code"].__class__ is str and c["code"] in systems.get(str(c.get("system")), ()) for c in said
    ):
        report.add(at, Reason.CODE_NOT_ALLOWED, "a code of its required value set")


def _contained(value: Resource, at: At, report: Report) -> None:
    """Check resources within a resource: dom-2 to dom-5, their ids."""
    ids = set()
    for i, inner in enumerate(value["contained"]):
        where = (at, "contained", i)
        meta = inner.get("meta", {})
        if "contained" in inner:
            report.add(where, Reason.RULE_BROKEN, "no contained resources in a contained resource (dom-2)")
        if "versionId" in meta or "lastUpdated" in meta:
            report.add(where, Reason.RULE_BROKEN, "no version of its own (dom-4)")
        if "security" in meta:
            report.add(where, Reason.RULE_BROKEN, "no security label of its own (dom-5)")
        if "id" not in inner:
            report.add((where, "id", -1), Reason.ELEMENT_MISSING, "an id to refer to")
        elif inner["id"] in ids:
            report.add((where, "id", -1), Reason.RULE_BROKEN, "an id of its own")
        ids.add(inner.get("id"))
