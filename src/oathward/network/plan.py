"""The site's own plan of its address space: network -> segment, zone, unit, location; as CSV or TOML. Pure.

Rules:
- The most specific network says where an address is (longest prefix); the same network of a realm twice is a mistake, one inside another is told.
- Zones are those of the bundle in force (``protection.toml``) where it has any; another is a mistake that names the nearest.
- Every mistake names line or entry and column, never what stands there; with any mistake nothing is imported.
- Without a row an address is *unplanned* if no address of the public Internet, else *external*. A plan may claim public addresses: they are its own then.

Deliberately absent: what was seen, firewalls (``rules``).

Source: RFC 4632 (CIDR, longest prefix), RFC 1918, RFC 4193, RFC 6598, RFC 3927, RFC 5735.
"""

from __future__ import annotations

import csv
import io
import ipaddress
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.network.model import EXTERNAL, UNPLANNED, Place, PlanRow

BYTES_MAX = 16 << 20
ROWS_MAX = 100_000
CELL_LENGTH_MAX = 200
COLUMNS = ("network", "realm", "segment", "zone", "unit", "location")
_REMEMBERED_MAX = 200_000

_OWN = tuple(
    ipaddress.ip_network(one)
    for one in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),
        *("0.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "fc00::/7", "fe80::/10", "ff00::/8", "::/127"),
    )
)


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong in one row. ``line``: of the CSV, or number of the entry; 0 is the whole file."""

    line: int
    column: str
    why: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A plan as it was read: what is wrong, and which network lies inside another (inner, outer)."""

    rows: tuple[PlanRow, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    inside: tuple[tuple[PlanRow, PlanRow], ...] = ()


@dataclass(slots=True)
class Plan:
    """Where an address stands.

    Args:
        rows: checked ones. Remembers what it said, of a bounded number of addresses.
    """

    rows: Sequence[PlanRow] = ()
    _by_length: dict[str, list[tuple[int, int, dict[int, PlanRow]]]] = field(default_factory=dict)
    _said: dict[tuple[str, str], Place] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Sort by realm and length of prefix, the longest first."""
        found: dict[str, dict[tuple[int, int], dict[int, PlanRow]]] = {}
        for row in self.rows:
            network = ipaddress.ip_network(row.network)
            lengths = found.setdefault(row.realm, {})
            lengths.setdefault((network.prefixlen, network.version), {})[int(network.network_address)] = row
        for realm, lengths in found.items():
            ordered = sorted(lengths.items(), key=lambda item: -item[0][0])
            self._by_length[realm] = [(length, version, rows) for (length, version), rows in ordered]

    def place(self, realm: str, address: str) -> Place:
        """Say where an address stands; what is no address is unplanned."""
        key = (realm, address)
        found = self._said.get(key)
        if found is None:
            if len(self._said) >= _REMEMBERED_MAX:
                self._said.clear()
            found = self._said[key] = self._find(realm, address)
        return found

    def _find(self, realm: str, address: str) -> Place:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return Place(UNPLANNED)
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        number = int(ip)
        for length, version, rows in self._by_length.get(realm, ()):
            if version == ip.version:
                row = rows.get(number >> (ip.max_prefixlen - length) << (ip.max_prefixlen - length))
                if row is not None:
                    return Place(row.zone, row.segment, row.unit, row.location, row.network)
        own = any(ip.version == net.version and ip in net for net in _OWN)
        return Place(UNPLANNED if own else EXTERNAL)


def is_own(address: str) -> bool:
    """Say whether an address is a site's own by its form alone: no address of the public Internet."""
    return Plan().place("", address).zone != EXTERNAL


def parse(data: bytes, name: str, realm: str, zones: Collection[str] = ()) -> Checked:
    """Read a plan.

    Args:
        data: CSV with a header, or TOML with ``[[network]]`` tables where the name ends with ``.toml``.
        realm: of rows that name none. zones: that there are; empty where no bundle says so.

    Raises:
        InputError: it is neither, or too large.
    """
    if len(data) > BYTES_MAX:
        raise InputError(name, f"at most {BYTES_MAX:,} bytes", reason=Reason.LIMIT_EXCEEDED)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(name, "is no text in UTF-8") from error
    entries = _toml(text, name) if name.lower().endswith(".toml") else _csv(text, name)
    rows, mistakes = list[PlanRow](), list[Mistake]()
    seen: dict[tuple[str, str], int] = {}
    for line, entry in entries:
        if len(rows) + len(mistakes) >= ROWS_MAX:
            raise InputError(name, f"at most {ROWS_MAX:,} networks", reason=Reason.LIMIT_EXCEEDED)
        row = _row(line, entry, realm, zones)
        if isinstance(row, Mistake):
            mistakes.append(row)
        elif (before := seen.setdefault((row.realm, row.network), line)) != line:
            mistakes.append(Mistake(line, "network", f"is the same network as that of line {before}"))
        else:
            rows.append(row)
    if mistakes:
        return Checked(mistakes=tuple(mistakes))
    if not rows:
        return Checked(mistakes=(Mistake(0, "", "names no network"),))
    return Checked(tuple(rows), (), tuple(_inside(rows)))


def _toml(text: str, name: str) -> Iterable[tuple[int, Mapping[str, Any]]]:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(name, "is no TOML: each network is a table [[network]]") from error
    entries = table.pop("network", [])
    if table or not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise InputError(name, "has tables [[network]] and nothing else")
    return [(number, one) for number, one in enumerate(entries, 1)]


def _csv(text: str, name: str) -> Iterable[tuple[int, Mapping[str, Any]]]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[tuple[int, Mapping[str, Any]]] = []
    try:
        header = [one.strip().lower() for one in next(rows, [])]
        if "network" not in header or len(set(header)) < len(header):
            why = f"begins with a line of columns: {', '.join(COLUMNS)}"
            raise InputError(name, why, reason=Reason.OBSERVED_COLUMNS)
        for cells in rows:
            if any(cells):
                short = {None: cells} if len(cells) != len(header) else dict(zip(header, cells, strict=True))
                found.append((rows.line_num, short))  # type: ignore[arg-type]  # None marks a row of another length
            if len(found) > ROWS_MAX:
                raise InputError(name, f"at most {ROWS_MAX:,} networks", reason=Reason.LIMIT_EXCEEDED)
    except csv.Error as error:
        raise InputError(f"{name}:{rows.line_num}", "is no line of CSV") from error
    return found


def _row(line: int, entry: Mapping[Any, Any], realm: str, zones: Collection[str]) -> PlanRow | Mistake:
    if None in entry:
        return Mistake(line, "", "has another number of cells than the header has columns")
    unknown = next((name for name in entry if name not in COLUMNS), None)
    if unknown is not None:
        return Mistake(line, "", f"a column there is not; there are {', '.join(COLUMNS)}")
    cells = {}
    for column in COLUMNS:
        value = entry.get(column, "")
        if not isinstance(value, str) or len(value) > CELL_LENGTH_MAX or not value.isprintable():
            return Mistake(line, column, f"is a printable text of at most {CELL_LENGTH_MAX} characters")
        cells[column] = value.strip()
    try:
        network = str(ipaddress.ip_network(cells["network"]))
    except ValueError:
        return Mistake(line, "network", "is a network in CIDR with no bits behind its length: 10.1.2.0/24")
    why = _wrong_zone(cells["zone"], zones)
    if why:
        return Mistake(line, "zone", why)
    place = (cells["zone"], cells["segment"], cells["unit"], cells["location"])
    return PlanRow(cells["realm"] or realm, network, *place)


def checked(row: PlanRow, zones: Collection[str]) -> PlanRow | Mistake:
    """Check a row as a file's is; gives it as it would be read."""
    return _row(0, row._asdict(), "", zones)


def _wrong_zone(zone: str, zones: Collection[str]) -> str:
    """Say what is wrong with a zone; empty where nothing is."""
    if not zone:
        return "is missing"
    if zones and zone not in zones:
        return f"is none of the policy in force; there are {', '.join(sorted(zones))}"
    return f"{EXTERNAL} and {UNPLANNED} are what no plan names" if zone in {EXTERNAL, UNPLANNED} else ""


def _inside(rows: Sequence[PlanRow]) -> Iterable[tuple[PlanRow, PlanRow]]:
    """Pair each network with the narrowest one that it lies in."""
    plan: dict[tuple[str, int, int, int], PlanRow] = {}
    lengths: dict[tuple[str, int], set[int]] = {}
    for row in rows:
        network = ipaddress.ip_network(row.network)
        plan[row.realm, network.version, network.prefixlen, int(network.network_address)] = row
        lengths.setdefault((row.realm, network.version), set()).add(network.prefixlen)
    for row in rows:
        network = ipaddress.ip_network(row.network)
        number, bits = int(network.network_address), network.max_prefixlen
        for length in sorted(lengths[row.realm, network.version], reverse=True):
            if length < network.prefixlen:
                key = (row.realm, network.version, length, number >> (bits - length) << (bits - length))
                if key in plan:
                    yield row, plan[key]
                    break
