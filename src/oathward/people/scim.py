"""SCIM as pure functions: a person as a User and back, roles as Groups, filters, lists, errors.

| SCIM | person |
|---|---|
| ``externalId`` | number; where it is missing, ``userName`` |
| ``userName`` | the person's name in the directory (``scim_words.DIRECTORY``); else mail, else number |
| ``displayName``, ``name.formatted``, ``givenName familyName`` | name, the first of them that is there |
| ``emails`` (primary, or the first) | mail; where there are none, a ``userName`` that is an address |
| ``active`` | state; ``false`` is left |
| ``urn:oathward:scim:schemas:1.0:Person`` | party, makes, units, staffIds, signIns |

Rules:
- A User without our extension says nothing about what stands in it.
- Roles and groups are read-only: what comes in with a User is forgotten, what a PATCH names is refused.
- Errors say attribute and what is wanted, never what stood there.

Deliberately absent: HTTP, tables and the keeper (``web/api/scim``); bulk, sorting and passwords.

Source: RFC 7643 §4.1, §4.2; RFC 7644 §3.4.2, §3.5, §3.12.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from oathward.core.clock import from_micros, iso
from oathward.core.errors import InputError
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.people.scim_words import DIRECTORY, ERROR, GROUP, LIST, OURS, USER
from oathward.policy.people import Person

_FILTER = re.compile(r'\s*([A-Za-z][\w.:-]{0,150})\s+([A-Za-z]{2})\s+"((?:[^"\\]|\\["\\/])*)"\s*')
_FILTERED = {"username": "userName", "externalid": "externalId", "id": "id"}
_SETS = {"makes": "makes", "units": "units", "staffIds": "staff_ids"}


class ScimError(InputError):
    """A request that SCIM refuses; ``kind`` is RFC 7644's ``scimType``, empty where it has none."""

    def __init__(self, kind: str, where: str, why: str, *, reason: Reason = Reason.INPUT_INVALID) -> None:
        self.kind = kind
        super().__init__(where, why, reason=reason)


def stated(resource: object, issuer: str) -> dict[str, Any]:
    """Read what a User says of a person: fields by name, and ``directory`` for its ``userName``.

    Without an ``externalId`` it says nothing about the number; who is new then has their ``userName`` as one.

    Raises:
        ScimError: ``invalidSyntax`` for what is no User, ``invalidValue`` for an attribute of another form.
    """
    if not isinstance(resource, dict):
        raise ScimError("invalidSyntax", "", "must be one JSON object")
    user = {str(key).lower(): value for key, value in resource.items()}
    if USER not in _strings(user.get("schemas"), "schemas"):
        raise ScimError("invalidSyntax", "schemas", f"must name {USER}")
    login = _text(user.get("username"), "userName")
    if not login:
        raise ScimError("invalidValue", "userName", "is required")
    values: dict[str, Any] = {
        "directory": login,
        "mail": _mail(user.get("emails")) or (login if "@" in login else ""),
        "state": "active" if _boolean(user.get("active", True), "active") else "left",
    }
    if number := _text(user.get("externalid"), "externalId"):
        values["number"] = number
    if name := _name(user):
        values["name"] = name
    ours = user.get(OURS.lower())
    return values | (_extension(ours, issuer) if ours is not None else {})


