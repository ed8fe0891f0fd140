"""The inventory in the shape of NetBox' REST API: devices, interfaces, IP addresses, which refer to each other by number.

Source: NetBox REST API v4 (dcim, ipam).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from oathward.discovery.exports.entry import Entry
from oathward.discovery.model import MarkKind

_STATES = {
    "in-use": "active",
    "loan": "active",
    "repair": "offline",
    "stored": "inventory",
    "retired": "decommissioning",
}


def document(entries: Iterable[Entry]) -> dict[str, list[dict[str, Any]]]:
    """Write one document with three lists. Which card has which address is not known: addresses are on the first interface."""
    devices: list[dict[str, Any]] = []
    interfaces: list[dict[str, Any]] = []
    addresses: list[dict[str, Any]] = []
    for one in entries:
        number = len(devices) + 1
        devices.append(_device(one, number))
        cards = one.marks.get(MarkKind.MAC, ()) or ("",)
        first = len(interfaces) + 1
        vlan = {"name": one.segment} if one.segment else None
        interfaces += [
            {
                "id": first + at,
                "device": {"id": number},
                "name": f"if{at}",
                "mac_address": card or None,
                "untagged_vlan": vlan,
            }
            for at, card in enumerate(cards)
        ]
        addresses += [
            {
                "id": len(addresses) + at,
                "family": {"value": 6 if ":" in address else 4},
                "address": f"{address}/{128 if ':' in address else 32}",
                "assigned_object_type": "dcim.interface",
                "assigned_object_id": first,
            }
            for at, address in enumerate(one.marks.get(MarkKind.ADDRESS, ()), 1)
        ]
    return {"devices": devices, "interfaces": interfaces, "ip_addresses": addresses}


def _device(one: Entry, number: int) -> dict[str, Any]:
    make, platform = one.value("make"), one.value("os")
    return {
        "id": number,
        "name": one.value("name") or one.value("host") or None,
        "asset_tag": one.tag or None,
        "serial": one.serial,
        "device_type": {"manufacturer": {"name": make} if make else None, "model": one.value("model")},
        "role": _named(one.value("type")),
        "site": _named(one.value("site")),
        "location": _named(one.value("location")),
        "tenant": _named(one.value("owner")),
        "platform": _named(platform),
        "status": {"value": _STATES.get(one.value("lifecycle"), "active")},
        "custom_fields": {"oathward_id": one.id},
    }


def _named(name: str) -> dict[str, str] | None:
    return {"name": name} if name else None
