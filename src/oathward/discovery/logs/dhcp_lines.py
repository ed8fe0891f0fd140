r"""Lines and files of DHCP servers, one reader a format: what they say of leases.

Rules:
- Only what a server acknowledged has an address; what was merely asked for says a card and a name.
- A time without a year is of the last year in which it is not after ``Around.until_us``; without that bound it cannot be told, and is refused.
- A time without a zone is taken as UTC: that a server's clock is its zone's is a matter of its settings, which the file does not say.

Source: ISC dhcpd.leases(5) and its log, Kea ARM (*Lease File*; *Log Messages*), dnsmasq(8) (leases, log), Microsoft *DHCP audit log*; RFC 2132
option 61.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from oathward.core.reasons import Reason
from oathward.discovery.cards import mac
from oathward.discovery.logs.gathering import Gathered, at
from oathward.discovery.logs.hints import system_of
from oathward.discovery.logs.records import moment, whole
from oathward.discovery.model import Fact, Mark, MarkKind
from oathward.discovery.values import host, printable

UNBOUNDED_US = 2**62
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = {
    name: n
    for n, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_LINES_OF_LEASE_MAX = 200
_SAYING_LENGTH_MAX = 1_000
"""Characters of a log's line that are looked at: what a server says of a lease is shorter, and what a line may cost is bounded by it."""
_HEX = re.compile(r"[0-9a-f]{2,}")


@dataclass(slots=True)
class Lease:
    """What one line or block says."""

    card: str = ""
    address: str = ""
    name: str = ""
    client: str = ""
    vendor: str = ""
    segment: str = ""
    at_us: int | None = None

    def say(self, source: str, gathered: Gathered) -> None:
        """Say it, where its time and its owner can be told."""
        client = self.client.lower().replace(":", "").replace("-", "")
        marks = [
            Mark(MarkKind.MAC, mac(self.card) or ""),
            at(self.address),
            Mark(MarkKind.CLIENT_ID, client if _HEX.fullmatch(client) else ""),
        ]
        name, vendor = host(self.name), printable(self.vendor)
        if self.at_us is None:
            gathered.refuse(Reason.OBSERVED_TIME, "time")
        elif not any(mark.value for mark in marks if mark.kind is not MarkKind.ADDRESS):
            gathered.refuse(Reason.OBSERVED_BROKEN, "card")
        else:
            facts = [
                Fact("host", name, 0.6),
                Fact("vendor-class", vendor, 0.8),
                Fact("os", system_of(vendor), 0.3),
            ]
            marks.append(Mark(MarkKind.HOST, name))
            gathered.say(self.at_us, source, marks, facts, segment=printable(self.segment))


Reader = Callable[[Iterable[str], Gathered], Iterator[None]]
"""Reads the lines of one format; yields now and then, so that what was gathered can be given."""

# --- logs, line by line

_STAMP = re.compile(
    r"(?:<\d{1,3}>)?(?:(?P<iso>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*)|(?P<month>[A-Z][a-z]{2}) +(?P<day>\d{1,2}) (?P<clock>\d\d:\d\d:\d\d))\b"
)
_CARD = r"(?P<card>[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){5})"
_NAMED = r"(?: \((?P<name>[^()]*)\))?"
_SAYINGS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"DHCPACK on (?P<address>[0-9.]+) to {_CARD}{_NAMED} via \S+",
        rf"DHCPACK to (?P<address>[0-9.]+) \({_CARD}\) via \S+",
        rf"DHCP(?:DISCOVER|REQUEST|OFFER|RELEASE|NAK)\b.*? (?:from|to) {_CARD}{_NAMED} via \S+",
        rf"DHCPACK\([^)]*\) (?P<address>[0-9.]+) {_CARD}(?: (?P<name>\S+))?",
        rf"DHCP4_LEASE_(?:ALLOC|RENEW|OFFER) \[hwtype=\d+ {_CARD}\], cid=\[(?P<client>[0-9a-fA-F:]*|no info)\].*?: lease (?P<address>[0-9.]+) has been",
    )
)
_OF_A_SERVER = re.compile(
    r"\bdhcpd(?:\[|:| )|dnsmasq-dhcp|kea-dhcp[46]|DHCP4_LEASE_|DHCP(?:ACK|DISCOVER|REQUEST|OFFER)\b"
)


