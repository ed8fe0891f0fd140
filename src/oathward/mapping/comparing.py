"""Compare what is declared with what was observed: conduits and the three lists. Pure, linear in what was observed.

Rules:
- A conversation is declared where its server, port, transport and client are those of a declaration.
- What somebody asked and nobody answered is no flow of data, and stands in no list.
- Everyday services inside the site (names, addresses, time) are drawn and counted, and are no finding; to the outside they are one.
- One finding for each server and service that nobody declared, however many asked: the count says how many.
- What nobody of the site declared counts as declared by its maker (``mud:``) where the MUD files of both ends' models permit it, as far as they have
  one; outside one it is a finding for each model, peer and service. What the site itself declares is never outside.
- Less protection is concluded only from what was seen in clear text or in a handshake.

Source: IEC 62443-3-2; RFC 8996 (TLS versions).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address

from oathward.mapping import modelled
from oathward.mapping.model import Compared, Conduit, Declared, DeclaredKind, Difference, Listed, Observed
from oathward.network.model import EXTERNAL
from oathward.network.rules import spans
from oathward.policy.model import IDENTITY_CLASSES, TRANSPORT_CLASSES

EVERYDAY = frozenset({"dns", "mdns", "llmnr", "dhcp", "dhcpv6", "ntp", "ssdp", "icmp", "igmp"})
EVERYDAY_PORTS = frozenset({53, 67, 68, 123, 546, 547, 1900, 5353, 5355})
PLAIN = frozenset({"hl7", "dicom", "http", "mqtt", "ftp", "telnet", "smtp", "fhir"})
"""Services that a sensor recognises only where it can read them."""

TLS_ORDER = ("SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")
AUTHENTICATION_ORDER = ("none", "server", "mutual")
BY_MAKER = "mud"
"""Before the name of a model whose maker, not the site, says that a conversation may be."""

SHOWN_MAX = 20
_FEW = 5


@dataclass(slots=True)
class _Group:
    """Conversations that nobody declared with one server and service."""

    first: Observed
    clients: set[str] = field(default_factory=set)
    ids: list[str] = field(default_factory=list)
    flows: int = 0
    bytes: int = 0
    other_than: str = ""


@dataclass(slots=True)
class _Outside:
    """Conversations of devices of one model that their maker does not foresee."""

    first: Observed
    who: str
    devices: set[str] = field(default_factory=set)
    ids: list[str] = field(default_factory=list)


def compare(
    declared: Sequence[Declared],
    observed: Iterable[Observed],
    *,
    left: bool = False,
    models: modelled.Models | None = None,
) -> Compared:
    """Compare; ``left``: there is more observed than was given. ``models``: whose makers say what they may speak."""
    by_port = _by_port(declared)
    matched: dict[str, str] = {}
    seen: set[str] = set()
    rows, found = [], list[Difference]()
    groups: dict[tuple[str, str, str, int], _Group] = {}
    senders: dict[str, set[str]] = defaultdict(set)
    undeclared: list[Observed] = []
    outside: dict[tuple[str, ...], _Outside] = {}
    for one in observed:
        rows.append(one)
        match = _match(one, by_port)
        if match is None:
            permit, model, who = modelled.said_of(models, one) if models is not None else (None, "", "")
            if permit:
                matched[one.id] = f"{BY_MAKER}:{model}"
            elif permit is False and _counts(one):
                _is_outside(outside, one, model, who)
            if permit is None or (permit is False and EXTERNAL in {one.client_zone, one.server_zone}):
                undeclared.append(one)
            continue
        matched[one.id] = name_of(match)
        seen.add(name_of(match))
        if match.kind is not DeclaredKind.CONNECTION:  # the same service elsewhere is another destination
            senders[one.client_endpoint or one.client].add(one.service or f"{one.transport}/{one.port}")
        found += _otherwise(match, one)
    for one in undeclared:
        if _counts(one):
            _group(groups, one, senders)
    found += _undeclared(groups.values())
    found += [_outside(key, one) for key, one in outside.items()]
    by_site = {id_: name for id_, name in matched.items() if not name.startswith(f"{BY_MAKER}:")}
    found += [_clear(one, by_site.get(one.id, "")) for one in rows if _exposed(one, by_site.get(one.id, ""))]
    if rows:
        found += [
            _unseen(one)
            for one in declared
            if name_of(one) not in seen and not one.lacks and one.kind is not DeclaredKind.GATEWAY
        ]
    kept = {(one.kind, one.key): one for one in reversed(found)}
    order = {listed: at for at, listed in enumerate((Listed.OTHERWISE, Listed.UNDECLARED, Listed.UNSEEN))}
    ordered = sorted(kept.values(), key=lambda one: (order[one.listed], one.kind, one.key))
    return Compared(tuple(_conduits(rows, matched, declared)), tuple(ordered), matched, len(rows), left)


def _is_outside(outside: dict[tuple[str, ...], _Outside], one: Observed, model: str, who: str) -> None:
    end = (
        (one.server_endpoint or one.server)
        if who == one.client_endpoint
        else f"{one.client_endpoint or one.client} from"
    )
    service = one.service or f"{one.transport}/{one.port}"
    key = (model, one.realm, end, f"{one.transport}/{one.port}", service)
    group = outside.setdefault(key, _Outside(one, who))
    group.devices.add(who)
    group.ids.append(one.id)


def _outside(key: tuple[str, ...], group: _Outside) -> Difference:
    one, model = group.first, key[0]
    details = _details(one) | {"model": model, "devices": len(group.devices)}
    way = f"to {one.server}" if group.who == one.client_endpoint else f"from {one.client}"
    words = f"{key[4]} {way}: the maker of {model} does not say that it may; {len(group.devices)} of them"
    about = f"endpoint:{group.who}"
    place = "|".join(key[:4])
    return Difference(
        Listed.OTHERWISE, "flow.outside-model", place, about, words, details, tuple(group.ids[:_FEW])
    )


def name_of(declared: Declared) -> str:
    """Name a declaration: ``link:ehr``."""
    return f"{declared.kind}:{declared.id}"


def _by_port(declared: Sequence[Declared]) -> dict[int, list[Declared]]:
    """Sort declarations by port; those of many ports, or any, under -1. What holds stands before what does not."""
    found: dict[int, list[Declared]] = defaultdict(list)
    for one in sorted(declared, key=lambda one: bool(one.lacks)):
        single = len(one.ports) == 1 and one.ports[0][0] == one.ports[0][1]
        found[one.ports[0][0] if single else -1].append(one)
    return found


def _match(one: Observed, by_port: dict[int, list[Declared]]) -> Declared | None:
    try:
        client, server = _number(one.client), _number(one.server)
    except ValueError:
        return None
    fits = [
        declared
        for declared in (*by_port.get(one.port, ()), *by_port.get(-1, ()))
        if declared.transport in {"", one.transport}
        and (not declared.ports or spans.holds(declared.ports, one.port))
        and (not declared.clients or spans.holds(declared.clients, client))
        and _ends(declared, one, client, server)
    ]
    return min(fits, key=lambda declared: bool(declared.lacks), default=None)


@lru_cache(65_536)
def _number(address: str) -> int:
    """Give an address's place among all; the same stand in thousands of conversations.

    Raises:
        ValueError: it is none.
    """
    return spans.number(ip_address(address))


def _ends(declared: Declared, one: Observed, client: int, server: int) -> bool:
    """Say whether the other end is the declared one; who is connected from outside may be the one that asks."""
    inward = declared.kind is DeclaredKind.CONNECTION and spans.holds(declared.servers, client)
    return inward or spans.holds(declared.servers, server) or _named(one.server_name, declared.hosts)


def _named(name: str, hosts: frozenset[str]) -> bool:
    """Say whether a server's name is one of these; ``*.`` is all below."""
    name = name.lower().rstrip(".")
    return bool(name) and any(
        name == host or (host.startswith("*.") and name.endswith(host[1:])) for host in hosts
    )


