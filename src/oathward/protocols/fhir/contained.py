"""What holds of resources within a resource, beyond their own definitions: dom-2 to dom-5, ref-1.

Rules:
- They have an id that is theirs alone, no version, no security label, and contain nothing themselves.
- What holds whole resources itself (Bundle, Parameters) is not contained: a patient could hide in it. FHIR would
  allow it; nobody needs it.
- Each is referred to, or refers to what it is in; each reference ``#id`` leads to one.

Deliberately absent: whom a contained resource is about (``names``).

Source: FHIR R4 §2.4.0.6 (contained resources), invariants of DomainResource and Reference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from oathward.protocols.fhir.message import Resource

HOLDERS = frozenset(("Bundle", "Parameters"))
"""Types whose elements are whole resources."""


def contained(value: Resource, found: Sequence[tuple[str, Resource]]) -> Iterator[tuple[str, str]]:
    """Give what is wrong with the resources within one: (place, or empty for the whole; what was expected).

    Args:
        value: a resource whose elements have the right types.
        found: place and value of each Reference in it and in what it contains.
    """
    inner = value.get("contained", [])
    ids = Counter(each.get("id") for each in inner)
    for i, each in enumerate(inner):
        yield from ((f"{value['resourceType']}.contained[{i}]", why) for why in _wrong(each, ids))
    for place, reference in found:
        text = reference.get("reference", "")
        if text[:1] == "#" and text[1:] not in ids and not (text == "#" and ".contained[" in place):
            yield f"{place}.reference", "the id of a contained resource (ref-1)"
    for i in _unreferenced(value, inner, found):
        yield f"{value['resourceType']}.contained[{i}]", "a resource that something refers to (dom-3)"


def _wrong(each: Resource, ids: Counter[str | None]) -> Iterator[str]:
    meta = each.get("meta", {})
    if "contained" in each:
        yield "no contained resources in a contained resource (dom-2)"
    if "versionId" in meta or "lastUpdated" in meta:
        yield "no version of its own (dom-4)"
    if "security" in meta:
        yield "no security label of its own (dom-5)"
    if each["resourceType"] in HOLDERS:
        yield "no Bundle and no Parameters in a resource"
    if "id" not in each or ids[each["id"]] > 1:
        yield "an id of its own"


def _unreferenced(value: Resource, inner: list[Resource], found: Sequence[tuple[str, Resource]]) -> list[int]:
    """Give what nothing refers to, be it by reference, canonical address or URI, and what does not refer back."""
    said = {reference.get("reference", "") for _, reference in found}
    lonely = [i for i, each in enumerate(inner) if f"#{each.get('id')}" not in said]
    if lonely:
        said = {text for text in _texts(value) if text[:1] == "#"}
        lonely = [i for i in lonely if f"#{inner[i].get('id')}" not in said and "#" not in _texts(inner[i])]
    return lonely


def _texts(value: Any) -> set[str]:
    texts: set[str] = set()
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if each.__class__ is dict:
            waiting.extend(each.values())
        elif each.__class__ is list:
            waiting.extend(each)
        elif each.__class__ is str:
            texts.add(each)
    return texts