def is_log(line: str) -> bool:
    """Say whether a line is of a server's log."""
    return _STAMP.match(line) is not None and _OF_A_SERVER.search(line[:_SAYING_LENGTH_MAX]) is not None


def log(lines: Iterable[str], gathered: Gathered) -> Iterator[None]:
    """Read the log of dhcpd, dnsmasq or Kea; lines that say nothing of a lease are read over."""
    for line in lines:
        begin = line[:_SAYING_LENGTH_MAX]
        found = next((one for pattern in _SAYINGS if (one := pattern.search(begin))), None)
        if found is not None and "LEASE_OFFER" not in found.group():
            said = found.groupdict()
            lease = Lease(
                said["card"], said.get("address") or "", said.get("name") or "", said.get("client") or ""
            )
            lease.at_us = _stamped(line, gathered)
            lease.say("dhcp.log", gathered)
        yield


def _stamped(line: str, gathered: Gathered) -> int | None:
    found = _STAMP.match(line)
    if found is None:
        return None
    if found["iso"]:
        return moment(found["iso"].replace(",", ".", 1))
    until_us = gathered.around.until_us
    if until_us >= UNBOUNDED_US or found["month"] not in _MONTHS:
        return None
    latest = _EPOCH + timedelta(microseconds=min(until_us, 250_000_000_000_000_000))
    for year in (
        latest.year,
        latest.year - 1,
        latest.year - 2,
        latest.year - 3,
        latest.year - 4,
    ):  # 29 February comes again in four
        try:
            read = datetime.strptime(
                f"{year} {_MONTHS[found['month']]} {found['day']} {found['clock']}", "%Y %m %d %H:%M:%S"
            ).replace(tzinfo=UTC)
        except ValueError:
            continue
        if read <= latest:
            return microseconds(read)
    return None


def microseconds(time: datetime) -> int:
    """Give a time as microseconds UTC."""
    return (time - _EPOCH) // timedelta(microseconds=1)


# --- dhcpd.leases

_LEASE = re.compile(r"lease (?P<address>[0-9.]+) \{")
_TIME = re.compile(
    r"(?P<which>starts|cltt) (?:epoch (?P<epoch>\d+)|\d (?P<date>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d))"
)
_OCTAL = re.compile(r"\\([0-7]{3})|\\(.)")


def isc_leases(lines: Iterable[str], gathered: Gathered) -> Iterator[None]:
    """Read ISC's file of leases: the last of an address is what holds, and each says when."""
    lease, state, count = None, "", 0
    for line in lines:
        text = line.strip()
        begun = _LEASE.match(text)
        if begun:
            lease, state, count = Lease(address=begun["address"]), "active", 0
        elif lease is not None and (text == "}" or count >= _LINES_OF_LEASE_MAX):
            if count >= _LINES_OF_LEASE_MAX:
                gathered.refuse(Reason.OBSERVED_SIZE, "lease")
            elif state == "active":
                lease.say("dhcp.leases", gathered)
            lease = None
        elif lease is not None:
            count += 1
            state = text[14:-1].strip() if text.startswith("binding state ") else state
            _isc_told(lease, text.rstrip(";"))
        yield
    if lease is not None:
        gathered.refuse(Reason.OBSERVED_CUT, "lease")


def _isc_told(lease: Lease, text: str) -> None:
    if text.startswith("hardware ethernet "):
        lease.card = text[18:].strip()
    elif text.startswith("uid "):
        lease.client = _uid(text[4:].strip())
    elif text.startswith("client-hostname "):
        lease.name = text[16:].strip('" ')
    elif text.startswith("set vendor-class-identifier = "):
        lease.vendor = text[30:].strip('" ')
    else:
        found = _TIME.match(text)
        if found and (found["which"] == "cltt" or lease.at_us is None):
            seconds = (
                moment(found["date"].replace("/", "-"))
                if found["date"]
                else int(found["epoch"][:12]) * 1_000_000
            )
            lease.at_us = seconds