def _counts(one: Observed) -> bool:
    """Say whether an undeclared conversation is a finding."""
    if one.answered is False:
        return False
    outside = EXTERNAL in {one.client_zone, one.server_zone}
    return outside or not (one.service in EVERYDAY or one.port in EVERYDAY_PORTS or _multicast(one.server))


@lru_cache(65_536)
def _multicast(address: str) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return found.is_multicast or address == "255.255.255.255"


def _group(
    groups: dict[tuple[str, str, str, int], _Group], one: Observed, senders: dict[str, set[str]]
) -> None:
    who = one.client_endpoint or one.client
    same = senders.get(who, set()) & {one.service, f"{one.transport}/{one.port}"} - {""}
    other = who if same else ""
    outside = EXTERNAL in {one.client_zone, one.server_zone}
    end = one.client if one.client_zone == EXTERNAL and one.server_zone != EXTERNAL else one.server
    key = (
        other,
        one.realm if not outside else "",
        end if outside else one.server_endpoint or one.server,
        one.port,
    )
    group = groups.setdefault(key, _Group(one, other_than=other))
    group.clients.add(who)
    group.ids.append(one.id)
    group.flows += one.flows
    group.bytes += one.bytes


def _undeclared(groups: Iterable[_Group]) -> Iterator[Difference]:
    for group in groups:
        one = group.first
        outside = EXTERNAL in {one.client_zone, one.server_zone}
        service = one.service or f"{one.transport}/{one.port}"
        details = _details(one) | {"clients": len(group.clients), "flows": group.flows, "bytes": group.bytes}
        place = f"{one.realm}|{one.server_endpoint or one.server}|{one.transport}/{one.port}"
        about = f"endpoint:{one.server_endpoint}" if one.server_endpoint else f"address:{one.server}"
        ids = tuple(group.ids[:_FEW])
        if group.other_than:
            words = f"{service} to {one.server}, by who sends {service} on a declared way"
            about = f"endpoint:{one.client_endpoint}" if one.client_endpoint else f"address:{one.client}"
            yield Difference(
                Listed.OTHERWISE,
                "flow.other-destination",
                f"{group.other_than}|{place}",
                about,
                words,
                details,
                ids,
            )
        elif outside:
            inward = one.client_zone == EXTERNAL and one.server_zone != EXTERNAL
            end = one.client if inward else one.server
            words = (
                f"{service} {'from' if inward else 'to'} {one.server_name or end}, outside this site; {len(group.clients)} of ours"
                if not inward
                else f"{service} from {end}, outside this site"
            )
            yield Difference(
                Listed.UNDECLARED,
                "connection.unregistered",
                f"{end}|{one.transport}/{one.port}",
                about,
                words,
                details,
                ids,
            )
        else:
            words = (
                f"{service} to {one.server} in {one.server_zone or 'no zone'}, asked by {len(group.clients)}"
            )
            yield Difference(Listed.UNDECLARED, "flow.undeclared", place, about, words, details, ids)


