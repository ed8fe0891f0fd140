"""Change a User as a SCIM PATCH says: add, replace and remove, at a path or without one.

Rules:
- All operations hold, or none: the caller uses the result only if nothing was raised.
- Attributes that are taken and not kept may be named; what nobody sets from outside may not (``mutability``).
- A value that stands in several places (``emails``, ``units``) is chosen by ``[attribute eq "value"]``.

Deliberately absent: other operators in a path, and nested filters.

Source: RFC 7644 §3.5.2.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from oathward.people.scim import ScimError
from oathward.people.scim_words import FIXED, FORGOTTEN, OPERATIONS_MAX, OURS, PATCH, USER

_PATH = re.compile(
    r"(?:(?P<urn>urn:[A-Za-z0-9.:-]{1,120}):)?(?P<name>[A-Za-z][\w$-]{0,60})"
    r'(?:\[\s*(?P<key>[A-Za-z]{1,30})\s+eq\s+(?P<value>"(?:[^"\\]|\\["\\/])*"|true|false)\s*\])?'
    r"(?:\.(?P<sub>[A-Za-z][\w$-]{0,60}))?",
    re.IGNORECASE,
)
_KNOWN = {
    name.lower(): name for name in ("userName", "externalId", "displayName", "name", "active", "emails")
}
_OURS = {name.lower(): name for name in ("party", "makes", "units", "staffIds", "signIns")}
_SEVERAL = frozenset(("emails", "makes", "units", "staffIds", "signIns"))
_NAME_PARTS = {name.lower(): name for name in ("formatted", "givenName", "familyName")}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an operation acts: in the User itself or in our extension."""

    extension: bool
    name: str
    key: str
    value: object
    sub: str


def patched(user: Mapping[str, Any], request: object) -> dict[str, Any]:
    """Give the User as it is after a PATCH.

    Raises:
        ScimError: with RFC 7644's ``scimType``.
    """
    named = request.get("schemas") if isinstance(request, dict) else None
    if not isinstance(request, dict) or not isinstance(named, list) or PATCH not in named:
        raise ScimError("invalidSyntax", "schemas", f"must name {PATCH}")
    operations = next((v for k, v in request.items() if k.lower() == "operations"), None)
    if not isinstance(operations, list) or not 1 <= len(operations) <= OPERATIONS_MAX:
        raise ScimError("invalidSyntax", "Operations", f"must be a list of 1 to {OPERATIONS_MAX}")
    after = copy.deepcopy(dict(user))
    for operation in operations:
        _apply(after, operation)
    return _named(user, after)


def _apply(user: dict[str, Any], operation: object) -> None:
    verb = operation.get("op") if isinstance(operation, dict) else None
    if not isinstance(operation, dict) or not isinstance(verb, str) or verb.lower() not in _VERBS:
        raise ScimError("invalidSyntax", "op", "must be add, replace or remove")
    path, value = operation.get("path"), operation.get("value")
    if path is None:
        if verb.lower() == "remove":
            raise ScimError("noTarget", "path", "must say what to remove")
        if not isinstance(value, dict):
            raise ScimError("invalidValue", "value", "without a path it is an object")
        for name, one in _flat(value):
            _at(user, verb.lower(), name, one)
        return
    if not isinstance(path, str):
        raise ScimError("invalidPath", "path", "must be text")
    _at(user, verb.lower(), path, value)


