"""The gateway's own traffic as a source: who sent it messages, and where they went, by the ledger; no packet is needed for it.

Rules:
- The device is who the gateway itself identified: its statements have the mark ``device``, which no sensor can give, and what its signed document declares.
- A message is counted as a flow of one packet; how many bytes it had stands in no record. Device to gateway in the hour it was accepted, gateway to
  recipient in the hour it was delivered, by the address that the bundle in force has for its link.
- What was read is told by the ledger's index: read again, nothing is added.

Deliberately absent: messages of unknown devices (held: `oathward device strangers`), anything of a message's content.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from oathward.activation import load_active
from oathward.core.db import read, write
from oathward.discovery.model import Fact, Mark, MarkKind, Statement
from oathward.discovery.totals import HOUR_US, TOTAL_COLUMNS
from oathward.endpoints.listed import having
from oathward.inventory import views as inventory
from oathward.ledger import Entry, entries, head
from oathward.network import actions
from oathward.observing.report import SourceReport

if TYPE_CHECKING:
    import polars as pl

    from oathward.inventory.model import Device
    from oathward.network.model import ObservedSource
    from oathward.observing.run import Run
    from oathward.policy.model import Link, Recipient

SOURCE = "gateway"
RECORDS = 5_000
"""Of the ledger that are read at once; one group."""

_TOLD_AS = hashlib.sha256(b"oathward: the gateway's own traffic").hexdigest()
_FACTS = (("make", "make", 0.9), ("model", "model", 0.9), ("serial", "serial", 0.9), ("udi", "udi", 0.9),
          ("location", "location", 1.0), ("owner", "owner", 1.0), ("name", "name", 1.0))  # fmt: skip


class _Talk(NamedTuple):
    """Who asked whom in an hour; devices by their id, others by address."""

    hour_us: int
    device: str
    server: str
    port: int
    service: str
    tls: str


def observe_own(run: Run) -> SourceReport:
    """Take in what the ledger has of messages accepted and delivered since the last time."""
    site = run.site
    found = SourceReport("the gateway's own traffic", "read", SOURCE)
    run.report.sources.append(found)
    new = replace(run.new_source(SOURCE, found.name), head_bytes=1, head_sha256=_TOLD_AS)
    row = run.begin(new, lambda length: _TOLD_AS if length == 1 else "")
    with read(site.engine) as db:
        size = head(db, site.site).size
        devices = {
            view.device.id: view.device
            for view in inventory.devices(db, site.site, site.authority, site.seen)
            if view.signed == "yes"
        }
        active = load_active(db, site.site, site.authority, site.seen)
    ways = _ways(active.bundle.links, active.bundle.recipients) if active else {}
    if row.offset >= size:
        found.state = "known"
        return found
    while row.offset < size:
        stop = min(row.offset + RECORDS, size)
        with read(site.engine) as db:
            some = entries(db, site.site, row.offset, stop)
        row = _store(run, found, row, stop, some, devices, ways)
    if found.flows:  # a record of nothing would be the next time's news
        run.finish(row, found)
    return found


def _store(
    run: Run,
    found: SourceReport,
    row: ObservedSource,
    stop: int,
    some: Sequence[Entry],
    devices: Mapping[str, Device],
    ways: Mapping[str, tuple[str, int, str, str]],
) -> ObservedSource:
    talks, last = _talks(run, some, ways)
    statements = [
        _statement(devices[id_], run.realm, at_us) for id_, at_us in sorted(last.items()) if id_ in devices
    ]
    flows = sum(talks.values())
    found.flows += flows
    found.statements += len(statements)
    times = [entry.at_us for entry in some]
    found.first_us, found.last_us = found.first_us or min(times, default=0), max(times, default=0)
    now = replace(
        row,
        offset=stop,
        parts=row.parts + 1,
        flows=row.flows + flows,
        statements=row.statements + len(statements),
        first_us=row.first_us or min(times, default=0),
        last_us=max([row.last_us, *times]),
        updated_us=run.now_us(),
        finished=False,
    )
    if run.dry:
        return now
    if statements:
        run.endpoints.take(statements)
    with read(run.site.engine) as db:
        marks = [Mark(MarkKind.DEVICE, talk.device) for talk in talks if talk.device]
        ids = having(db, run.site.site, run.realm, marks)
    rows = actions.prepare(run.site.site, _frame(run, talks, devices, ids), (), run.plan, lambda *_: "")
    with write(run.site.engine) as db:
        actions.store(db, run.site.site, rows, now, row.parts)
    return now


def _talks(
    run: Run, some: Sequence[Entry], ways: Mapping[str, tuple[str, int, str, str]]
) -> tuple[Counter[_Talk], dict[str, int]]:
    """Count messages by who asked whom in which hour; and say when each device was last heard."""
    settings = run.site.settings
    talks: Counter[_Talk] = Counter()
    last: dict[str, int] = {}
    for entry in some:
        hour = entry.at_us // HOUR_US * HOUR_US
        if entry.kind == "message.accepted":
            device, fhir = (
                str(entry.body.get("device", "")),
                str(entry.body.get("type", "")).startswith("FHIR"),
            )
            door = settings.fhir if fhir else settings.mllp
            talks[_Talk(hour, device, door.host, max(door.port, 0), "fhir" if fhir else "hl7", "")] += 1
            last[device] = entry.at_us
        elif entry.kind == "message.delivered" and entry.links and entry.links[0] in ways:
            talks[_Talk(hour, "", *ways[entry.links[0]])] += 1
    return talks, last


def _ways(
    links: Mapping[str, Link], recipients: Mapping[str, Recipient]
) -> dict[str, tuple[str, int, str, str]]:
    """Say where each link goes by the network: link -> address, port, service, TLS."""
    found = {}
    for id_, link in links.items():
        recipient = recipients.get(link.recipient)
        if recipient is None:  # what Oathward keeps
            continue
        kind, address = recipient.kind, recipient.address
        if kind in {"mllp", "mllps"} and ":" in address:
            host, _, port = address.rpartition(":")
            found[id_] = (host.strip("[]"), int(port), "hl7", "TLS" if kind == "mllps" else "")
        elif kind == "fhir":
            parts = urlsplit(address)
            secure = parts.scheme == "https"
            found[id_] = (
                parts.hostname or "",
                parts.port or (443 if secure else 80),
                "fhir",
                "TLS" if secure else "",
            )
    return found


def _statement(device: Device, realm: str, at_us: int) -> Statement:
    """Say what the signed document of a device says, at the moment it was heard."""
    marks = [Mark(MarkKind.DEVICE, device.id)]
    marks += [Mark(MarkKind.CERTIFICATE, one) for one in sorted(device.certificates)]
    address = _address(device)
    if address:
        marks.append(Mark(MarkKind.ADDRESS, address))
    facts = [
        Fact(name, getattr(device, field), sure) for name, field, sure in _FACTS if getattr(device, field)
    ]
    return Statement(at_us, SOURCE, realm, tuple(marks), tuple(facts))


def _address(device: Device) -> str:
    """Give the one address a device is pinned to; empty where it has none, several, or a network."""
    single = []
    for one in device.addresses:
        network = ipaddress.ip_network(one, strict=False)
        single.append(str(network.network_address) if network.num_addresses == 1 else "")
    return single[0] if len(single) == 1 else ""


def _frame(
    run: Run, talks: Mapping[_Talk, int], devices: Mapping[str, Device], ids: Mapping[Mark, frozenset[str]]
) -> pl.DataFrame:
    """Make totals of what was counted, with the endpoints of devices."""
    import polars as pl

    gateway, rows = run.site.settings.mllp.host, []
    for talk, count in talks.items():
        device = devices.get(talk.device)
        client = (_address(device) if device else "") if talk.device else gateway
        of = ids.get(Mark(MarkKind.DEVICE, talk.device), frozenset())
        endpoint = next(iter(of)) if talk.device and len(of) == 1 else ""
        rows.append(
            {
                "hour_us": talk.hour_us,
                "realm": run.realm,
                "client": client,
                "server": talk.server,
                "transport": "tcp",
                "port": talk.port,
                "service": talk.service,
                "tls": talk.tls,
                "flows": count,
                "answered": count,
                "unanswered": 0,
                "client_bytes": 0,
                "server_bytes": 0,
                "client_packets": count,
                "server_packets": 0,
                "first_us": talk.hour_us,
                "last_us": talk.hour_us,
                "client_endpoint": endpoint,
                "server_endpoint": "",
            }
        )
    kinds = {name: getattr(pl, kind) for name, kind in TOTAL_COLUMNS.items()}
    return pl.DataFrame(rows, schema=kinds | {"client_endpoint": pl.String, "server_endpoint": pl.String})