def _uid(text: str) -> str:
    """Read a client id: in octal escapes between quotes, or as hexadecimal octets with colons."""
    if not text.startswith('"'):
        return "".join(one.zfill(2) for one in text.split(":"))
    raw = _OCTAL.sub(lambda one: chr(int(one[1], 8) & 0xFF) if one[1] else one[2], text[1:-1])
    return raw.encode("latin-1", "replace").hex()


# --- Kea, dnsmasq, Windows


def kea(lines: Iterable[str], gathered: Gathered) -> Iterator[None]:
    """Read Kea's lease file; its header says which column is what."""
    for row in _rows(lines, gathered):
        expire, lasts = whole(row.get("expire")), whole(row.get("valid_lifetime"))
        if row.get("state") in ("0", "", None) and expire is not None:
            name = row.get("hostname", "").replace("&#x2c", ",")
            lease = Lease(
                row.get("hwaddr", ""),
                row.get("address", ""),
                name,
                row.get("client_id", "") or row.get("duid", ""),
            )
            lease.at_us = (expire - (lasts or 0)) * 1_000_000
            lease.segment = f"subnet {row['subnet_id']}" if row.get("subnet_id") else ""
            lease.say("dhcp.kea", gathered)
        elif expire is None:
            gathered.refuse(Reason.OBSERVED_BROKEN, "line")
        yield


def dnsmasq(lines: Iterable[str], gathered: Gathered) -> Iterator[None]:
    """Read dnsmasq's leases: when they end, card, address, name, client id. What has not ended holds now, at ``Around.until_us`` at the latest."""
    for line in lines:
        cells = line.split()
        ends = whole(cells[0]) if cells else None
        if len(cells) == 5 and ends is not None:
            card, address, name, client = ("" if cell == "*" else cell for cell in cells[1:])
            lease = Lease(card if ":" in card else "", address, name, client)
            lease.at_us = min(ends * 1_000_000 if ends else UNBOUNDED_US, gathered.around.until_us)
            lease.at_us = None if lease.at_us >= UNBOUNDED_US else lease.at_us
            lease.say("dhcp.dnsmasq", gathered)
        elif cells and cells[0] != "duid":
            gathered.refuse(Reason.OBSERVED_BROKEN, "line")
        yield


_ACKNOWLEDGED = frozenset(("10", "11", "11000", "11001"))  # new lease, renewed; of IPv6


def windows(lines: Iterable[str], gathered: Gathered) -> Iterator[None]:
    """Read the audit log of Windows' DHCP server, from its header on."""
    for row in _rows(_from_header(lines), gathered):
        if row.get("id") in _ACKNOWLEDGED:
            lease = Lease(
                row.get("mac address", ""),
                row.get("ip address", ""),
                row.get("host name", ""),
                vendor=row.get("vendorclass(ascii)", ""),
            )
            try:
                read = datetime.strptime(
                    f"{row.get('date', '')} {row.get('time', '')}", "%m/%d/%y %H:%M:%S"
                ).replace(tzinfo=UTC)
                lease.at_us = microseconds(read)
            except ValueError:
                lease.at_us = None
            lease.say("dhcp.windows", gathered)
        yield


def _from_header(lines: Iterable[str]) -> Iterator[str]:
    found = False
    for line in lines:
        found = found or line.lower().startswith("id,date,time,")
        if found:
            yield line


def _rows(lines: Iterable[str], gathered: Gathered) -> Iterator[Mapping[str, str]]:
    """Give rows of a CSV by the names of its header; what is longer than it, or broken, is counted."""
    names: list[str] = []
    for line in lines:
        try:
            cells = next(csv.reader([line]), [])
        except csv.Error:
            gathered.refuse(Reason.OBSERVED_BROKEN, "line")
            continue
        if not cells:
            continue
        if not names:
            names = [cell.strip().lower() for cell in cells]
        elif len(cells) > len(names) + 1 or len(cells) < 3:
            gathered.refuse(Reason.OBSERVED_BROKEN, "line")
        else:
            yield dict(zip(names, (cell.strip() for cell in cells), strict=False))
