"""What changes the list of external connections, and what of one cannot be meant; each change is a record.

Rules:
- A connection says where it goes: host names, networks or both. What names neither would cover everything, and is refused.
- A minimum that asks for authentication asks for TLS.
- A record holds ids, words of tables and counts; where a connection goes stands in the history, for people to read.

Deliberately absent: who may ask (``policy.access`` at the frame), and what was seen on the network (``mapping``).

Source: RFC 1123 §2.1 (host names), RFC 4632 (CIDR), RFC 8996 (no TLS below 1.2); GDPR Art. 28 and 30.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import TypeVar

from sqlalchemy import Connection

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.governance import sql
from oathward.governance.actions import field_changes, short
from oathward.governance.covering import day
from oathward.governance.model import ID, Authentication, ConnectionRow, PartyRole
from oathward.governance.sheet import day_us
from oathward.ledger import Record, append, prepare

CONNECTION = "external-connection"
"""Kind of its history; its entry's history has ``connection``."""

FIELDS = (
    "id", "party", "role", "agreement", "hosts", "networks", "ports", "transport", "retention_days", "tls_min",
    "authentication", "certificate_days_min", "from", "until",
)  # fmt: skip
"""What a form, options or a call give, as words."""

TLS = ("TLSv1.2", "TLSv1.3")
TRANSPORTS = ("tcp", "udp")
WHERE_MAX = 200
DAYS_MAX = 36_500
_HISTORY = (
    *tuple(name for name in FIELDS if name not in {"id", "from", "until"}),
    "from_us",
    "until_us",
    "ended_us",
)
_HOST = re.compile(
    r"(?:\*\.)?(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*"
).fullmatch
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?").fullmatch
_Word = TypeVar("_Word", bound=StrEnum)


def connection(cells: Mapping[str, str]) -> ConnectionRow:
    """Make a connection of words: of a form, options or a call.

    Raises:
        InputError: names the field and what is wanted.
    """
    return ConnectionRow(
        id=cells.get("id", ""),
        party=cells.get("party", ""),
        role=_one_of(PartyRole, "role", cells.get("role", "")),
        agreement=cells.get("agreement", ""),
        hosts=frozenset(word.lower().rstrip(".") for word in _words(cells.get("hosts", ""))),
        networks=frozenset(_network(word) for word in _words(cells.get("networks", ""))),
        ports=_words(cells.get("ports", "")),
        transport=cells.get("transport", "").lower(),
        retention_days=_days("retention_days", cells.get("retention_days", "")),
        tls_min=cells.get("tls_min", ""),
        authentication=_one_of(Authentication, "authentication", cells.get("authentication", "") or "none"),
        certificate_days_min=_days("certificate_days_min", cells.get("certificate_days_min", "")),
        from_us=_day("from", cells.get("from", "") or "-") or 0,
        until_us=_day("until", cells.get("until", "")),
    )


def mistakes(row: ConnectionRow) -> list[tuple[str, str]]:
    """Find everything of a connection that cannot be meant: field, and what is wanted."""
    proves = row.authentication is not Authentication.NONE or row.certificate_days_min > 0
    wrong = (
        (not ID(row.id), "id", "letters, digits, dot, dash and underscore, at most 64"),
        (not row.party or not short(row.party), "party", "say with whom, as the agreement's `party` says it"),
        (row.agreement and not ID(row.agreement), "agreement", "the id of an agreement of the register"),
        (not row.hosts and not row.networks, "hosts", "name a host or a network it goes to"),
        (
            sum(map(len, (row.hosts, row.networks, row.ports))) > WHERE_MAX,
            "hosts",
            f"at most {WHERE_MAX} hosts, networks and ports",
        ),
        (not all(map(_HOST, row.hosts)), "hosts", "host names, or `*.` and a name for all below it"),
        (not all(map(_is_ports, row.ports)), "ports", "numbers from 1 to 65535, or two with a dash"),
        (
            row.transport not in {"", *TRANSPORTS},
            "transport",
            f"one of {', '.join(TRANSPORTS)}, or nothing for either",
        ),
        (row.tls_min not in {"", *TLS}, "tls_min", f"one of {', '.join(TLS)}, or nothing"),
        (
            proves and not row.tls_min,
            "tls_min",
            "who must prove who they are does it over TLS: say which version at least",
        ),
        (row.until_us is not None and row.until_us <= row.from_us, "until", "must be later than from"),
    )
    return [(field, why) for is_so, field, why in wrong if is_so]