def _flat(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Take the attributes of our extension out of their object, as if each had its path."""
    rows: list[tuple[str, Any]] = []
    for name, one in value.items():
        if name.lower() == OURS.lower() and isinstance(one, dict):
            rows += [(f"{OURS}:{inner}", v) for inner, v in one.items()]
        else:
            rows.append((name, one))
    return rows


def _at(user: dict[str, Any], verb: str, path: str, value: object) -> None:
    place = _place(path)
    if place is None:
        return
    holder = user.setdefault(OURS, {}) if place.extension else user
    if verb != "remove" and value is None:
        raise ScimError("invalidValue", "value", "is missing")
    if place.name == "name" and not place.sub and verb != "remove" and not isinstance(value, dict):
        raise ScimError("invalidValue", "name", "must be an object")
    if place.key:
        _VERBS[verb](holder, place, value)
    elif place.sub:
        inner = dict(holder.get(place.name) or {})
        inner.pop(place.sub, None)
        holder[place.name] = inner | ({} if verb == "remove" else {place.sub: value})
    elif verb == "remove":
        _remove_whole(holder, place)
    elif place.name in _SEVERAL:
        given = value if isinstance(value, list) else [value]
        held = list(holder.get(place.name) or []) if verb == "add" else []
        holder[place.name] = held + [one for one in given if one not in held]
    elif place.name == "name" and isinstance(value, dict):
        named = {_NAME_PARTS.get(k.lower(), k): v for k, v in value.items()}
        holder["name"] = (holder.get("name") or {}) | named
    else:
        holder[place.name] = value


def _place(path: str) -> _Place | None:
    """Read a path; None for what is taken and not kept.

    Raises:
        ScimError: ``invalidPath``, or ``mutability``.
    """
    if path.lower() in FORGOTTEN:
        return None
    match = _PATH.fullmatch(path)
    if match is None:
        raise ScimError("invalidPath", "path", 'an attribute, attribute.part or attribute[key eq "value"]')
    urn, name = (match["urn"] or USER).lower(), match["name"].lower()
    if urn == USER.lower() and name in FIXED:
        raise ScimError("mutability", match["name"], "is read-only here; roles are granted by two people")
    if name in FORGOTTEN or urn in FORGOTTEN:
        return None
    known = _OURS if urn == OURS.lower() else _KNOWN if urn == USER.lower() else {}
    if name not in known:
        raise ScimError("invalidPath", "path", "there is no such attribute")
    sub = match["sub"] or ""
    if known[name] == "name" and sub:
        sub = _NAME_PARTS.get(sub.lower(), "")
        if not sub:
            raise ScimError("invalidPath", "path", "there is no such part of a name")
    elif sub and not match["key"]:
        raise ScimError("invalidPath", "path", "there is no such attribute")
    if match["key"] and known[name] not in _SEVERAL:
        raise ScimError("invalidPath", "path", "has one value, and none to choose from")
    return _Place(known is _OURS, known[name], (match["key"] or "").lower(), _literal(match["value"]), sub)


def _literal(text: str | None) -> object:
    if text is None:
        return None
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _remove_whole(holder: dict[str, Any], place: _Place) -> None:
    if place.name in {"userName", "active"}:
        raise ScimError("mutability", place.name, "is required, and cannot be removed")
    holder[place.name] = [] if place.name in _SEVERAL else {} if place.name == "name" else ""


def _add_chosen(holder: dict[str, Any], place: _Place, value: object) -> None:
    rows = list(holder.get(place.name) or [])
    if not any(_fits(one, place) for one in rows):
        new = {place.key: place.value, (place.sub or "value"): value} if place.sub else value
        holder[place.name] = [*rows, new]
        return
    _replace_chosen(holder, place, value)


def _replace_chosen(holder: dict[str, Any], place: _Place, value: object) -> None:
    rows = list(holder.get(place.name) or [])
    if not any(_fits(one, place) for one in rows):
        raise ScimError("noTarget", "path", "there is no such value")
    holder[place.name] = [_with(one, place, value) if _fits(one, place) else one for one in rows]


def _remove_chosen(holder: dict[str, Any], place: _Place, _: object) -> None:
    rows = list(holder.get(place.name) or [])
    if not any(_fits(one, place) for one in rows):
        raise ScimError("noTarget", "path", "there is no such value")
    holder[place.name] = [one for one in rows if not _fits(one, place)]


def _fits(one: object, place: _Place) -> bool:
    if isinstance(one, dict):
        return any(k.lower() == place.key and v == place.value for k, v in one.items())
    return place.key == "value" and one == place.value


def _with(one: object, place: _Place, value: object) -> object:
    if not place.sub:
        return value
    if not isinstance(one, dict):
        raise ScimError("invalidPath", "path", "the value has no parts")
    return one | {place.sub: value}


def _named(before: Mapping[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Let the name that was changed count, in whichever of its forms: a User shows it in two."""
    name = after.get("name") or {}
    if not isinstance(name, dict) or after.get("displayName") != before.get("displayName"):
        return after
    parts = [name.get(one) for one in ("givenName", "familyName") if name.get(one)]
    if name.get("formatted") != (before.get("name") or {}).get("formatted"):
        after["displayName"] = name.get("formatted") or ""
    elif len(parts) > 1:
        after["displayName"] = " ".join(map(str, parts))
    return after


_VERBS = {"add": _add_chosen, "replace": _replace_chosen, "remove": _remove_chosen}
