"""NetBox, as its REST API gives it: devices, with the cards and addresses of their interfaces.

Reads pages of ``/api/dcim/devices/``, ``/api/dcim/interfaces/`` and ``/api/ipam/ip-addresses/`` (``{"results": […]}``), in one file after the
other or in one document ``{"devices": […], "interfaces": […], "ip_addresses": […]}``, in any order.

Rules:
- A device is one statement, once everything was read: its interfaces may come before it.
- What belongs to no device of the list (virtual machines, free addresses) is refused with its place: it is not lost in silence.

Source: NetBox REST API v3.5 to v4 (dcim, ipam; the old ``device_role`` is ``role`` now).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.discovery.lists.cells import Row
from oathward.discovery.lists.items import Item, items
from oathward.discovery.lists.opening import Source
from oathward.discovery.lists.reading import How, ListFormat, Refused, Told, refusals

DEVICES_MAX = 200_000
"""Devices, and interfaces, that are joined in memory, some 2 KB each."""

_ARRAYS = frozenset(("results", "devices", "interfaces", "ip_addresses"))
_STATES = {"active": "in-use", "staged": "stored", "inventory": "stored", "planned": "stored", "offline": "repair", "failed": "repair", "decommissioning": "retired"}  # fmt: skip
"""NetBox's states of a device -> ours."""


@dataclass(slots=True)
class _Device:
    """What was gathered of one device."""

    file: str = ""
    line: int = 0
    said: Row | None = None
    cards: list[tuple[str, int, str, str]] = field(default_factory=list)  # file, line, mac, VLAN
    addresses: list[tuple[str, int, str]] = field(default_factory=list)


class _Joined:
    """Devices by NetBox's id, interfaces of which the device is known."""

    def __init__(self, year: int) -> None:
        self.year = year
        self.devices: dict[int, _Device] = {}
        self.interfaces: dict[int, int] = {}
        self.waiting: list[tuple[str, int, int, str]] = []  # addresses: file, line, interface, address

    def device(self, id_: int) -> _Device:
        if id_ not in self.devices and len(self.devices) >= DEVICES_MAX:
            raise InputError("device", f"at most {DEVICES_MAX} in one import", reason=Reason.LIMIT_EXCEEDED)
        return self.devices.setdefault(id_, _Device())


def read(sources: Iterable[Source], how: How) -> Iterator[Told | Refused]:
    """Read what NetBox gave; statements come at the end."""
    joined = _Joined(how.year)
    for one in sources:
        at = [0]
        yield from refusals(one.name, lambda at=at: at[0], _gather(one, joined, at))  # type: ignore[misc]  # bound at once
    for file, line, interface, address in joined.waiting:
        if (id_ := joined.interfaces.get(interface)) is None or id_ not in joined.devices:
            why = "is assigned to no interface of a device in the list"
            yield Refused(file, line, "assigned_object", Reason.ELEMENT_MISSING, why)
        else:
            joined.devices[id_].addresses.append((file, line, address))
    for device in joined.devices.values():
        yield from _told(device, how)


def _gather(source: Source, joined: _Joined, at: list[int]) -> Iterator[Told | Refused]:
    for item in items(source.blocks(), _ARRAYS):
        at[0] = item.number
        try:
            if item.wrong is not None:
                raise item.wrong
            _sort(source.name, item, joined)
        except InputError as error:
            yield Refused(source.name, item.number, error.where, error.reason, error.why)


def _sort(file: str, item: Item, joined: _Joined) -> None:
    value = item.value
    if not item.under and ("results" in value or _ARRAYS & value.keys()):
        return  # the envelope
    if item.under == "devices" or "device_type" in value:
        _device(file, item, joined)
    elif item.under == "ip_addresses" or ("address" in value and "family" in value):
        interface = value.get("assigned_object_id")
        if value.get("assigned_object_type", "dcim.interface") != "dcim.interface" or not isinstance(
            interface, int
        ):
            raise InputError("assigned_object", "is no interface of a device", reason=Reason.ELEMENT_MISSING)
        joined.waiting.append((file, item.number, interface, _text(value.get("address"), "address")))
        if len(joined.waiting) > DEVICES_MAX:
            raise InputError("address", f"at most {DEVICES_MAX} in one import", reason=Reason.LIMIT_EXCEEDED)
    elif item.under == "interfaces" or "mac_address" in value or "mac_addresses" in value:
        _interface(file, item, joined)
    else:
        raise InputError("object", "is no device, interface or IP address", reason=Reason.OBSERVED_UNKNOWN)


