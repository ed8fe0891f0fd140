"""What a conditional create asks for: one identifier, as a search by it is written.

Rules:
- ``identifier=system|value``; an empty system is an identifier that has none.
- Several identifiers, another parameter, a value without ``|``, and signs that mean something to a search: not taken.

Deliberately absent: looking for it.

Source: FHIR R4 §3.1.0.8.1 (conditional create), §3.1.1.4.10 (token parameters), §3.1.1.4.14 (escaping).
"""

from __future__ import annotations

import re
from typing import Any

LENGTH_MAX = 1_000

_ASKED = re.compile(r"\??identifier=([^&\s]+)").fullmatch
_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")
_ONE = re.compile(r"[^|,\\$\x00-\x1f\x7f]*\|[^|,\\$\x00-\x1f\x7f]+").fullmatch


def identifier_of(condition: str) -> str:
    """Give the identifier that ``If-None-Exist`` or ``ifNoneExist`` asks for: ``system|value``; empty for another form."""
    found = _ASKED(condition) if len(condition) <= LENGTH_MAX else None
    asked = _unescaped(found[1]) if found is not None else ""
    return asked if _ONE(asked) else ""


def _unescaped(text: str) -> str:
    """Undo percent-encoding; empty where that is not UTF-8."""
    raw = text.encode("utf-8", "replace")
    try:
        return _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), raw).decode()
    except UnicodeDecodeError:
        return ""


def names_of(resource: dict[str, Any]) -> list[str]:
    """List the identifiers of a resource, as a search writes them."""
    listed = resource.get("identifier")
    found = map(name_of, listed if isinstance(listed, list) else [listed])
    return [one for one in found if one]


def name_of(one: Any) -> str:
    """Write an Identifier as a search does: ``system|value``; empty without a value."""
    if not isinstance(one, dict) or not one.get("value"):
        return ""
    return f"{one.get('system', '')}|{one['value']}"
