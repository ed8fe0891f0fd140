"""The address plan of a site, the same at every one: segments from 10.0.0.0 on, and the leases that DHCP gives in them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from ipaddress import IPv4Address

LEASES_S = {
    "guest-wifi": 7_200,
    "staff-wifi": 14_400,
    "medical-wifi": 28_800,
    "imaging-wifi": 28_800,
    "office-wifi": 28_800,
}
"""Segment, without its half -> seconds of a lease; 86,400 elsewhere."""
HEARD = ("medical", "imaging", "laboratory")
"""Where the sensor is on the wire itself, and sees each device's own card; elsewhere it sees the router's."""
ZONES = {
    "medical": "clinical", "imaging": "clinical", "laboratory": "clinical", "server": "enterprise", "office": "enterprise",
    "voice": "enterprise", "print": "enterprise", "building": "building", "guest": "guest", "staff": "guest",
}  # fmt: skip
_BASE = int(IPv4Address("10.0.0.0"))
_FIRST = 10


@dataclass(slots=True)
class Segment:
    """One network of a site, and who holds which address of it.

    Args:
        base: its first address as a number. size: how many it has, a power of two.
        fixed: how many of them, from the tenth on, DHCP never gives. leased: how many, behind those, it does.
    """

    name: str
    vlan: int
    base: int
    size: int
    fixed: int
    leased: int
    _free: deque[int] = field(default_factory=deque)
    _ends: list[tuple[float, int, str]] = field(default_factory=list)
    _held: dict[int, tuple[str, float]] = field(default_factory=dict)
    _last: dict[str, int] = field(default_factory=dict)
    _fixed_given: int = 0

    def __post_init__(self) -> None:
        """Everything is free."""
        first = self.base + _FIRST + self.fixed
        self._free.extend(range(first, first + self.leased))

    @property
    def cidr(self) -> str:
        """In the usual form."""
        return f"{IPv4Address(self.base)}/{32 - (self.size.bit_length() - 1)}"

    @property
    def lease_s(self) -> int:
        """How long a lease of it lasts, seconds."""
        return LEASES_S.get(self.name.removesuffix("-a").removesuffix("-b"), 86_400)

    @property
    def heard(self) -> bool:
        """Whether the sensor sees the cards in it."""
        return self.name.startswith(HEARD)

    @property
    def zone(self) -> str:
        """In which zone it lies."""
        return ZONES[self.name.partition("-")[0]]

    def fix(self) -> int:
        """Give the next address that stays."""
        self._fixed_given += 1
        assert self._fixed_given <= self.fixed, "more fixed addresses than planned"
        return self.base + _FIRST + self._fixed_given - 1

    def lease(self, mac: str, now_s: float) -> int:
        """Give an address for ``lease_s``: the one this card had, while nobody else has it; else the one free for longest; -1 where none is."""
        self._expire(now_s)
        address = self._last.get(mac, -1)
        held = self._held.get(address)
        if address < 0 or (held is not None and held[0] != mac):
            address = self._next()
        if address < 0:
            return -1
        until = now_s + self.lease_s
        self._held[address] = (mac, until)
        self._last[mac] = address
        heappush(self._ends, (until, address, mac))
        return address

    def _next(self) -> int:
        while self._free:
            address = self._free.popleft()
            if address not in self._held:
                return address
        return -1

    def _expire(self, now_s: float) -> None:
        while self._ends and self._ends[0][0] <= now_s:
            until, address, mac = heappop(self._ends)
            if self._held.get(address) == (mac, until):
                del self._held[address]
                self._free.append(address)


def plan(wanted: Mapping[str, tuple[int, int]]) -> dict[str, Segment]:
    """Lay out segments one behind the other.

    Args:
        wanted: name -> (fixed addresses, most devices that lease one at a time).
    """
    at, segments = _BASE, {}
    for number, (name, (fixed, leased)) in enumerate(sorted(wanted.items())):
        size = 64
        while size < _FIRST + fixed + leased + 2:
            size *= 2
        at = -(-at // size) * size
        segments[name] = Segment(name, 100 + number, at, size, fixed, leased)
        at += size
    return segments
