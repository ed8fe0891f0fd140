"""Every value of a resource with its path and its class, for pages that show made-up resources element by element.

Deliberately absent: real resources. Whoever calls this has made the resource up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from oathward.protocols.fhir import elements, links

Path = tuple[str | int, ...]
_NONE: Mapping[str, str] = {}


def leaves(resource: Mapping[str, Any], types: Mapping[str, str] = _NONE) -> Iterator[tuple[Path, str, str]]:
    """Give every value: its path below the resource, its class (that of the nearest element that is one thing), its text.

    Args:
        types: what references name -> of which type it is: whose a reference is follows from that.
    """
    yield from _walk((), elements.resource(str(resource["resourceType"])), resource, "", types)


def place(resource: Mapping[str, Any], path: Path) -> str:
    """Write a path as people do: the number of an item where there are several."""
    made, at = str(resource["resourceType"]), resource
    for step in path:
        if isinstance(step, str):
            made += f".{step}"
        elif len(at) > 1:
            made += f"[{step}]"
        at = at[step]  # type: ignore[index]  # a path of this very resource
    return made


def shown(value: Any) -> str:
    """Write a value as text."""
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


def _walk(
    path: Path, element: elements.Element, value: Any, cls: str, types: Mapping[str, str]
) -> Iterator[tuple[Path, str, str]]:
    if isinstance(value, Mapping):
        known = elements.children(element)
        for key, item in value.items():
            inner = known.get(key)
            if inner is None or key == "resourceType":
                continue
            is_reference = key == "reference"
            inside = (
                links.target_class(element.targets, types.get(str(item), ""))
                if is_reference
                else cls or inner.cls
            )
            yield from _walk((*path, key), inner, item, inside, types)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for n, item in enumerate(value):
            yield from _walk((*path, n), element, item, cls, types)
    else:
        yield path, cls or "structure", shown(value)
