"""Whether a resource is what FHIR R4 says it is: one walk over it, along the compiled definitions.

Rules:
- What no definition names is refused: nothing passes because nobody knew it.
- A mistake is told by its place and by what was expected, never by a value. A name that no definition has is told
  by its number: ``Observation.children()[3]``.
- The first mistakes are told, and no more than ``issues_max``. Invariants are asked where the types are right.
- References are collected on the way: whoever asks whom a resource is about need not walk again.

Deliberately absent: profiles, terminology beyond required bindings, FHIRPath; a look at other resources.

Source: FHIR R4 4.0.1 definitions, R5 §6.2 (``CONSENT_OF_R5``), R4 §2.6.2 (JSON: nulls, ``_`` siblings), §2.3.0 (references).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.fhir import tables
from oathward.protocols.fhir.contained import contained
from oathward.protocols.fhir.limits import LIMITS, Limits
from oathward.protocols.fhir.message import Resource
from oathward.protocols.fhir.nodes import NOTHING, Field, Node, Systems, data_node, part_node, resource_node
from oathward.protocols.fhir.references import kind_of
from oathward.protocols.fhir.rules import Rule

SETTLED_MAX = 256
"""Sets of keys that are remembered of one type."""

At = tuple[Any, str, int]
"""(what it is in, its name, its index or -1)."""


CONSENT_OF_R5 = frozenset(
    (
        "subject", "date", "period", "grantor", "grantee", "manager", "controller", "regulatoryBasis", "policyBasis",
        "policyText", "decision",
    )
)  # fmt: skip
"""Elements that R5's Consent has and R4's has not: whoever sends one hears which edition is read here."""


class Issue(NamedTuple):
    """One mistake: where it is, which reason, what was expected."""

    where: str
    reason: Reason
    why: str


class Found(NamedTuple):
    """One Reference of a resource.

    Args:
        value: it.
        targets: types it may point to; none for any.
        kind: the type that its literal reference names; empty for none.
        at: where it is.
    """

    value: Resource
    targets: frozenset[str]
    kind: str
    at: At

    @property
    def path(self) -> str:
        """The element, as ``subject`` or ``participant.actor``, without indexes."""
        names, at = [], self.at
        while at[0] is not None and at[1] != "resource":
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
    """What a walk found: mistakes, and references in their order.

    ``inner``: whether some reference is to a contained resource.
    """

    __slots__ = ("depth_max", "found", "inner", "issues", "issues_max")

    def __init__(self, limits: Limits) -> None:
        self.issues: list[Issue] = []
        self.found: list[Found] = []
        self.inner = False
        self.depth_max, self.issues_max = limits.depth_max, limits.issues_max

    @property
    def full(self) -> bool:
        """Say whether there is no room for another mistake."""
        return len(self.issues) >= self.issues_max

    def add(self, at: At, reason: Reason, why: str) -> None:
        """Note a mistake, while there is room."""
        if not self.full:
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
    at = root or (None, kind if kind.__class__ is str and kind in tables.resource_types() else "resource", -1)
    _walk(_named(value, at, report), value, at, 1, report)
    return report


def check_as(node: Node, value: Any, at: At, limits: Limits = LIMITS) -> Report:
    """Check a part of a resource as what the definitions have there."""
    report = Report(limits)
    _walk(node, value, at, 1, report)
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
    """Check one object, and what is in it. Every object of every message comes by: it does nothing twice."""
    if value.__class__ is not dict or depth > report.depth_max or node is NOTHING:
        _unfit(node, value, at, report)
        return
    first = len(report.found)
    plain, fields = node.plain, node.fields
    for key, item in value.items():
        test = plain.get(key)
        if test is not None:
            try:
                if test(item):
                    continue
            except TypeError:
                pass
            _wrong(fields[key], item, (at, key, -1), report)
        elif (field := fields.get(key)) is None:
            _stranger(node, value, key, at, depth, report)
        elif field.many:
            _array(field, value, key, at, depth, report)
        elif field.direct is not None:
            _walk(field.direct, item, (at, key, -1), depth + 1, report)
        else:
            _complex(field, item, (at, key, -1), depth, report)
    if node.exacting or len(value) < 2:
        _complete(node, value, at, first, report)


def _unfit(node: Node, value: Any, at: At, report: Report) -> None:
    """Say why something is not looked into."""
    if value.__class__ is not dict:
        report.add(at, Reason.ELEMENT_TYPE, "an object")
    elif node is not NOTHING:
        report.add(at, Reason.LIMIT_EXCEEDED, f"at most {report.depth_max} objects within objects")


def _complete(node: Node, value: Resource, at: At, first: int, report: Report) -> None:
    """Check an object as a whole: what must stand, what may stand once, what goes together."""
    keys = tuple(value)
    left = node.settled.get(keys)
    if left is not None:
        if left or node.resource:
            _ask_rules(node, left, value, at, first, report)
        return
    if len(value) < 2 and (not value or "id" in value):
        report.add(at, Reason.RULE_BROKEN, "an object with something in it (ele-1)")
    for name in node.required:
        if name not in value and f"_{name}" not in value:
            report.add((at, name, -1), Reason.ELEMENT_MISSING, "this element")
    for name, names, needed in node.choices:
        chosen = names.intersection(value)
        if len(chosen) > 1 and len({key.lstrip("_") for key in chosen}) > 1:
            report.add((at, name, -1), Reason.ELEMENT_REPEATED, f"one {name}, not two")
        elif needed and not chosen:
            report.add((at, name, -1), Reason.ELEMENT_MISSING, "this element")
    _ask_rules(node, node.rules, value, at, first, report)
    # Without a mistake no key is a stranger: what is remembered is names of the definitions, and no more than some.
    if not report.issues and len(node.settled) < SETTLED_MAX:
        node.settled[keys] = tuple(rule for rule in node.rules if not rule.keyed)


def _ask_rules(
    node: Node, rules: tuple[Rule, ...], value: Resource, at: At, first: int, report: Report
) -> None:
    """Check what goes together, of an object whose elements have the right types."""
    if report.issues:
        return
    for rule in rules:
        if not rule.holds(value):
            report.add(at, Reason.RULE_BROKEN, f"{rule.why} ({rule.name})")
    if node.resource and at[1] != "contained" and (report.inner or "contained" in value):
        for inner, why in contained(value, [(place(f.at), f.value) for f in report.found[first:]]):
            if not report.full:
                report.issues.append(Issue(inner or place(at), Reason.RULE_BROKEN, why))


def _array(field: Field, value: Resource, key: str, at: At, depth: int, report: Report) -> None:
    """Check an element that may stand several times."""
    items = value[key]
    if items.__class__ is not list or not items:
        report.add((at, key, -1), Reason.ELEMENT_TYPE, "an array with something in it")
    elif (direct := field.direct) is not None:
        for i, item in enumerate(items):
            _walk(direct, item, (at, key, i), depth + 1, report)
    elif field.node is not None:
        for i, item in enumerate(items):
            _complex(field, item, (at, key, i), depth, report)
    else:
        beside = value.get(f"_{key}")
        for i, item in enumerate(items):
            if item is not None or _beside(beside, i) is None:
                _primitive(field, item, (at, key, i), report)


def _complex(field: Field, item: Any, at: At, depth: int, report: Report) -> None:
    node = field.node
    if node is None:
        _primitive(field, item, at, report)
        return
    _walk(_named(item, at, report) if node.any else node, item, at, depth + 1, report)
    if field.targets is not None:
        _reference(item, field.targets, at, report)
    elif field.systems is not None:
        _bound(item, field.systems, at, report)


def _primitive(field: Field, item: Any, at: At, report: Report) -> None:
    try:
        if field.test(item):
            return
    except TypeError:
        pass
    _wrong(field, item, at, report)


def _beside(items: Any, i: int) -> Any:
    return items[i] if items.__class__ is list and i < len(items) else None


def _named(item: Any, at: At, report: Report) -> Node:
    """Give the node of a resource that says itself which one it is."""
    kind = item.get("resourceType") if item.__class__ is dict else None
    node = resource_node(kind) if kind.__class__ is str else None
    if node is None:
        report.add((at, "resourceType", -1), Reason.TYPE_UNKNOWN, "a resource type of FHIR R4")
        return NOTHING
    return node


def _stranger(node: Node, value: Resource, key: str, at: At, depth: int, report: Report) -> None:
    """Check what is no element: the sibling of a primitive that holds its id and extensions, or a mistake."""
    field = node.fields.get(key[1:]) if key[:1] == "_" and key != "_resourceType" else None
    if field is None or field.node is not None:
        if report.full:  # to number a name takes longer the more there are
            return
        if key in CONSENT_OF_R5 and node is resource_node("Consent"):
            report.add((at, key, -1), Reason.EDITION_OTHER, "FHIR R4; this is of R5's Consent")
            return
        known = key in tables.element_names()
        name = key if known else f"children()[{list(value).index(key)}]"
        why = "no such element here" if known else "no element that FHIR R4 does not have"
        report.add((at, name, -1), Reason.ELEMENT_UNKNOWN, why)
        return
    item, inner, values = value[key], (at, key, -1), value.get(key[1:])
    if not field.many:
        _sibling(item, values, inner, depth, report)
        return
    if item.__class__ is not list or not item:
        report.add(inner, Reason.ELEMENT_TYPE, "an array with something in it")
        return
    if values.__class__ is list and len(values) != len(item):
        report.add(inner, Reason.ELEMENT_TYPE, "as many as there are values, null where there is nothing")
    for i, each in enumerate(item):
        if each is not None:
            _sibling(each, _beside(values, i), (at, key, i), depth, report)
        elif _beside(values, i) is None:
            report.add((at, key, i), Reason.ELEMENT_TYPE, "a value or an extension, not null beside null")


def _sibling(item: Any, value: Any, at: At, depth: int, report: Report) -> None:
    """Check what a primitive has beside its value: beside one, an id alone is something (ele-1)."""
    alone = item.__class__ is dict and len(item) == 1 and item.get("id").__class__ is str
    if not (alone and item["id"] and value is not None):
        _walk(data_node("Element"), item, at, depth + 1, report)


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
    text, kind = value.get("reference"), ""
    if text.__class__ is str:
        said = kind_of(text)
        if said is None:
            report.add((at, "reference", -1), Reason.VALUE_INVALID, "Type/id, #id or an absolute address")
        kind = said or ""
        report.inner = report.inner or text[:1] == "#"
        if kind and targets and kind not in targets:
            _off_target(at, "reference", targets, report)
    report.found.append(Found(value, targets, kind, at))
    declared = value.get("type")
    if declared is not None and declared.__class__ is str and declared in tables.resource_types():
        if kind and declared != kind:
            report.add((at, "type", -1), Reason.TARGET_NOT_ALLOWED, "the type that the reference has")
        elif targets and declared not in targets:
            _off_target(at, "type", targets, report)


def _off_target(at: At, name: str, targets: frozenset[str], report: Report) -> None:
    allowed = " or ".join(sorted(targets))
    report.add((at, name, -1), Reason.TARGET_NOT_ALLOWED, f"a reference to {allowed}")


def _bound(value: Any, systems: Systems, at: At, report: Report) -> None:
    """Check the required binding of a CodeableConcept: text alone is allowed, only other codes are not."""
    codings = value.get("coding") if value.__class__ is dict else None
    if codings.__class__ is not list or report.issues:
        return
    coded = [coding for coding in codings if "code" in coding]
    if coded and not any(coding["code"] in systems.get(coding.get("system", ""), ()) for coding in coded):
        report.add(at, Reason.CODE_NOT_ALLOWED, "a code of its required value set")
