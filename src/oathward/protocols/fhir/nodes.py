"""The definitions, compiled: for each type a ``Node`` with its fields by JSON name.

Rules:
- A choice ``value[x]`` becomes one field for each type, of one group: only one of a group may stand.
- What refers to another element's content (``#Questionnaire.item``) is that element's own node.
- Data types are compiled together when the first is asked for; a resource type when it is first asked for.
- A binding whose codes nobody lists (MIME types, currencies, UCUM) asks for a code, whichever.

Deliberately absent: a look at a resource (``check``).

Source: FHIR R4 4.0.1 definitions; §2.6.2 (names in JSON).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import NamedTuple

from oathward.protocols.fhir import tables
from oathward.protocols.fhir.primitives import FORMS, Test
from oathward.protocols.fhir.rules import RULES, Rule

NO_TARGETS: frozenset[str] = frozenset()

_BACKBONES = ("Element", "BackboneElement")

Systems = dict[str, frozenset[str]]


class Node:
    """What an object of one type or backbone element may hold.

    ``plain``: of its fields the single primitives that belong to no choice, by their test.
    ``settled``: keys that an object without a mistake had -> the rules that ask for its values, which are all that is left to ask
    of another with the same. ``required``: names that must stand. ``choices``: (name, its JSON names and their siblings, whether it must stand).
    ``exacting``: whether it asks for anything as a whole. ``resource``: whether it is a whole resource.
    ``any``: a resource that says itself which one it is.
    """

    __slots__ = (
        *(
            "any",
            "choices",
            "exacting",
            "fields",
            "name",
            "plain",
            "required",
            "resource",
            "rules",
            "settled",
        ),
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.fields: dict[str, Field] = {}
        self.plain: dict[str, Test] = {}
        self.required: tuple[str, ...] = ()
        self.choices: tuple[tuple[str, frozenset[str], bool], ...] = ()
        self.rules: tuple[Rule, ...] = ()
        self.settled: dict[tuple[str, ...], tuple[Rule, ...]] = {}
        self.resource = self.any = self.exacting = False


class Field(NamedTuple):
    """One JSON name of a node.

    Args:
        many: an array.
        node: of a complex type; None for a primitive.
        test: form or codes of a primitive; it may raise TypeError.
        targets: of a Reference: resource types it may point to, none for any; None for another type.
        systems: of a CodeableConcept: what its required binding takes; None for no such binding.
        classes: JSON types of a primitive.
        kind: its type, as the definitions name it.
        coded: whether ``test`` looks for one of some codes.
        direct: its node, where nothing is asked of it but what that says.
    """

    many: bool
    node: Node | None
    test: Test
    targets: frozenset[str] | None = None
    systems: Systems | None = None
    classes: tuple[type, ...] = (dict,)
    kind: str = ""
    coded: bool = False
    direct: Node | None = None


ANY = Node("Resource")
ANY.any = True
NOTHING = Node("")
"""Stands for a type that there is not: what has it is not looked into."""


def resource_node(kind: str) -> Node | None:
    """Give the node of a resource type; None for a type that R4 does not have."""
    return _resource(kind) if kind in tables.resource_types() else None


@cache
def part_node(path: str) -> Node:
    """Give the node of a backbone element, such as ``Bundle.entry``."""
    kind, *names = path.split(".")
    node = _resource(kind)
    for name in names:
        inner = node.fields[name].node
        assert inner is not None, path
        node = inner
    return node


@cache
def _resource(kind: str) -> Node:
    return _compile(kind, {})


@cache
def data_node(kind: str) -> Node:
    """Give the node of a complex data type, ``Element`` and ``BackboneElement`` among them.

    Raises:
        KeyError: no such type.
    """
    return _data_nodes()[kind]


@cache
def _data_nodes() -> dict[str, Node]:
    kinds = ("Element", "BackboneElement", *sorted(tables.data_types()))
    nodes = {kind: Node(kind) for kind in kinds}
    nodes |= {name: Node(name) for name in ("SimpleQuantity", "MoneyQuantity")}
    for kind in kinds:
        _compile(kind, nodes)
    for name in ("SimpleQuantity", "MoneyQuantity"):
        node, plain = nodes[name], nodes["Quantity"]
        node.fields, node.plain, node.exacting = plain.fields, plain.plain, True
        node.rules = (*plain.rules, *RULES[name])
    return nodes


def _compile(kind: str, nodes: dict[str, Node]) -> Node:
    """Compile one type: its ancestors' elements, then its own, backbone elements within."""
    root = nodes.get(kind) or Node(kind)
    inside = {"": root}
    rows = (*_inherited(kind), *tables.elements_of(kind))
    root.resource = kind in tables.resource_types()
    if root.resource:
        root.fields["resourceType"] = Field(False, None, kind.__eq__, classes=(str,), kind="code", coded=True)
    for row in rows:
        if row.kinds[0] in _BACKBONES:
            inside[row.path] = Node(f"{kind}.{row.path}")
            for own in (*_inherited(row.kinds[0]), *tables.elements_of(row.kinds[0])):
                _add(inside[row.path], own, {}, nodes, "")
    for row in rows:
        parent, _, name = row.path.rpartition(".")
        _add(inside[parent], replace(row, path=name), inside, nodes, row.path)
    for node in inside.values():
        _finish(node)
    return root


