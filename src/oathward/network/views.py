"""What of the network people and the map read: conversations, peers, zones, use by hour, sources, the plan.

Rules:
- Everything is bounded: ``limit`` rows at most, the busiest first; a page of one device reads its own conversations by index.
- Sums of a conversation are of all time; between two times they are added up from its hours.

Deliberately absent: names of endpoints (``endpoints.views``), what was declared (``mapping``).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, or_, select, union

from oathward.network import sql
from oathward.network.model import (
    EXTERNAL,
    UNPLANNED,
    Conversation,
    ConversationFilters,
    ConversationKey,
    ObservedSource,
    Peer,
    PlanRow,
    RulesetRow,
    Sums,
    Use,
    ZonePair,
)
from oathward.network.plan import Plan

_T, _TOTAL, _USE = sql.flow_conversation.c, sql.flow_total.c, sql.flow_use.c
_BYTES = _T.client_bytes + _T.server_bytes
_DAY_US = 86_400_000_000
_DIGITS_MAX = 18
_IDS_MAX = 256
_KEYS = len(ConversationKey._fields)
_ZONES_MAX = 200
_ID = re.compile(r"[0-9a-f]{32}").fullmatch


def plan(db: Connection, site: str) -> Plan:
    """Give the plan, ready to be asked."""
    return Plan(sql.plan_rows(db, site))


def plan_rows(db: Connection, site: str) -> list[PlanRow]:
    """List the networks of the plan."""
    return sql.plan_rows(db, site)


def rulesets(db: Connection, site: str, name: str = "") -> list[RulesetRow]:
    """List imported rules by name, or those of one."""
    return sql.rulesets(db, site, name)


def sources(db: Connection, site: str, *, limit: int = 100) -> list[ObservedSource]:
    """List what was read, the last first."""
    return sql.sources(db, site, limit)


def conversations(
    db: Connection, site: str, wanted: ConversationFilters, *, limit: int = 1_000, newest: bool = False
) -> list[Conversation]:
    """List conversations, those with the most bytes first, or those seen last.

    Where a time is asked for, those that were seen in it by first and last; their sums are of all time.
    """
    if newest:
        query = _filtered(db, select(sql.flow_conversation), site, wanted)
        rows = list(db.execute(query.order_by(_T.last_us.desc(), _T.id.desc()).limit(limit)))
        return _with_classes(db, site, [_conversation(row) for row in rows])
    # Ids first: what they are chosen by stands in one index whole, a quarter of the table.
    since, all_time = wanted.since_us, replace(wanted, since_us=0)
    query = _filtered(db, select(_T.id), site, all_time)
    query = query.where(_T.last_us + 0 >= since) if since else query
    ids = list(db.execute(query.order_by(_BYTES.desc(), _T.id).limit(limit)).scalars())
    found = dict[bytes, Conversation]()
    for at in range(0, len(ids), _IDS_MAX):
        some = _T.id.in_(ids[at : at + _IDS_MAX])
        for row in db.execute(select(sql.flow_conversation).where(_T.site == site, some)):
            found[bytes(row.id)] = _conversation(row)
    return _with_classes(db, site, [found[bytes(id_)] for id_ in ids])


def newest(
    db: Connection, site: str, wanted: ConversationFilters, *, after: str = "", limit: int = 50
) -> tuple[list[Conversation], str]:
    """List a page of conversations, those seen last first; gives what the next page begins behind, empty at the end.

    Args:
        after: what the page before gave; what is none begins at the first.
    """
    # Few are of one endpoint: they are found first and then sorted, not looked for among all in their order.
    narrow = wanted.endpoints or wanted.peers or wanted.address or wanted.peer_address
    at = _T.last_us + 0 if narrow else _T.last_us
    query = _filtered(db, select(sql.flow_conversation), site, wanted)
    last, _, id_ = after.partition(".")
    if last.isascii() and last.isdigit() and len(last) <= _DIGITS_MAX and _ID(id_):
        same = (_T.last_us == int(last)) & (_T.id < bytes.fromhex(id_))
        query = query.where(_T.last_us <= int(last), or_(_T.last_us < int(last), same))
    rows = [
        _conversation(row) for row in db.execute(query.order_by(at.desc(), _T.id.desc()).limit(limit + 1))
    ]
    more = f"{rows[limit - 1].last_us}.{rows[limit - 1].id}" if len(rows) > limit else ""
    return _with_classes(db, site, rows[:limit]), more


def one(db: Connection, site: str, id_: str) -> Conversation | None:
    """Read one conversation."""
    try:
        key = bytes.fromhex(id_)
    except ValueError:
        return None
    row = db.execute(select(sql.flow_conversation).where(_T.site == site, _T.id == key)).first()
    return None if row is None else _with_classes(db, site, [_conversation(row)])[0]


def hours(
    db: Connection,
    site: str,
    id_: str,
    *,
    since_us: int = 0,
    until_us: int = 2**62,
    limit: int | None = None,
) -> list[tuple[int, Sums]]:
    """Give the totals of one conversation by hour, the first first; ``limit`` at most, all without it."""
    query = select(_TOTAL.hour_us, *(_TOTAL[name] for name in Sums._fields)).where(
        *(_TOTAL.site == site, _TOTAL.conversation == bytes.fromhex(id_)),
        *(_TOTAL.hour_us >= since_us, _TOTAL.hour_us < until_us),
    )
    query = query.order_by(_TOTAL.hour_us).limit(limit)
    return [(int(hour), Sums(*map(int, rest))) for hour, *rest in db.execute(query)]


def count(db: Connection, site: str, wanted: ConversationFilters, *, most: int = 10_000) -> int:
    """Count conversations, up to a bound."""
    inner = _filtered(db, select(_T.id), site, wanted).limit(most).subquery()
    return int(db.execute(select(func.count()).select_from(inner)).scalar_one())


def peers(
    db: Connection, site: str, endpoints: Collection[str], *, limit: int = 50, since_us: int = 0
) -> list[Peer]:
    """List with whom one endpoint spoke and by what, the most bytes first.

    Args:
        endpoints: its ids, today's and those merged into it.
    """
    found = list[Peer]()
    for mine, other in (("client", "server"), ("server", "client")):
        sent, received = func.sum(_T[f"{mine}_bytes"]), func.sum(_T[f"{other}_bytes"])
        keys = (
            _T[f"{other}_endpoint"],
            _T[other],
            _T[f"{other}_zone"],
            _T.service,
            _T.transport,
            _T.port,
            _T.tls,
        )
        query = (
            select(*keys, func.min(_T.first_us), func.max(_T.last_us), sent, received, func.sum(_T.flows))
            .where(_T.site == site, _T[f"{mine}_endpoint"].in_(sorted(endpoints)), _T.last_us >= since_us)
            .group_by(*keys)
            .order_by((sent + received).desc())
            .limit(limit)
        )
        for (
            endpoint,
            address,
            zone,
            service,
            transport,
            port,
            tls,
            first,
            last,
            out,
            into,
            flows,
        ) in db.execute(query):
            asked = mine == "client"
            found.append(
                Peer(
                    endpoint,
                    address,
                    zone,
                    service,
                    transport,
                    port,
                    asked,
                    tls,
                    first,
                    last,
                    int(out),
                    int(into),
                    int(flows),
                )
            )
    found.sort(key=lambda peer: (-(peer.sent_bytes + peer.received_bytes), peer.address, peer.port))
    return found[:limit]


def use(db: Connection, site: str, endpoints: Collection[str], since_us: int, until_us: int) -> list[Use]:
    """Give what one endpoint did, by hour; hours without a flow are left out."""
    query = (
        select(_USE.hour_us, func.sum(_USE.flows), func.sum(_USE.sent_bytes), func.sum(_USE.received_bytes))
        .where(
            *(_USE.site == site, _USE.endpoint.in_(sorted(endpoints))),
            *(_USE.hour_us >= since_us, _USE.hour_us < until_us),
        )
        .group_by(_USE.hour_us)
        .order_by(_USE.hour_us)
    )
    return [Use(*map(int, row)) for row in db.execute(query)]


def zone_pairs(db: Connection, site: str, *, since_us: int = 0) -> list[ZonePair]:
    """Add up conversations by the zones they are between, service, transport and TLS version; the most bytes first."""
    keys = (_T.client_zone, _T.server_zone, _T.service, _T.transport, _T.tls)
    sums = (
        func.count(),
        func.sum(_T.flows),
        func.sum(_T.client_bytes),
        func.sum(_T.server_bytes),
        func.max(_T.last_us),
    )
    query = select(*keys, *sums).where(_T.site == site, *_seen(since_us)).group_by(*keys)
    found = [ZonePair(*row[:5], *map(int, row[5:])) for row in db.execute(query)]
    return sorted(found, key=lambda one: (-(one.client_bytes + one.server_bytes), one[:5]))


def services(db: Connection, site: str, *, since_us: int = 0) -> dict[str, int]:
    """Count conversations by service; empty where nobody recognised one."""
    query = select(_T.service, func.count()).where(_T.site == site, *_seen(since_us)).group_by(_T.service)
    return {service: int(n) for service, n in db.execute(query)}


def service_names(db: Connection, site: str, *, limit: int = 100) -> list[str]:
    """List services that were recognised, by name."""
    return _values(db, site, _T.service, limit)


def zone_names(db: Connection, site: str) -> list[str]:
    """List zones: those of the plan, what no plan names and outside, and each that conversations have."""
    planned = {row.zone for row in sql.plan_rows(db, site)} | {UNPLANNED, EXTERNAL}
    return sorted(planned.union(_values(db, site, _T.client_zone, _ZONES_MAX)))


def _values(db: Connection, site: str, column: ColumnElement[str], limit: int) -> list[str]:
    """List the values of a column, in order, without the empty one: one look by index for each."""
    found = [""]
    while len(found) <= limit:
        name = db.execute(select(func.min(column)).where(_T.site == site, column > found[-1])).scalar()
        if name is None:
            break
        found.append(str(name))
    return found[1:]


def services_of(
    db: Connection, site: str, endpoints: Collection[str], *, most: int = 50_000
) -> dict[str, set[tuple[bool, str, int, str]]]:
    """Give which services endpoints asked for and served: id -> (it asked, transport, port, service); ``most`` of all."""
    found: dict[str, set[tuple[bool, str, int, str]]] = {}
    ids = sorted(endpoints)
    for start in range(0, len(ids), 256):
        for side in ("client_endpoint", "server_endpoint"):
            query = select(_T[side], _T.transport, _T.port, _T.service).where(
                _T.site == site, _T[side].in_(ids[start : start + 256])
            )
            if side == "server_endpoint":
                query = query.where(_T.answered > 0)
            for id_, transport, port, service in db.execute(query.distinct().limit(most)):
                found.setdefault(id_, set()).add((side == "client_endpoint", transport, port, service))
    return found


def clinical_since(
    db: Connection, site: str, services: Collection[str], since_us: int, *, most: int = 50_000
) -> list[tuple[str, str, int]]:
    """List which endpoints sent by clinical services since a time: (endpoint, service, last), the last first."""
    last = func.max(_T.last_us)
    query = (
        select(_T.client_endpoint, _T.service, last)
        .where(_T.site == site, _T.last_us >= since_us, _T.client_endpoint != "")
        .where(_T.service.in_(sorted(services)), _T.client_bytes > 0)
        .group_by(_T.client_endpoint, _T.service)
        .order_by(last.desc())
        .limit(most)
    )
    return [(str(id_), str(service), int(at_us)) for id_, service, at_us in db.execute(query)]


def watched_since(db: Connection, site: str, since_us: int) -> dict[str, int]:
    """Say in which realms any flow was seen since a time, and when the last: there a sensor is at work."""
    query = select(_T.realm, func.max(_T.last_us)).where(_T.site == site, _T.last_us >= since_us)
    return {str(realm): int(at_us) for realm, at_us in db.execute(query.group_by(_T.realm))}


def span(db: Connection, site: str) -> tuple[int, int] | None:
    """Give when the first and the last flow was seen; None where none was."""
    first = db.execute(select(func.min(_TOTAL.hour_us)).where(_TOTAL.site == site)).scalar()
    last = db.execute(select(func.max(_T.last_us)).where(_T.site == site)).scalar()
    return None if first is None or last is None else (int(first), int(last))


def newest_us(db: Connection, site: str) -> int:
    """Give when the last flow was seen; 0 where none was."""
    return int(db.execute(select(func.max(_T.last_us)).where(_T.site == site)).scalar() or 0)


def since(db: Connection, site: str, now_us: int, days: int) -> int:
    """Give the beginning of so many days up to the last flow that was seen: old captures can be looked at, and where sensors fell silent nothing seems gone."""
    return max(min(now_us, newest_us(db, site) or now_us) - days * _DAY_US, 0)


def _seen(since_us: int) -> Sequence[ColumnElement[bool]]:
    return (_T.last_us >= since_us,) if since_us else ()


def _filtered(db: Connection, query: Select[Any], site: str, wanted: ConversationFilters) -> Select[Any]:
    query = query.where(_T.site == site)
    for ids in filter(None, (wanted.endpoints, wanted.peers)):
        query = _either(
            db, query, site, _T.client_endpoint.in_(sorted(ids)), _T.server_endpoint.in_(sorted(ids))
        )
    for address in filter(None, (wanted.address, wanted.peer_address)):
        query = _either(db, query, site, _T.client == address, _T.server == address)
    clear = sql.clear_class.c
    for said, condition in (
        (wanted.realm, _T.realm == wanted.realm),
        (wanted.zone, or_(_T.client_zone == wanted.zone, _T.server_zone == wanted.zone)),
        (wanted.service, _T.service == wanted.service),
        (wanted.port >= 0, _T.port == wanted.port),
        (wanted.clear, _T.id.in_(select(clear.conversation).where(clear.site == site))),
        (wanted.since_us, _T.last_us >= wanted.since_us),
        (wanted.until_us < 2**62, _T.first_us < wanted.until_us),
    ):
        query = query.where(condition) if said else query
    return query


def _either(db: Connection, query: Select[Any], site: str, *sides: ColumnElement[bool]) -> Select[Any]:
    """Keep what has somebody on either side, each by its own index.

    As one condition SQLite looks through all that a site has; as a union PostgreSQL does, where it takes many for more than they are.
    """
    if db.dialect.name == "postgresql":
        return query.where(or_(*sides))
    return query.where(_T.id.in_(union(*(select(_T.id).where(_T.site == site, side) for side in sides))))


def _with_classes(db: Connection, site: str, found: list[Conversation]) -> list[Conversation]:
    clear = sql.clear_class.c
    by_id = {bytes.fromhex(one.id): one for one in found}
    ids = sorted(by_id)
    for start in range(0, len(ids), 256):
        query = select(clear.conversation, clear["class"], clear.elements).where(
            clear.site == site, clear.conversation.in_(ids[start : start + 256])
        )
        for id_, cls, elements in db.execute(query):
            by_id[bytes(id_)].classes[cls] = int(elements)
    return found


def _conversation(row: Row[Any]) -> Conversation:
    # By place, not by name: a map reads twenty thousand. Site and id, the key, both zones, both times, the sums.
    _, id_, *rest = tuple(row)
    key, (client_zone, server_zone, first_us, last_us, *sums) = rest[:_KEYS], rest[_KEYS:]
    return Conversation(
        bytes(id_).hex(), ConversationKey(*key), client_zone, server_zone, first_us, last_us, Sums(*sums)
    )
