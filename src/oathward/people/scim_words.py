"""The constant parts of our SCIM server: names of schemas, what it can, which resources there are, what a user is like.

Deliberately absent: attributes of a User that Oathward keeps nothing of; they are taken and forgotten, as RFC 7643 lets a
service provider do.

Source: RFC 7643 §3.1, §4, §5, §6, §7 and §8.7; RFC 7644 §4.
"""

from __future__ import annotations

from typing import Any

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
OURS = "urn:oathward:scim:schemas:1.0:Person"
"""Our extension: party, makes, units, staffIds, signIns."""

LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
MEDIA_TYPE = "application/scim+json"

RESULTS_MAX = 200
MEMBERS_MAX = 1_000
OPERATIONS_MAX = 100

DIRECTORY = "urn:oathward:directory"
"""Stands as the issuer of a person's ``userName``: no provider can have this name, so nobody signs in by it."""

FORGOTTEN = frozenset(
    (
        *(
            "nickname",
            "profileurl",
            "title",
            "usertype",
            "preferredlanguage",
            "locale",
            "timezone",
            "password",
        ),
        *("phonenumbers", "ims", "photos", "addresses", "entitlements", "x509certificates"),
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user",
    )
)
"""Attributes that are taken and not kept, lower case."""

FIXED = frozenset(("id", "meta", "schemas", "groups", "roles"))
"""Attributes nobody sets from outside; roles are granted by two people."""


def provider_config(base: str) -> dict[str, Any]:
    """Say what this server can."""
    no = {"supported": False}
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": True},
        "bulk": {**no, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": RESULTS_MAX},
        "changePassword": no,
        "sort": no,
        "etag": {"supported": True},
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "An access token of a service with the role provisioner.",
                "primary": True,
            }
        ],
        "meta": _meta(base, "ServiceProviderConfig", "ServiceProviderConfig"),
    }


def resource_types(base: str) -> list[dict[str, Any]]:
    """Say which resources there are."""
    user: dict[str, Any] = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": "User",
        "name": "User",
        "endpoint": "/Users",
        "description": "People of this site",
        "schema": USER,
        "schemaExtensions": [{"schema": OURS, "required": False}],
        "meta": _meta(base, "ResourceType", "ResourceTypes/User"),
    }
    group = user | {
        "id": "Group",
        "name": "Group",
        "endpoint": "/Groups",
        "description": "Roles and who has them; to read alone: two people grant a role",
        "schema": GROUP,
        "schemaExtensions": [],
        "meta": _meta(base, "ResourceType", "ResourceTypes/Group"),
    }
    return [user, group]


def schemas(base: str) -> list[dict[str, Any]]:
    """Say what the resources are like."""
    user = [
        _attribute("userName", required=True, uniqueness="server"),
        _attribute("externalId", uniqueness="server", caseExact=False),
        _attribute("displayName"),
        _attribute(
            "name",
            type="complex",
            subAttributes=[_attribute(one) for one in ("formatted", "givenName", "familyName")],
        ),
        _attribute("active", type="boolean"),
        _attribute(
            "emails",
            type="complex",
            multiValued=True,
            subAttributes=[
                *(_attribute(one) for one in ("value", "type")),
                _attribute("primary", type="boolean"),
            ],
        ),
        _attribute(
            "groups", type="complex", multiValued=True, mutability="readOnly", subAttributes=_members()
        ),
    ]
    group = [
        _attribute("displayName", mutability="readOnly"),
        _attribute(
            "members", type="complex", multiValued=True, mutability="readOnly", subAttributes=_members()
        ),
    ]
    ours = [
        _attribute("party"),
        *(_attribute(one, multiValued=True) for one in ("makes", "units", "staffIds")),
        _attribute(
            "signIns",
            type="complex",
            multiValued=True,
            subAttributes=[_attribute("issuer"), _attribute("subject")],
        ),
    ]
    rows = ((USER, "User", user), (GROUP, "Group", group), (OURS, "Person", ours))
    return [
        {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
            "id": urn,
            "name": name,
            "attributes": attributes,
            "meta": _meta(base, "Schema", f"Schemas/{urn}"),
        }
        for urn, name, attributes in rows
    ]


def _members() -> list[dict[str, Any]]:
    return [_attribute(one, mutability="readOnly") for one in ("value", "display", "$ref")]


def _attribute(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": "string",
        "multiValued": False,
        "required": False,
        "caseExact": False,
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": "none",
    } | more


def _meta(base: str, kind: str, path: str) -> dict[str, str]:
    return {"resourceType": kind, "location": f"{base}/{path}"}
