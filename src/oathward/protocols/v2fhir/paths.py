"""Where a value stands in a resource: a path of the tables, to write by and to find again.

Rules:
- ``a.b`` is ``b`` in ``a``; ``a[0]`` the only item of a list; ``a[]`` a new item; ``ext(name)`` the extension
  of that name; ``ext+(name)`` a new one; ``a#n`` item ``n`` of a list of words; ``a{Q}`` a word with a qualifier.
- A list of words never has a hole: where item 0 is missing before item 1, null and a data-absent-reason say so.
- Beside a primitive may stand extensions (``_name``); both are written and found together.

Deliberately absent: what a value means.

Source: FHIR R4 §2.1.0.1 (JSON representation of primitive elements), §2.4 (extensibility).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from oathward.protocols.v2fhir import tables

Extensions = list[dict[str, Any]] | None

_STEP = re.compile(r"(ext\+?)\(([\w-]+)\)|(\w+)(\[0\]|\[\]|#(\d)|\{(\w*)\})?")
_QUALIFIER = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-qualifier"
FIELD = "urn:oathward:v2:field"
"""Extension that names the field an item of a shared list came from."""
_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


class Step(NamedTuple):
    """One step: ``kind`` is ``key``, ``item``, ``new``, ``word``, ``qualified``, ``ext`` or ``ext+``."""

    kind: str
    name: str
    number: int = 0
    qualifier: str = ""


@cache
def steps(path: str) -> tuple[Step, ...]:
    """Read a path; empty for ``.``, the element itself."""
    return () if path == "." else tuple(_step(match) for match in _STEP.finditer(path))


def _step(match: re.Match[str]) -> Step:
    if match[1]:
        return Step(match[1], tables.extensions()[match[2]])
    tail = match[4] or ""
    kind = {"[0]": "item", "[]": "new", "": "key"}.get(tail) or ("word" if tail[0] == "#" else "qualified")
    return Step(kind, match[3], int(match[5] or 0), match[6] or "")


def absent(reason: str = "unknown") -> dict[str, Any]:
    """Say why something is not there."""
    return {"url": _ABSENT, "valueCode": reason}


def put(
    target: dict[str, Any],
    path: tuple[Step, ...],
    value: Any,
    beside: Extensions = None,
    mark: dict[str, Any] | None = None,
) -> None:
    """Write a value and what stands beside it; ``mark`` fills up the list item or the value itself."""
    if mark and isinstance(value, dict):
        value = dict(value)  # concepts are remembered: a mark on one would stand in every message after it
    item: dict[str, Any] | None = None
    for step in path[:-1]:
        target = _into(target, step)
        item = target if step.kind in {"new", "ext+"} else item
    last = path[-1] if path else None
    if last is None:
        target.update(value)
    elif last.kind == "key":
        if value is not None:
            target[last.name] = value
        if beside:
            target[f"_{last.name}"] = {"extension": beside}
    elif last.kind in {"new", "item"}:
        target.setdefault(last.name, []).append(value)
    elif value is not None:
        _word(target, last, value)
    if mark:
        _mark(value if item is None else item, mark)


def find(
    node: dict[str, Any], path: tuple[Step, ...], item: dict[str, Any] | None = None
) -> Iterator[tuple[dict[str, Any] | None, Any, Extensions]]:
    """Give each value at a path, with the list item it belongs to and what stands beside it."""
    if not path:
        yield item, node, None
        return
    step, rest = path[0], path[1:]
    if step.kind in {"word", "qualified"}:
        yield from _words(node, step, item)
    elif step.kind == "key" and not rest:
        value = node.get(step.name)
        beside = (node.get(f"_{step.name}") or {}).get("extension")
        if value is not None or beside:
            yield item, value, beside
    else:
        for child in _children(node, step):
            own = child if step.kind in {"new", "ext+"} else item
            yield from find(child, rest, own)


def matches(item: dict[str, Any], mark: dict[str, Any]) -> bool:
    """Say whether an item bears a mark: the field it names, else all of it."""
    if "field" in mark:
        return {"url": FIELD, "valueString": mark["field"]} in item.get("extension", ())
    return all(item.get(name) == value for name, value in mark.items())


def _mark(item: dict[str, Any], mark: dict[str, Any]) -> None:
    for name, known in mark.items():
        if name == "field":
            item["extension"] = [*item.get("extension", ()), {"url": FIELD, "valueString": known}]
        else:
            item.setdefault(name, known)


def _into(target: dict[str, Any], step: Step) -> dict[str, Any]:
    found: dict[str, Any]
    if step.kind == "key":
        found = target.setdefault(step.name, {})
        return found
    if step.kind in {"ext", "ext+"}:
        listed = target.setdefault("extension", [])
        known = [extension for extension in listed if extension["url"] == step.name and step.kind == "ext"]
        fresh = {"url": step.name}
    else:
        listed = target.setdefault(step.name, [])
        known = listed if step.kind == "item" else []
        fresh = {}
    if known:
        found = known[0]
        return found
    listed.append(fresh)
    return fresh


def _children(node: dict[str, Any], step: Step) -> list[dict[str, Any]]:
    if step.kind in {"ext", "ext+"}:
        found = [extension for extension in node.get("extension", ()) if extension["url"] == step.name]
        return found[:1] if step.kind == "ext" else found
    child = node.get(step.name)
    if step.kind == "key":
        return [child] if child else []
    return (child or [])[: 1 if step.kind == "item" else None]


def _word(target: dict[str, Any], step: Step, value: Any) -> None:
    listed = target.setdefault(step.name, [])
    beside = f"_{step.name}"
    note: dict[str, Any] | None = None
    if step.kind == "qualified" and step.qualifier:
        note = {"extension": [{"url": _QUALIFIER, "valueCode": step.qualifier}]}
    while len(listed) < step.number:
        target.setdefault(beside, [None] * len(listed)).append({"extension": [absent()]})
        listed.append(None)
    if note or beside in target:
        target.setdefault(beside, [None] * len(listed)).append(note)
    listed.append(value)


def _words(
    node: dict[str, Any], step: Step, item: dict[str, Any] | None
) -> Iterator[tuple[dict[str, Any] | None, Any, Extensions]]:
    listed = node.get(step.name) or []
    if step.kind == "word":
        if step.number < len(listed) and listed[step.number] is not None:
            yield item, listed[step.number], None
        return
    notes = node.get(f"_{step.name}") or [None] * len(listed)
    for word, note in zip(listed, notes, strict=False):
        if (note["extension"][0]["valueCode"] if note else "") == step.qualifier:
            yield item, word, None
            return
