"""What a reference says: which type, which id, at whose server.

Rules:
- ``Patient/123`` (with or without ``/_history/2``) is at the sender's own server; ``https://x/fhir/Patient/123`` at
  another's; ``#p1`` is in the resource; ``urn:uuid:…`` in the bundle; ``Patient?identifier=…`` is looked for.
- A form that is none of these is no reference.

Deliberately absent: following a reference to anywhere but the same message.

Source: FHIR R4 §2.3.0.1 (literal references), §3.1.0.11.2 (conditional references).
"""

from __future__ import annotations

import re
from functools import cache

from oathward.protocols.fhir import tables

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?").fullmatch


@cache
def _types() -> frozenset[str]:
    return tables.resource_types()


def kind_of(text: str) -> str | None:
    """Give the resource type that a literal reference names; empty where it names none; None for no reference."""
    head, slash, rest = text.partition("/")
    if slash and head in _types():
        return head if _ID(rest) else None
    if text[:1] == "#" or head[:4] == "urn:":
        return ""
    if head in ("http:", "https:"):
        parts = text.partition("/_history/")[0].rsplit("/", 2)
        return parts[1] if len(parts) == 3 and parts[1] in _types() else ""
    name, mark, _ = text.partition("?")
    return name if mark and name in _types() else None