def _device(file: str, item: Item, joined: _Joined) -> None:
    value = item.value
    kind = value.get("device_type")
    kind = kind if isinstance(kind, dict) else {}
    device = joined.device(_id(value, "device"))
    if device.said is not None:
        raise InputError("device", "its id stands there twice", reason=Reason.ELEMENT_REPEATED)
    said = Row("netbox", joined.year)
    for attribute, cell, column in (
        ("tag", value.get("asset_tag"), "asset_tag"),
        ("make", kind.get("manufacturer"), "device_type.manufacturer"),
        ("model", kind.get("model"), "device_type.model"),
        ("serial", value.get("serial"), "serial"),
        ("name", value.get("name"), "name"),
        ("type", value.get("role") or value.get("device_role"), "role"),
        ("site", value.get("site"), "site"),
        ("location", value.get("location"), "location"),
        ("owner", value.get("tenant"), "tenant"),
        ("os", value.get("platform"), "platform"),
    ):
        said.add(attribute, _text(cell, column), column)
    state = value.get("status")
    state = state.get("value", "") if isinstance(state, dict) else state
    said.add("lifecycle", _STATES.get(str(state), str(state or "")), "status")
    device.file, device.line, device.said = file, item.number, said
    for key in ("primary_ip4", "primary_ip6", "oob_ip"):
        if value.get(key):
            device.addresses.append((file, item.number, _text(value[key], key)))


def _interface(file: str, item: Item, joined: _Joined) -> None:
    value = item.value
    owner = value.get("device")
    if not isinstance(owner, dict):
        raise InputError("device", "is an interface of no device", reason=Reason.ELEMENT_MISSING)
    id_ = _id(owner, "device")
    if len(joined.interfaces) >= DEVICES_MAX:
        raise InputError("interface", f"at most {DEVICES_MAX} in one import", reason=Reason.LIMIT_EXCEEDED)
    joined.interfaces[_id(value, "interface")] = id_
    several = value.get("mac_addresses")
    cards = [value.get("mac_address"), *(several if isinstance(several, list) else [])]
    vlan = _text(value.get("untagged_vlan"), "untagged_vlan")
    device = joined.device(id_)
    device.cards += [
        (file, item.number, text, vlan) for card in cards if (text := _text(card, "mac_address"))
    ]


def _told(device: _Device, how: How) -> Iterator[Told | Refused]:
    if device.said is None:
        why = "are of a device that is not in the list"
        for file, line in sorted({card[:2] for card in device.cards}):
            yield Refused(file, line, "device", Reason.ELEMENT_MISSING, why)
        return
    said = device.said
    places = [(device.file, device.line)] * len(said.refused)
    for file, line, card, vlan in device.cards:
        said.add("mac", card, "mac_address")
        said.segment = said.segment or vlan
        places += [(file, line)] * (len(said.refused) - len(places))
    for file, line, address in device.addresses:
        said.add("address", address, "address")
        places += [(file, line)] * (len(said.refused) - len(places))
    for (file, line), refusal in zip(places, said.refused, strict=True):
        yield Refused(file, line, *refusal)
    statement = said.statement(how.realm, how.at_us)
    if statement is None:
        why = "nothing tells which device it is: no asset_tag, serial with manufacturer, card or address"
        yield Refused(device.file, device.line, "device", Reason.ELEMENT_MISSING, why)
    else:
        yield Told(device.file, device.line, statement)


def _id(value: dict[str, Any], where: str) -> int:
    found = value.get("id")
    if not isinstance(found, int) or isinstance(found, bool):
        raise InputError(f"{where}.id", "is a number", reason=Reason.ELEMENT_TYPE)
    return found


def _text(value: Any, where: str) -> str:
    """Give a text, or the name of an object NetBox nests."""
    if isinstance(value, dict):
        value = next(
            (value[key] for key in ("address", "mac_address", "name", "model", "display") if value.get(key)),
            None,
        )
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InputError(where, "is a text", reason=Reason.ELEMENT_TYPE)
    return value


def _knows(head: bytes, name: str) -> bool:
    if head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] not in {b"{", b"["}:
        return False
    return any(word in head for word in (b'"device_type"', b'"assigned_object_type"', b'"mac_address"', b'"ip_addresses"')) or "netbox" in name  # fmt: skip


LIST = ListFormat(words="NetBox (JSON of its REST API)", source="netbox", knows=_knows, read=read, order=30)