def put(
    db: Connection, site: str, row: ConnectionRow, *, by: str, now_us: int, changes: bool = False
) -> ConnectionRow:
    """Write an external connection and record it; the last call before the caller's commit.

    Args:
        changes: one that is there may change; else it is a conflict.

    Raises:
        InputError: a field cannot be meant; or ``conflict``.
    """
    for field, why in mistakes(row):
        raise InputError(field, why)
    before = sql.connection_row(db, site, row.id)
    if before is not None and not changes:
        raise InputError(row.id, "there is such a connection already", reason=Reason.CONFLICT)
    row = replace(row, by=by, added_us=now_us, version=before.version + 1 if before else 1)
    return _put(db, site, before, row, "connection.changed" if before else "connection.added")


def end(db: Connection, site: str, id_: str, *, by: str, now_us: int) -> ConnectionRow:
    """End an external connection now; what is seen of it from then on is a finding. The last call before commit.

    Raises:
        InputError: ``not-found``, or ``conflict`` where it was ended.
    """
    before = sql.connection_row(db, site, id_)
    if before is None:
        raise InputError(id_, "there is no such connection", reason=Reason.NOT_FOUND)
    if before.ended_us:
        raise InputError(id_, f"was ended on {day(before.ended_us)}", reason=Reason.CONFLICT)
    row = replace(before, ended_us=now_us, by=by, added_us=now_us, version=before.version + 1)
    return _put(db, site, before, row, "connection.ended")


def _put(
    db: Connection, site: str, before: ConnectionRow | None, row: ConnectionRow, kind: str
) -> ConnectionRow:
    blank = ConnectionRow(id=row.id, party="", role=row.role, from_us=0)
    sql.put_connection(db, site, row)
    sql.add_changes(
        db, site, field_changes(CONNECTION, row.id, before or blank, row, _HISTORY, row.by, row.added_us)
    )
    body = {
        "agreement": row.agreement,
        "by": row.by,
        "connection": row.id,
        "role": str(row.role),
        "version": row.version,
    }
    body |= {"authentication": str(row.authentication), "tls_min": row.tls_min}
    body |= {"destinations": len(row.hosts) + len(row.networks)}
    append(db, site, [prepare(Record(kind, body, row.added_us))])
    return row


def _words(text: str) -> frozenset[str]:
    return frozenset(
        word for part in text.replace("\n", ";").replace(",", ";").split(";") if (word := part.strip())
    )


def _one_of(words: type[_Word], field: str, text: str) -> _Word:
    for known in words:
        if known.lower() == text.strip().lower():
            return known
    raise InputError(field, f"one of {', '.join(words)}")


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as error:
        raise InputError("networks", "networks such as 192.0.2.0/24 or 2001:db8::/32") from error


def _is_ports(text: str) -> bool:
    found = _PORTS(text)
    if found is None:
        return False
    first, last = int(found[1]), int(found[2] or found[1])
    return 1 <= first <= last <= 65_535


def _days(field: str, text: str) -> int:
    text = text.strip() or "0"
    if not (text.isascii() and text.isdecimal()) or len(text) > 6 or int(text) > DAYS_MAX:
        raise InputError(field, f"days, 0 to {DAYS_MAX}")
    return int(text)


def _day(field: str, text: str) -> int | None:
    if not text.strip():
        return None
    try:
        return day_us(text.strip())
    except ValueError as error:
        raise InputError(field, "a day such as 2027-05-31") from error