def _details(one: Observed) -> dict[str, str | int | float]:
    found: dict[str, str | int | float] = {
        "client": one.client, "server": one.server, "transport": one.transport, "port": one.port, "service": one.service,
        "from zone": one.client_zone, "to zone": one.server_zone, "name": one.server_name[:100],
    }  # fmt: skip
    return {name: value for name, value in found.items() if value != ""}


def _otherwise(declared: Declared, one: Observed) -> Iterator[Difference]:
    """Give in what a declared conversation is otherwise than declared."""
    name, connection = name_of(declared), declared.kind is DeclaredKind.CONNECTION
    details, ids = _details(one), (one.id,)
    for words in declared.lacks:
        yield Difference(Listed.OTHERWISE, "connection.outside-agreement", name, name, words, details, ids)
    more = (
        sorted(set(one.classes) - declared.classes - TRANSPORT_CLASSES)
        if declared.classes is not None
        else []
    )
    if more:
        kind = "connection.outside-agreement" if connection else "flow.more-data"
        words = (
            f"carries {', '.join(more[:_FEW])}{f' and {len(more) - _FEW} more' if len(more) > _FEW else ''}"
        )
        counts: dict[str, str | int | float] = {cls: one.classes[cls] for cls in more[:10]}
        yield Difference(Listed.OTHERWISE, kind, f"{name}|classes", name, words, details | counts, ids)
    weak = weaker(declared, one)
    if weak:
        kind = "connection.below-minimum" if connection else "flow.weaker-protection"
        yield Difference(
            Listed.OTHERWISE, kind, f"{name}|{one.client_zone}", name, "; ".join(weak), details, ids
        )


