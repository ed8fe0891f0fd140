"""What the departments of a site write down: the CMMS of medical devices, twice, NetBox of the rest, what makers tell of wearables, the plan, the papers.

Rules:
- A list is right about most and wrong about some, as lists are: typing errors in serials, places from before the move, a device twice, another's network address.
- The second CMMS export is of the last hour: replaced boards have their new serial under the old tag, retired devices say so.

Deliberately absent: patients.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path
from random import Random
from typing import Any

import orjson

from oathward_sim.estate import kinds
from oathward_sim.estate.network import Segment
from oathward_sim.estate.population import SITES, START, UNITS, Device, Population
from oathward_sim.estate.traffic import NEVER
from oathward_sim.estate.truth import Truth

WRONG = {"serial-typed-wrong": 0.01, "place-of-before": 0.02, "row-twice": 0.003, "card-of-another": 0.002}
"""How a row of the CMMS is wrong -> share of rows."""
_COLUMNS = (
    "Asset Tag",
    "Serial No",
    "Manufacturer",
    "Model",
    "Type",
    "Department",
    "Location",
    "Owner",
    "MAC Address",
    "Host Name",
    "Status",
    "Last PM",
    "Firmware",
)


def write(
    folder: Path,
    people: Population,
    truth: Truth,
    site: int,
    segments: Mapping[str, Segment],
    addresses: Mapping[int, int],
) -> None:
    """Write every list of a site into its folder."""
    realm, hours = SITES[site], people.hours
    own = [d for d in people if d.site == site]
    listed = [d for d in own if d.listed]
    rng = Random(f"{people.seed}/{realm}/lists")
    wrong = _chosen(rng, [d for d in listed if d.kind.medical])
    for name, hour in (("cmms-first.csv", 0), ("cmms-last.csv", hours)):
        _cmms(folder / name, realm, listed, wrong, hour, truth, hours)
    netbox = [d for d in listed if d.nics and (not d.kind.medical or rng.random() < 0.3)]
    (folder / "netbox.json").write_bytes(orjson.dumps(_netbox(netbox, realm, addresses)))
    with (folder / "plan.csv").open("w", newline="", encoding="utf-8") as out:
        plan = csv.writer(out)
        plan.writerow(("network", "realm", "segment", "zone", "unit", "location"))
        plan.writerows((s.cidr, realm, s.name, s.zone, "", "") for s in segments.values())
    with (folder / "declared.csv").open("w", newline="", encoding="utf-8") as out:
        papers = csv.writer(out)
        papers.writerow(("realm", "kind", "recipient", "port", "transport"))
        papers.writerows((realm, *row) for row in _declared())
    _vendor(folder, people, [d for d in own if d.account])


def _chosen(rng: Random, rows: list[Device]) -> dict[int, tuple[str, str]]:
    """Which rows are wrong: number of the device -> (how, what stands there instead)."""
    wrong = {}
    for how, share in WRONG.items():
        for device in rng.sample(rows, min(len(rows), max(1, round(len(rows) * share)))):
            other = rng.choice(rows)
            if how == "serial-typed-wrong":
                at = len(device.serial) - 2
                said = f"{device.serial[:at]}{device.serial[at + 1]}{device.serial[at]}"
            elif how == "card-of-another":
                said = other.nics[0].mac if other.nics and other is not device else ""
            else:
                said = rng.choice(UNITS) if how == "place-of-before" else f"{device.tag}-2"
            if said and said not in {device.serial, device.unit}:
                wrong[device.number] = (how, said)
    return wrong


def _cmms(
    path: Path,
    realm: str,
    listed: list[Device],
    wrong: Mapping[int, tuple[str, str]],
    hour: int,
    truth: Truth,
    hours: int,
) -> None:
    # Excel's way: a byte order mark, semicolons, and lines that end with both.
    with path.open("w", newline="", encoding="utf-8-sig") as out:
        table = csv.DictWriter(out, _COLUMNS, delimiter=";")
        table.writeheader()
        for device in listed:
            if not device.kind.medical or (device.fate == "arrived" and not hour):
                continue
            how, said = wrong.get(device.number, ("", ""))
            row = _row(device, hour, how, said)
            table.writerow(row)
            if how == "row-twice":
                table.writerow(row | {"Asset Tag": said})
            if how and hour:
                column = {
                    "serial-typed-wrong": "serial",
                    "place-of-before": "unit",
                    "row-twice": "tag",
                    "card-of-another": "mac",
                }[how]
                truth.lie(how, realm, "", device.id, (column, said), 0, hours * 3_600)


def _row(device: Device, hour: int, how: str, said: str) -> dict[str, str]:
    old = device.before if hour < device.fate_h else {}
    # A third of the rows never had a network address: nobody reads it off the back of a device.
    macs = [nic.mac for nic in device.nics if device.number % 3]
    if macs and "mac" in old:
        macs[0] = old["mac"]
    unit = said if how == "place-of-before" else device.unit
    written = START - timedelta(days=device.number % 120)
    return {
        "Asset Tag": device.tag,
        "Serial No": said if how == "serial-typed-wrong" else old.get("serial", device.serial),
        "Manufacturer": device.maker,
        "Model": device.model,
        "Type": device.kind.word,
        "Department": unit,
        "Location": f"{unit}-{device.number % 40:02d}",
        "Owner": "clinical engineering",
        "MAC Address": said if how == "card-of-another" else ", ".join(macs).upper().replace(":", "-"),
        "Host Name": old.get("host", device.host),
        "Status": "retired" if device.fate == "retired" and hour else "in use",
        "Last PM": f"{written:%d.%m.%Y}",
        "Firmware": device.firmware,
    }


def _netbox(
    devices: list[Device], realm: str, addresses: Mapping[int, int]
) -> dict[str, list[dict[str, Any]]]:
    """Devices, their interfaces and addresses as NetBox's REST API gives them."""
    found: dict[str, list[dict[str, Any]]] = {"devices": [], "interfaces": [], "ip_addresses": []}
    for device in devices:
        maker = {"name": device.maker, "slug": device.maker.lower()}
        found["devices"].append({
            "id": device.number + 1,
            "name": device.host or None,
            "device_type": {"manufacturer": maker, "model": device.model, "slug": device.model.lower()},
            "role": {"name": device.kind.word, "slug": device.kind.word},
            "serial": device.serial,
            "asset_tag": device.tag,
            "site": {"name": realm, "slug": realm},
            "location": {"name": device.unit, "slug": device.unit.lower()},
            "status": {"value": "offline" if device.fate == "retired" else "active"},
        })  # fmt: skip
        for n, nic in enumerate(device.nics):
            id_ = 4 * device.number + n + 1
            name = f"{'wlan' if nic.wireless else 'eth'}{n}"
            mac = None if nic.random else nic.mac.upper()
            found["interfaces"].append(
                {"id": id_, "device": {"id": device.number + 1}, "name": name, "mac_address": mac}
            )
            if device.fixed and not nic.wireless and device.number in addresses:
                found["ip_addresses"].append({
                    "id": id_,
                    "address": f"{IPv4Address(addresses[device.number])}/16",
                    "assigned_object_type": "dcim.interface",
                    "assigned_object_id": id_,
                })  # fmt: skip
    return found