def with_number(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give somebody new a number: what the directory calls them, where it says no other."""
    return {"number": values["directory"]} | dict(values)


def with_user_name(person: Person, values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn ``directory`` into a sign-in of the person; a list that speaks of sign-ins leaves that one as it is."""
    values = dict(values)
    login = values.pop("directory", "") or _directory(person)
    if "sign_ins" in values or _directory(person) != login:
        others = values.get("sign_ins", person.sign_ins)
        others = frozenset(one for one in others if one[0] != DIRECTORY)
        values["sign_ins"] = others | ({(DIRECTORY, login)} if login else set())
    return values


def user_name(person: Person) -> str:
    """Give what a directory calls somebody: its own word, else the address, else the number, else the id."""
    return _directory(person) or person.mail or person.number or person.id


def user(person: Person, version: int, at_us: int, base: str, roles: Sequence[Role]) -> dict[str, Any]:
    """Show a person as a User."""
    found: dict[str, Any] = {
        "schemas": [USER, OURS],
        "id": person.id,
        "userName": user_name(person),
        "displayName": person.name,
        "name": {"formatted": person.name},
        "active": person.state == "active",
        OURS: {
            "party": person.party,
            **{theirs: sorted(getattr(person, ours)) for theirs, ours in _SETS.items()},
            "signIns": [{"issuer": i, "subject": s} for i, s in sorted(person.sign_ins) if i != DIRECTORY],
        },
        "groups": [
            {"value": role.value, "display": role.value, "$ref": f"{base}/Groups/{role.value}"}
            for role in roles
        ],
        "meta": {
            "resourceType": "User",
            "created": iso(from_micros(person.since_us)),
            "lastModified": iso(from_micros(at_us)),
            "location": f"{base}/Users/{person.id}",
            "version": etag(version),
        },
    }
    found |= {"externalId": person.number} if person.number else {}
    found |= {"emails": [{"value": person.mail, "type": "work", "primary": True}]} if person.mail else {}
    return found


def group(role: Role, members: Sequence[Person] | None, base: str) -> dict[str, Any]:
    """Show a role as a Group; without ``members`` where they were not asked for."""
    found: dict[str, Any] = {
        "schemas": [GROUP],
        "id": role.value,
        "displayName": role.value,
        "meta": {"resourceType": "Group", "location": f"{base}/Groups/{role.value}"},
    }
    if members is not None:
        found["members"] = [
            {"value": p.id, "display": p.name, "$ref": f"{base}/Users/{p.id}"} for p in members
        ]
    return found


def listed(resources: Sequence[Mapping[str, Any]], total: int, start: int) -> dict[str, Any]:
    """Show a page of resources; ``start`` counts from 1."""
    return {
        "schemas": [LIST],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": len(resources),
        "Resources": list(resources),
    }


def error(status: int, kind: str, detail: str) -> dict[str, Any]:
    """Show an error as RFC 7644 §3.12 has it."""
    return {"schemas": [ERROR], "status": str(status), "detail": detail} | (
        {"scimType": kind} if kind else {}
    )


def etag(version: int) -> str:
    """Name a version of a resource."""
    return f'W/"{version}"'


def asked(text: str) -> tuple[str, str]:
    """Read a filter: which attribute equals what; of ``userName``, ``externalId`` and ``id``.

    Raises:
        ScimError: ``invalidFilter``; anything else.
    """
    match = _FILTER.fullmatch(text)
    name = match[1].lower().removeprefix(f"{USER.lower()}:") if match else ""
    if match is None or match[2].lower() != "eq" or name not in _FILTERED:
        why = 'userName eq "…", externalId eq "…" or id eq "…"'
        raise ScimError("invalidFilter", "filter", why)
    return _FILTERED[name], re.sub(r"\\(.)", r"\1", match[3])


def chosen(resource: Mapping[str, Any], attributes: str, excluded: str) -> dict[str, Any]:
    """Leave out what was not asked for (``attributes``, ``excludedAttributes``); id and schemas always stand."""
    only = {name.strip().lower().partition(".")[0] for name in attributes.split(",") if name.strip()}
    less = {name.strip().lower() for name in excluded.split(",") if name.strip()}
    always = {"id", "schemas"}
    return {
        key: value
        for key, value in resource.items()
        if key.lower() in always or ((not only or key.lower() in only) and key.lower() not in less)
    }


def _directory(person: Person) -> str:
    return next((subject for issuer, subject in person.sign_ins if issuer == DIRECTORY), "")


def _name(user: Mapping[str, Any]) -> str:
    name = user.get("name") or {}
    if not isinstance(name, dict):
        raise ScimError("invalidValue", "name", "must be an object")
    both = " ".join(
        filter(None, (_text(name.get(one), f"name.{one}") for one in ("givenName", "familyName")))
    )
    display = _text(user.get("displayname"), "displayName")
    return display or _text(name.get("formatted"), "name.formatted") or both


def _mail(emails: object) -> str:
    if emails is None:
        return ""
    if not isinstance(emails, list) or not all(isinstance(one, dict) for one in emails):
        raise ScimError("invalidValue", "emails", "must be a list of objects")
    ranked = sorted(emails, key=lambda one: one.get("primary") is not True)
    return _text(ranked[0].get("value"), "emails.value") if ranked else ""


def _extension(ours: object, issuer: str) -> dict[str, Any]:
    if not isinstance(ours, dict):
        raise ScimError("invalidValue", OURS, "must be an object")
    values: dict[str, Any] = {}
    if "party" in ours:
        values["party"] = _text(ours["party"], "party")
    for theirs, field in _SETS.items():
        if theirs in ours:
            values[field] = frozenset(_strings(ours[theirs], theirs))
    if "signIns" in ours:
        rows = ours["signIns"]
        if not isinstance(rows, list) or not all(isinstance(one, dict) for one in rows):
            raise ScimError("invalidValue", "signIns", "must be a list of objects")
        pairs = {
            (_text(r.get("issuer"), "signIns.issuer") or issuer, _text(r.get("subject"), "signIns.subject"))
            for r in rows
        }
        if any(one == DIRECTORY for one, _ in pairs):
            raise ScimError("invalidValue", "signIns.issuer", "an issuer of sign-ins")
        values["sign_ins"] = frozenset(pairs)
    return values


def _text(value: object, where: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ScimError("invalidValue", where, "must be text")
    return value.strip()


def _strings(value: object, where: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ScimError("invalidValue", where, "must be a list of text")
    return [one.strip() for one in value]


def _boolean(value: object, where: str) -> bool:
    """Read true or false; some directories write them as text."""
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ScimError("invalidValue", where, "must be true or false")
    return value