def weaker(declared: Declared, one: Observed) -> list[str]:
    """Say in what a conversation is less protected than declared; nothing where that is not known."""
    found = []
    plain = (
        one.encrypted is False
        or bool(one.classes)
        or (one.encrypted is None and not one.tls and one.service in PLAIN)
    )
    if declared.tls and plain:
        found.append("is in clear text")
    elif (
        declared.tls_min
        and one.tls in TLS_ORDER
        and TLS_ORDER.index(one.tls) < TLS_ORDER.index(declared.tls_min)
    ):
        found.append(f"uses {one.tls}, and at least {declared.tls_min} is declared")
    known = one.authentication in AUTHENTICATION_ORDER
    if known and AUTHENTICATION_ORDER.index(str(one.authentication)) < AUTHENTICATION_ORDER.index(
        declared.authentication
    ):
        found.append(f"authenticates {one.authentication}, and {declared.authentication} is declared")
    if one.certificate_days is not None and one.certificate_days < declared.certificate_days_min:
        found.append(
            f"its certificate is valid for {max(one.certificate_days, 0)} days, and {declared.certificate_days_min} are declared"
        )
    return found


def _exposed(one: Observed, matched: str) -> bool:
    """Say whether it tells whose data it carries where others may listen: across zones, or where nobody declared it."""
    return bool(IDENTITY_CLASSES & set(one.classes)) and (not matched or one.client_zone != one.server_zone)


def _clear(one: Observed, matched: str) -> Difference:
    details = _details(one) | {
        cls: one.classes[cls] for cls in sorted(IDENTITY_CLASSES & set(one.classes))[:8]
    }
    about = matched or (f"endpoint:{one.client_endpoint}" if one.client_endpoint else f"address:{one.client}")
    key = f"{one.realm}|{one.client_endpoint or one.client}|{one.server_endpoint or one.server}|{one.port}"
    words = f"{one.service or one.transport} from {one.client} to {one.server} says whose data they are, in clear text"
    return Difference(Listed.OTHERWISE, "flow.clear-text-phi", key, about, words, details, (one.id,))


def _unseen(one: Declared) -> Difference:
    name = name_of(one)
    words = "is declared, and none of its traffic was seen"
    return Difference(Listed.UNSEEN, "link.never-observed", name, name, words, {"kind": str(one.kind)})


def _conduits(
    rows: Sequence[Observed], matched: dict[str, str], declared: Sequence[Declared]
) -> Iterator[Conduit]:
    by_name = {name_of(one): one for one in declared}
    zones: dict[tuple[str, str], list[Observed]] = defaultdict(list)
    for one in rows:
        zones[one.client_zone, one.server_zone].append(one)
    for (client_zone, server_zone), members in sorted(zones.items()):
        services = Counter(one.service or f"{one.transport}/{one.port}" for one in members)
        classes: Counter[str] = Counter()
        for one in members:
            classes.update(one.classes)
        names = sorted({matched[one.id] for one in members if one.id in matched})
        carried = frozenset[str]().union(*(by_name[name].classes or () for name in names if name in by_name))
        yield Conduit(
            client_zone,
            server_zone,
            len(members),
            sum(one.flows for one in members),
            sum(one.bytes for one in members),
            dict(services.most_common(SHOWN_MAX)),
            dict(sorted(classes.items())),
            carried,
            tuple(names),
            sum(one.id not in matched for one in members),
        )
