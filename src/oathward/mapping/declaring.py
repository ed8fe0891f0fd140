"""What is declared, as flows: links with their recipients' addresses, devices that speak to the gateway, external connections. Pure.

Rules:
- Where a link goes stands in its recipient's address; a folder or what is kept here is no flow.
- A device is declared to speak to the gateway where it is pinned to addresses; one known by its certificate alone has no address to compare.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from oathward.governance.covering import classes_of, lacks, standing
from oathward.mapping.model import Declared, DeclaredKind
from oathward.network.rules import spans
from oathward.network.rules.spans import Spans
from oathward.policy.model import PROTECTION, TRANSPORT_CLASSES

if TYPE_CHECKING:
    from oathward.governance.model import AgreementRow, ConnectionRow
    from oathward.inventory.model import Device
    from oathward.policy.bundle import Bundle

Names = Mapping[str, frozenset[str]]
"""Host name -> addresses it is known by."""


def of_links(bundle: Bundle, here: Spans = (), names: Names | None = None) -> Iterator[Declared]:
    """Give the links that leave over a network.

    Args:
        here: addresses of this machine, where the site says so. names: of hosts whose addresses are known.
    """
    for link in bundle.links.values():
        recipient = bundle.recipients[link.recipient]
        where = place_of(recipient.kind, recipient.address)
        if where is None:
            continue
        host, port = where
        servers, hosts = _host(host, names or {})
        level = PROTECTION.index(recipient.protection)
        encrypted = recipient.kind in {"mllps", "fhir"}
        yield Declared(
            kind=DeclaredKind.LINK,
            id=link.id,
            clients=here,
            servers=servers,
            hosts=hosts,
            ports=((port, port),),
            transport="tcp",
            tls=encrypted,
            tls_min="TLSv1.2" if encrypted else "",
            authentication="mutual"
            if encrypted and level >= PROTECTION.index("mtls")
            else "server"
            if encrypted
            else "none",
            classes=link.classes,
            outside=recipient.external,
            zone=recipient.zone,
        )


def hosts_of(bundle: Bundle | None, rows: Iterable[ConnectionRow]) -> set[str]:
    """List the hosts that recipients and connections are declared by, lower case; addresses are none."""
    found = {host for row in rows for host in row.hosts if not host.startswith("*.")}
    for recipient in bundle.recipients.values() if bundle is not None else ():
        where = place_of(recipient.kind, recipient.address)
        found |= {where[0]} if where is not None else set()
    return {host.lower() for host in found if _host(host, {})[1]}


def place_of(kind: str, address: str) -> tuple[str, int] | None:
    """Give host and port of a recipient's address; None where it has none on a network."""
    if kind not in {"mllp", "mllps", "fhir"}:
        return None
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        port = parts.port or (443 if kind == "fhir" else None)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname and port else None


def of_devices(
    devices: Iterable[Device], here: Spans, ports: Iterable[tuple[int, bool]]
) -> Iterator[Declared]:
    """Give the declared devices that speak to this site's gateway.

    Args:
        here: addresses of this machine; none is declared where nobody says them. ports: of its doors, and whether each is encrypted.
    """
    doors = list(ports)
    for device in devices if here else ():
        clients = spans.joined(_span(one) for one in device.addresses)
        for port, encrypted in doors if clients else ():
            yield Declared(
                kind=DeclaredKind.GATEWAY,
                id=f"{device.id}:{port}",
                clients=clients,
                servers=here,
                ports=((port, port),),
                transport="tcp",
                tls=encrypted,
                tls_min="TLSv1.2" if encrypted else "",
            )


def of_connections(
    rows: Iterable[ConnectionRow],
    agreements: Mapping[str, AgreementRow],
    now_us: int,
    names: Names | None = None,
) -> Iterator[Declared]:
    """Give external connections, with what each lacks now."""
    for row in rows:
        agreement = agreements.get(row.agreement)
        missing = lacks(row, agreement, now_us) if standing(row, now_us) else ("is not in force",)
        known = [_host(host, names or {})[0] for host in row.hosts]
        yield Declared(
            kind=DeclaredKind.CONNECTION,
            id=row.id,
            servers=spans.joined(
                [*(_span(one) for one in row.networks), *(span for one in known for span in one)]
            ),
            hosts=row.hosts,
            ports=spans.joined(_ports(one) for one in row.ports),
            transport=row.transport,
            tls=bool(row.tls_min),
            tls_min=row.tls_min,
            authentication=str(row.authentication),
            certificate_days_min=row.certificate_days_min,
            classes=classes_of(agreement) | TRANSPORT_CLASSES if agreement is not None else frozenset(),
            lacks=missing,
            outside=True,
        )


def _host(host: str, names: Names) -> tuple[Spans, frozenset[str]]:
    """Give what is known of a host: its addresses, and its name where it is none."""
    try:
        return spans.joined([_span(host)]), frozenset()
    except ValueError:
        known = names.get(host.lower(), frozenset())
        return spans.joined(_span(one) for one in known), frozenset({host.lower()})


def _span(text: str) -> tuple[int, int]:
    network = ipaddress.ip_network(text, strict=False)
    return spans.number(network[0]), spans.number(network[-1])


def _ports(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    return int(first), int(last or first)
