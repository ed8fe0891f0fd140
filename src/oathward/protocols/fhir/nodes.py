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

from functools import cache
from typing import NamedTuple

from oathward.protocols.fhir import tables
from oathward.protocols.fhir.primitives import FORMS, Test
from oathward.protocols.fhir.rules import RULES, Rule

NO_TARGETS: frozenset[str] = frozenset()

Systems = dict[str, frozenset[str]]


class Node:
    """What an object of one type or backbone element may hold.

    ``required``: names that must stand. ``required_choices``: (name of the choice, its JSON names).
    ``resource``: whether it is a whole resource. ``any``: a resource that says itself which one it is.
    """

    __slots__ = ("any", "fields", "name", "required", "required_choices", "resource", "rules")

    def __init__(self, name: str) -> None:
        self.name = name
        self.fields: dict[str, Field] = {}
        self.required: tuple[str, ...] = ()
        self.required_choices: tuple[tuple[str, tuple[str, ...]], ...] = ()
        self.rules: tuple[Rule, ...] = ()
        self.resource = self.any = False


class Field(NamedTuple):
    """One JSON name of a node.

    Args:
        many: an array.
        classes: JSON types of a primitive.
        test: form or codes of a primitive; None where the JSON type says all.
        node: of a complex type; None for a primitive.
        group: name of the choice it belongs to; empty for none.
        targets: of a Reference: resource types it may point to, none for any; None for another type.
        systems: of a CodeableConcept or Coding: what its required binding takes; None for no such binding.
        kind: its type, as the definitions name it.
        coded: whether ``test`` looks for one of some codes.
    """

    many: bool
    classes: tuple[type, ...]
    test: Test | None
    node: Node | None
    group: str
    targets: frozenset[str] | None
    systems: Systems | None
    kind: str
    coded: bool


ANY = Node("Resource")
ANY.any = True


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
        node.fields, node.rules = plain.fields, (*plain.rules, *RULES[name])
    return nodes


def _compile(kind: str, nodes: dict[str, Node]) -> Node:
    """Compile one type: its ancestors' elements, then its own, backbones within."""
    root = nodes.get(kind) or Node(kind)
    inside = {"": root}
    rows = [(*_inherited(kind), *tables.elements_of(kind))]
    root.resource = kind in tables.resource_types()
    if root.resource:
        same = kind.__eq__
        root.fields["resourceType"] = Field(False, (str,), same, None, "", None, None, "code", True)
    for row in rows[0]:
        if any(word in ("Element", "BackboneElement") for word in row.kinds) and row.path not in inside:
            inside[row.path] = _backbone(f"{kind}.{row.path}", row.kinds[0], nodes)
    for row in rows[0]:
        parent, _, name = row.path.rpartition(".")
        _add(inside[parent], row._replace(path=name), inside, nodes, f"{kind}.{row.path}")
    for node in inside.values():
        node.rules = (*RULES.get(node.name, ()), *node.rules)
    return root


def _inherited(kind: str) -> list[tables.Row]:
    rows: list[tables.Row] = []
    base = tables.base_of(kind)
    while base != "-":
        rows = [*tables.elements_of(base), *rows] if base in tables.ANCESTORS else rows
        base = tables.base_of(base)
    return list({row.path: row for row in rows}.values())


def _backbone(name: str, base: str, nodes: dict[str, Node]) -> Node:
    node = Node(name)
    for row in (*_inherited(base), *tables.elements_of(base)):
        _add(node, row, {}, nodes, name)
    return node


def _add(node: Node, row: tables.Row, inside: dict[str, Node], nodes: dict[str, Node], path: str) -> None:
    """Add the field or fields of one element to its node."""
    if row.count == "0":
        return
    many, name = row.count in "*+", row.path
    names = []
    for kind in row.kinds:
        plain, _, targets = kind.partition("(")
        full = name.removesuffix("[x]")
        if name.endswith("[x]"):
            said = "Quantity" if plain.endswith("Quantity") else plain
            full += said[0].upper() + said[1:]
        names.append(full)
        child = _child(plain, path, inside, nodes)
        only = frozenset(targets.rstrip(")").split("|")) if targets else NO_TARGETS
        field = Field(
            many, *_form(node, name, plain, row.codes), child, name if name.endswith("[x]") else "",
            only if plain == "Reference" else None, _systems(plain, row.codes), plain,
            plain in FORMS and _listed(row.codes),
        )  # fmt: skip
        node.fields[full] = field
    if row.count in "1+":
        if name.endswith("[x]"):
            node.required_choices += ((name, tuple(names)),)
        else:
            node.required += (name,)


def _child(kind: str, path: str, inside: dict[str, Node], nodes: dict[str, Node]) -> Node | None:
    if kind in FORMS:
        return None
    if kind == "Resource":
        return ANY
    if kind.startswith("#"):
        return inside[kind.partition(".")[2]]
    if kind in ("Element", "BackboneElement"):
        return inside[path.partition(".")[2]]
    return nodes[kind] if nodes else data_node(kind)


def _form(node: Node, name: str, kind: str, codes: str) -> tuple[tuple[type, ...], Test | None]:
    if kind not in FORMS:
        return (dict,), None
    if name == "id" and node.resource:
        return FORMS["id"]
    if _listed(codes):
        return (str,), tables.codes_of(codes).__contains__
    return FORMS[kind]


def _listed(codes: str) -> bool:
    return bool(codes and tables.codes_of(codes))


def _systems(kind: str, codes: str) -> Systems | None:
    return tables.systems_of(codes) if kind in ("CodeableConcept", "Coding") and _listed(codes) else None