def _finish(node: Node) -> None:
    node.rules = RULES.get(node.name, ())
    grouped = {name for _, names, _ in node.choices for name in names}
    node.plain = {
        name: field.test
        for name, field in node.fields.items()
        if field.node is None and not field.many and name not in grouped
    }
    node.exacting = bool(node.rules or node.required or node.choices or node.resource)


def _inherited(kind: str) -> list[tables.Row]:
    """Give what a type has from its ancestors; of two elements with one name the nearer ancestor's."""
    rows: dict[str, tables.Row] = {}
    base = tables.base_of(kind)
    while base != "-":
        if base in tables.ANCESTORS:
            rows = {row.path: row for row in tables.elements_of(base)} | rows
        base = tables.base_of(base)
    return list(rows.values())


def _add(node: Node, row: tables.Row, inside: dict[str, Node], nodes: dict[str, Node], path: str) -> None:
    """Add the field of one element to its node, or the fields of a choice."""
    if row.count == "0":
        return
    many, stem = row.count in "*+", row.path.removesuffix("[x]")
    choice, needed = stem != row.path, row.count in "1+"
    names = []
    for kind in row.kinds:
        plain, _, targets = kind.partition("(")
        said = "Quantity" if plain.endswith("Quantity") else plain
        names.append(f"{stem}{said[0].upper()}{said[1:]}" if choice else stem)
        child = _child(plain, path, inside, nodes)
        only = frozenset(targets.rstrip(")").split("|")) if targets else NO_TARGETS
        field = _form(node, stem, plain, row.codes) if child is None else Field(False, child, _never)
        systems = _systems(plain, row.codes)
        node.fields[names[-1]] = field._replace(
            many=many,
            kind=plain,
            targets=only if plain == "Reference" else None,
            systems=systems,
            direct=None if child is ANY or plain == "Reference" or systems is not None else child,
        )
    if choice:
        both = frozenset((*names, *(f"_{name}" for name in names)))
        node.choices += ((row.path, both, needed),)
    elif needed:
        node.required += (stem,)


def _child(kind: str, path: str, inside: dict[str, Node], nodes: dict[str, Node]) -> Node | None:
    """Give the node of an element's type; None for a primitive."""
    if kind in FORMS:
        return None
    if kind in _BACKBONES:
        return inside[path]
    if kind == "Resource":
        return ANY
    if kind.startswith("#"):
        return inside[kind.partition(".")[2]]
    return nodes[kind] if nodes else data_node(kind)


def _form(node: Node, name: str, kind: str, codes: str) -> Field:
    if name == "id" and node.resource:
        kind = "id"
    classes, test = FORMS[kind]
    if _listed(codes):
        return Field(False, None, tables.codes_of(codes).__contains__, classes=classes, coded=True)
    return Field(False, None, test, classes=classes)


def _never(_: object) -> bool:
    return False


def _listed(codes: str) -> bool:
    return bool(codes and tables.codes_of(codes))


def _systems(kind: str, codes: str) -> Systems | None:
    return tables.systems_of(codes) if kind == "CodeableConcept" and _listed(codes) else None
