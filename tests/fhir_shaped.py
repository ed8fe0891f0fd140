"""What tests of FHIR shaping share: plans for every profile, messages from dictionaries, rewriters from rules."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from tests.shaped import SEEDS

from oathward.core.labels import CLASSES
from oathward.deid.plan import Plan, Route, SafeMessage, Seeds, compile_plan, shape
from oathward.deid.profile import builtin_profiles
from oathward.protocols.fhir.message import Message, Request
from oathward.protocols.fhir.reader import decode, request_bytes
from oathward.protocols.fhir.rewrite import compile_rewriter
from oathward.protocols.shaping import KEEP, Rewritten, Ruling

FHIR = Route("fhir", "fhir")
Resource = dict[str, Any]


def plan(profile: str = "safe-harbor", classes: frozenset[str] = CLASSES) -> Plan:
    return compile_plan(builtin_profiles()[profile], classes, FHIR)


PLANS: Mapping[str, Plan] = {name: plan(name) for name in builtin_profiles()}


def put(resource: Resource) -> Message:
    """Decode an update of one resource."""
    target = f"{resource['resourceType']}/{resource['id']}"
    return decode(request_bytes(Request("PUT", target), json.dumps(resource).encode()))


def transaction(*resources: Resource, urns: bool = False) -> Message:
    """Decode a transaction: updates, or (``urns``) creations under ``urn:uuid`` names, which are in the ids."""
    entries = []
    for resource in resources:
        entry: Resource = {"resource": resource}
        kind = resource["resourceType"]
        if urns:
            entry["resource"] = {key: value for key, value in resource.items() if key != "id"}
            entry |= {"fullUrl": resource["id"], "request": {"method": "POST", "url": kind}}
        else:
            entry["request"] = {"method": "PUT", "url": f"{kind}/{resource['id']}"}
        entries.append(entry)
    body = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    return decode(request_bytes(Request("POST", ""), json.dumps(body).encode()))


def shaped(message: Message, profile: str = "safe-harbor", seeds: Seeds = SEEDS) -> SafeMessage:
    return shape(message, PLANS[profile], seeds)


def ruled(
    message: Message, rules: Mapping[str, Ruling], *, hold: bool = False, default: Ruling = KEEP
) -> tuple[list[Resource], Rewritten]:
    """Rewrite by rules of classes; gives the resources that leave."""
    rewriter = compile_rewriter(lambda cls, _part: rules.get(cls, default), hold_uncatalogued=hold)
    done = rewriter(message, "OUT-1", SEEDS)
    return resources(done.data), done


def resources(data: bytes) -> list[Resource]:
    """Give the resources of what leaves; each must be R4, and an update of its own name."""
    body = json.loads(data)
    if body["resourceType"] != "Bundle":
        put(body)
        return [body]
    entries = body.get("entry", [])
    if entries:
        decode(request_bytes(Request("POST", ""), data))
    for entry in entries:
        resource = entry["resource"]
        assert entry["request"] == {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}
        assert "fullUrl" not in entry
    return [entry["resource"] for entry in entries]


def strings(value: Any) -> Iterable[str]:
    """Give every text of a value, keys left out."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value
