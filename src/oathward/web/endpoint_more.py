"""What an endpoint's page has beside the inventory: changes of its configuration, its certificates, what declares its conversations.

Rules:
- Changes are records of the ledger. A record has digests; the words are found among the values that the inventory still keeps. One that it keeps no more is said to be so.
- Records of an endpoint that became part of this one are its own.
- A conversation is declared as the map says it (``mapping.comparing``), by the address that the endpoint has now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oathward.discovery.model import MarkKind
from oathward.endpoints.actions import digest_of
from oathward.ledger import Query, search
from oathward.mapping import reading
from oathward.mapping.comparing import compare
from oathward.mapping.model import Observed
from oathward.mapping.naming import server_names
from oathward.people import views as people

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

    from oathward.endpoints.model import EndpointRow, Whole
    from oathward.network.model import Peer
    from oathward.web.view import View

CHANGES_MAX = 50
NOTHING = "nothing"
"""What stands for no value, before or after."""
_ENDPOINTS_MAX = 10
_CERTIFICATE = {
    "certificate-subject": "subject",
    "certificate-issuer": "issuer",
    "certificate-ends": "ends",
    "client-certificate": "shown as a client",
}
_CERTIFICATES_MAX = 40
_PAGES = {"link": "/links/", "connection": "/connections/"}


@dataclass(frozen=True, slots=True)
class Change:
    """One change. ``before``, ``after``: empty where the value is kept no more. ``record``: its index in the ledger."""

    at_us: int
    attribute: str
    before: str
    after: str
    by: str
    record: int


def changes(db: Connection, site: str, found: Whole, ids: Collection[str]) -> list[Change]:
    """List changes of configuration, the newest first; ``CHANGES_MAX`` at most.

    Args:
        ids: of the endpoint and of what became part of it.
    """
    some = sorted(ids, key=lambda id_: (id_ != found.row.id, id_))[:_ENDPOINTS_MAX]
    said = {(row.attribute, row.value) for row in found.attributes}
    said |= {(str(mark.kind), mark.value) for mark, _, _ in found.marks}
    words = {digest_of(id_, name, value): value for id_ in some for name, value in said} | {"": NOTHING}
    rows = [
        Change(
            entry.at_us,
            str(entry.body.get("attribute", "")),
            words.get(str(entry.body.get("before", "")), ""),
            words.get(str(entry.body.get("after", "")), ""),
            str(entry.body.get("by", "")),
            entry.index,
        )
        for id_ in some
        for entry in search(db, site, Query(kind="endpoint.changed", link=id_), limit=CHANGES_MAX)
    ]
    return sorted(rows, key=lambda one: -one.record)[:CHANGES_MAX]


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was seen of certificates, one thing of it. ``level``, ``stands``: of an end, empty for what has none."""

    words: str
    value: str
    last_us: int
    level: str = ""
    stands: str = ""


def said_by(view: View, db: Connection, ids: set[str]) -> dict[str, str]:
    """Say who did something: by name to who may see people; a rule, and who is no person here, as the record has them."""
    known = people.names(db, view.site.site, ids)
    sees = view.may("people.see")
    names = {id_: known[id_] if sees else "somebody" for id_ in ids & known.keys()}
    return names | ({view.actor.id: "you"} if view.actor.id else {})


def certificates(found: Whole, today: str) -> list[Certificate]:
    """List what was seen of its certificates, the last first of each kind.

    Args:
        today: ISO 8601.
    """
    rows = [
        Certificate(
            _CERTIFICATE[row.attribute], row.value, row.last_us, *_stands(row.attribute, row.value, today)
        )
        for row in sorted(found.attributes, key=lambda row: -row.last_us)
        if row.attribute in _CERTIFICATE
    ]
    prints = [
        Certificate("fingerprint", mark.value, held.last_us)
        for mark, _, held in found.marks
        if mark.kind is MarkKind.CERTIFICATE
    ]
    order = [*_CERTIFICATE.values(), "fingerprint"]
    return sorted([*rows, *prints], key=lambda one: order.index(one.words))[:_CERTIFICATES_MAX]


def declared_of(
    view: View, db: Connection, row: EndpointRow, peers: Sequence[Peer]
) -> dict[int, tuple[str, str]]:
    """Say what declares each conversation of an endpoint: its place in the list -> words, and the page of it."""
    active, site, address = view.asking.active, view.site, row.address
    if not address or not peers:
        return {}
    declared = reading.declared(db, site, active.bundle if active else None, view.now_us)
    if not declared:
        return {}
    names = server_names(site.settings.data, min(view.now_us, max(one.last_us for one in peers)))
    seen = [
        Observed(
            id=str(at),
            realm=row.realm,
            client=address if one.asked else one.address,
            server=one.address if one.asked else address,
            transport=one.transport,
            port=one.port,
            service=one.service,
            tls=one.tls,
            server_name=names.get((row.realm, one.address, one.port), "") if one.asked else "",
        )
        for at, one in enumerate(peers)
    ]
    found = {}
    for at, name in compare(declared, seen).matched.items():
        kind, _, id_ = name.partition(":")
        found[int(at)] = (f"{kind} {id_}", f"{_PAGES[kind]}{id_}" if kind in _PAGES else "")
    return found


def _stands(attribute: str, value: str, today: str) -> tuple[str, str]:
    if attribute != "certificate-ends" or not value[:4].isdecimal() or "-" not in value[:5]:
        return "", ""
    return ("bad", "has ended") if value[:10] < today else ("ok", "holds")
