"""Read both sides from where they are kept: what is declared now, what was observed of late.

Rules:
- The conversations with the most bytes are looked at, ``CONVERSATIONS_MAX`` of them; where there are more, what is made of them says so.
- Names of servers come from the flows of the last days, addresses of declared hosts from answers that sensors saw (``endpoints.leases``); how long a certificate is valid, from what was seen of its endpoint.
- Nothing is written here but findings, by who asks for that (``tell``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from oathward.core.db import read
from oathward.endpoints import leases, loading, models
from oathward.endpoints import views as endpoints
from oathward.findings.reconciling import reconcile
from oathward.governance import sql as register
from oathward.mapping import declaring, raising
from oathward.mapping.comparing import PLAIN, compare
from oathward.mapping.model import Compared, Declared, Listed, Observed
from oathward.mapping.modelled import Models
from oathward.mapping.naming import server_names
from oathward.mapping.picture import DECLARED, OTHERWISE, UNDECLARED, End, Line
from oathward.network import views as network
from oathward.network.model import Conversation, ConversationFilters
from oathward.network.rules import spans

if TYPE_CHECKING:
    from oathward.endpoints.model import EndpointRow
    from oathward.findings.model import Told
    from oathward.inventory.model import Device
    from oathward.policy.bundle import Bundle
    from oathward.vault.opened import Opened

CONVERSATIONS_MAX = 20_000
DAYS = 30
"""Days back from the last flow that are told of."""

_DAY_US = 86_400_000_000
_ENDS, _SHOWN = "certificate-ends", "client-certificate"


@dataclass(frozen=True, slots=True)
class Living:
    """The map as it is read: what differs, what was observed, and who is who.

    Args:
        rows: endpoint id -> as the inventory lists it.
    """

    compared: Compared
    observed: Sequence[Observed]
    rows: Mapping[str, EndpointRow]


def living(
    db: Connection,
    site: Opened,
    bundle: Bundle | None,
    now_us: int,
    *,
    zone: str = "",
    service: str = "",
    since_us: int = 0,
    devices: Sequence[Device] = (),
    most: int = CONVERSATIONS_MAX,
) -> Living:
    """Compare what is declared with what was observed.

    Args:
        zone, service: only conversations on one of whose sides that is, or of that service; then nothing is called never observed.
        devices: declared ones, where those that speak to the gateway are to be compared.
    """
    wanted = ConversationFilters(zone=zone, service=service, since_us=since_us)
    found = network.conversations(db, site.site, wanted, limit=most + 1)
    left, found = len(found) > most, found[:most]
    ids = sorted({end for one in found for end in (one.key.client_endpoint, one.key.server_endpoint)} - {""})
    rows = endpoints.names(db, site.site, ids)
    observed = list(_observed(db, site, found, now_us))
    said = declared(db, site, bundle, now_us, devices)
    compared = compare(said, observed, left=left, models=_models(db, site, rows, now_us))
    if zone or service or left:
        kept = tuple(one for one in compared.differences if one.listed is not Listed.UNSEEN)
        compared = Compared(compared.conduits, kept, compared.matched, compared.looked, left)
    return Living(compared, observed, rows)


def declared(
    db: Connection, site: Opened, bundle: Bundle | None, now_us: int, devices: Sequence[Device] = ()
) -> list[Declared]:
    """Give all that is declared now."""
    settings = site.settings
    here = _here((settings.mllp.host, settings.fhir.host))
    agreements = {row.id: row for row in register.agreements(db, site.site)}
    doors = ((settings.mllp.port, False), (settings.mllp.tls_port, True), (settings.fhir.port, True))
    connections = register.connections(db, site.site)
    names = leases.addresses_of(db, site.site, declaring.hosts_of(bundle, connections), now_us)
    found = [*declaring.of_links(bundle, here, names)] if bundle is not None else []
    found += declaring.of_devices(devices, here, [(port, tls) for port, tls in doors if port > 0])
    found += declaring.of_connections(connections, agreements, now_us, names)
    return found


def _models(db: Connection, site: Opened, rows: Mapping[str, EndpointRow], now_us: int) -> Models | None:
    """Give the MUD files of the models of endpoints; None where there are none."""
    kept = models.by_endpoint(models.kept(db, site.site), rows)
    if not kept:
        return None
    hosts = {
        peer.value
        for one in kept.values()
        for rule in one.rules
        for peer in rule.peers
        if peer.kind == "name"
    }
    here = _here((site.settings.mllp.host, site.settings.fhir.host))
    return Models(kept, rows, here, leases.addresses_of(db, site.site, hosts, now_us))


def _here(hosts: Sequence[str]) -> spans.Spans:
    """Give the addresses of this machine that the settings say; none where they say all of them, or itself alone."""
    found = []
    for host in hosts:
        try:
            found.append(spans.address_span(host))
        except ValueError:
            continue
    kept = [
        one
        for one in found
        if one[0]
        and not (127 << 24) <= one[0] < (128 << 24)
        and one[0] not in {spans.V6_FIRST, spans.V6_FIRST + 1}
    ]
    return spans.joined(kept)


def tell(site: Opened, found: Living, now_us: int) -> Told:
    """Tell the findings of a comparison; those it no longer has are cleared, where it looked at everything."""
    seen, whole = raising.of_map(found.compared), not found.compared.left
    return reconcile(site.engine, site.site, raising.MAP, seen, site.settings.findings, now_us, whole=whole)


def ends_and_lines(found: Living) -> tuple[list[End], list[Line]]:
    """Give what the picture is made of: one end an endpoint or address, one line a conversation."""
    ends: dict[str, End] = {}
    lines = []
    wrong = {id_ for one in found.compared.listed(Listed.OTHERWISE) for id_ in one.conversations}
    for one in found.observed:
        pair = []
        for id_, address, zone in (
            (one.client_endpoint, one.client, one.client_zone),
            (one.server_endpoint, one.server, one.server_zone),
        ):
            row = found.rows.get(id_)
            key = id_ or f"{one.realm}|{address}"
            words = (row.name.rstrip("|") if row else "") or address
            model = " ".join(filter(None, (row.make, row.model or row.type))) if row else ""
            ends.setdefault(key, End(key, words, zone, row.unit if row else "", model))
            pair.append(key)
        state = OTHERWISE if one.id in wrong else DECLARED if one.id in found.compared.matched else UNDECLARED
        lines.append(Line(pair[0], pair[1], state))
    return list(ends.values()), lines


def _observed(db: Connection, site: Opened, found: Sequence[Conversation], now_us: int) -> Iterator[Observed]:
    names = server_names(site.settings.data, min(now_us, network.newest_us(db, site.site)))
    secure = sorted({one.key.server_endpoint for one in found if one.key.tls} - {""})
    clients = sorted({one.key.client_endpoint for one in found if one.key.tls} - {""})
    ends = _certificates(db, site.site, secure, now_us)
    shown = _showing(db, site.site, clients)
    for one in found:
        key, sums = one.key, one.sums
        answered = True if sums.answered else False if sums.unanswered else None
        mutual = bool(key.tls) and key.client_endpoint in shown
        yield Observed(
            id=one.id, realm=key.realm, client=key.client, server=key.server, transport=key.transport, port=key.port,
            client_zone=one.client_zone, server_zone=one.server_zone, client_endpoint=key.client_endpoint,
            server_endpoint=key.server_endpoint, service=key.service, tls=key.tls,
            encrypted=True if key.tls else False if key.service in PLAIN or one.classes else None,
            server_name=names.get((key.realm, key.server, key.port), ""), authentication="mutual" if mutual else None,
            certificate_days=ends.get(key.server_endpoint) if key.tls else None, flows=sums.flows,
            bytes=sums.client_bytes + sums.server_bytes, answered=answered, first_us=one.first_us, last_us=one.last_us,
            classes=one.classes,
        )  # fmt: skip


def _certificates(db: Connection, site: str, ids: Sequence[str], now_us: int) -> dict[str, int]:
    """Give how many days the certificate an endpoint showed last is valid still."""
    found = {}
    for id_, rows in loading.attributes_of(db, site, list(ids)).items():
        last = max((row for row in rows if row.attribute == _ENDS), key=lambda row: row.last_us, default=None)
        days = _days(last.value, now_us) if last is not None else None
        if days is not None:
            found[id_] = days
    return found


def _showing(db: Connection, site: str, ids: Sequence[str]) -> set[str]:
    """Give the endpoints that showed a certificate of their own as clients."""
    known = loading.attributes_of(db, site, list(ids))
    return {
        id_
        for id_, rows in known.items()
        if any(row.attribute == _SHOWN and row.value == "shown" for row in rows)
    }


def _days(text: str, now_us: int) -> int | None:
    try:
        if text.isdecimal() and len(text) < 13:
            return (int(text) * 1_000_000 - now_us) // _DAY_US
        day = date.fromisoformat(text[:10])
    except ValueError:
        return None
    return day.toordinal() - date(1970, 1, 1).toordinal() - now_us // _DAY_US


def read_living(site: Opened, bundle: Bundle | None, now_us: int, devices: Sequence[Device] = ()) -> Living:
    """Read the whole map of the last ``DAYS``, as a telling of findings needs it."""
    with read(site.engine) as db:
        since_us = network.since(db, site.site, now_us, DAYS)
        return living(db, site, bundle, now_us, since_us=since_us, devices=devices)
