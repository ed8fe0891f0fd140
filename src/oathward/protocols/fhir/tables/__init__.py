"""The tables of FHIR R4 4.0.1: elements of types, codes of required bindings, who a resource is about.

Rules:
- ``elements.tsv``, ``codes.tsv`` and ``compartment.tsv`` are facts, written by ``scripts/fhir_tables.py``;
  ``reviewed.tsv`` is our own judgement, written by hand, with a source on every row.
- A file is read when it is first asked for, and a type is taken apart when it is first asked for.

Deliberately absent: names, definitions, search parameters, profiles.

Source: FHIR R4 4.0.1 definitions (CC0).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple

ANCESTORS = ("Element", "BackboneElement", "Resource", "DomainResource")
"""Types that others only inherit from."""


@dataclass(frozen=True, slots=True)
class Row:
    """One element of a type.

    Args:
        path: below the type: ``component.value[x]``.
        count: ``?`` (0..1), ``1``, ``*`` (0..n), ``+`` (1..n), ``0`` (withdrawn by this type).
        kinds: its types: ``("Quantity", "string")``, ``("Reference(Group|Patient)",)``, ``("#Bundle.link",)``.
        codes: required value set; empty for none.
    """

    path: str
    count: str
    kinds: tuple[str, ...]
    codes: str


def text(name: str) -> str:
    """Give one table as it is."""
    return (files(__package__) / name).read_text("utf-8")


def rows(name: str) -> Iterator[list[str]]:
    """Give the rows of one table, comments left out."""
    for line in text(name).splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


@cache
def _blocks() -> dict[str, tuple[str, str]]:
    """Map type to its base and its rows, not yet taken apart."""
    found = {}
    for block in text("elements.tsv").split("\n= ")[1:]:
        head, _, body = block.partition("\n")
        kind, _, base = head.partition(" ")
        found[kind] = base, body
    return found


def base_of(kind: str) -> str:
    """Give what a type inherits from; ``-`` for nothing.

    Raises:
        KeyError: no such type.
    """
    return _blocks()[kind][0]


@cache
def elements_of(kind: str) -> tuple[Row, ...]:
    """Give a type's own elements, in their order; what it inherits stands with its base.

    Raises:
        KeyError: no such type.
    """
    found = []
    for line in _blocks()[kind][1].splitlines():
        path, count, kinds, *codes = line.split("\t")
        found.append(Row(path, count, tuple(kinds.split(" ")), codes[0] if codes else ""))
    return tuple(found)


@cache
def element_names() -> frozenset[str]:
    """Give every name that some element of some type has in JSON, choices with their types aside.

    What is in here says nothing about anybody: an error may repeat it.
    """
    every = (line for _, body in _blocks().values() for line in body.splitlines())
    names = (line.partition("\t")[0].rpartition(".")[2] for line in every)
    return frozenset(name.removesuffix("[x]") for name in names) | {"resourceType"}


@cache
def resource_types() -> frozenset[str]:
    """Give the names of all resource types that there can be one of."""
    resources = ("Resource", "DomainResource")
    return frozenset(kind for kind, (base, _) in _blocks().items() if base in resources) - {*resources}


@cache
def data_types() -> frozenset[str]:
    """Give the names of all complex data types."""
    return frozenset(_blocks()) - resource_types() - frozenset(ANCESTORS)


@cache
def _value_sets() -> dict[str, dict[str, frozenset[str]]]:
    found: dict[str, dict[str, frozenset[str]]] = {}
    for name, system, *codes in rows("codes.tsv"):
        found.setdefault(name, {})[system] = frozenset(codes[0].split(" ") if codes else ())
    return found


def systems_of(value_set: str) -> dict[str, frozenset[str]]:
    """Map code system to the codes that a required value set takes from it; no codes where nobody lists them."""
    return _value_sets()[value_set]


@cache
def codes_of(value_set: str) -> frozenset[str]:
    """Give all codes of a required value set; none where nobody lists them."""
    return frozenset().union(*systems_of(value_set).values())


class Subjects(NamedTuple):
    """Where a resource type refers to patients.

    Args:
        main: elements that say whom it is about.
        others: elements that may name a patient in another part: as performer, author, payor.
    """

    main: frozenset[str]
    others: frozenset[str]


@cache
def compartment() -> dict[str, Subjects]:
    """Map resource type to where it refers to patients; types that never do are absent."""
    return {
        kind: Subjects(frozenset(main.split()), frozenset(others[0].split() if others else ()))
        for kind, main, *others in rows("compartment.tsv")
    }