def _vendor(folder: Path, people: Population, devices: list[Device]) -> None:
    """One list a maker, of its wearables and hubs, as its cloud last heard of them."""
    by_maker: dict[str, list[Device]] = {}
    for device in devices:
        by_maker.setdefault(device.maker.lower(), []).append(device)
    for maker, those in sorted(by_maker.items()):
        with (folder / f"wearables-{maker}.csv").open("w", newline="", encoding="utf-8") as out:
            table = csv.writer(out)
            table.writerow(("account", "type", "model", "serial", "hub", "last heard"))
            for device in those:
                hub = people.devices[device.behind] if device.behind >= 0 else None
                # A hub of another maker is none of its business.
                behind = (
                    hub.account.partition("|")[2] if hub is not None and hub.maker == device.maker else ""
                )
                heard = START + timedelta(hours=people.hours - device.number % people.hours)
                account = device.account.partition("|")[2]
                row = (
                    account,
                    device.kind.word,
                    device.model,
                    device.serial,
                    behind,
                    f"{heard:%Y-%m-%dT%H:%M:%SZ}",
                )
                table.writerow(row)


def _declared() -> Iterator[tuple[str, str, int, str]]:
    for kind in (*kinds.KINDS, kinds.GATEWAY):
        for talk in kind.talks:
            yield kind.word, talk.role, talk.port, talk.transport
    for word, recipient, port in NEVER:
        yield word, recipient, port, "tcp"
