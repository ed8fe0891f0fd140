"""One site, hour by hour: who is there, which address it gets, whom it talks to, and what the sensor writes of that."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from zlib import crc32

from oathward_sim.estate import kinds
from oathward_sim.estate.heads import Heads
from oathward_sim.estate.kinds import Talk
from oathward_sim.estate.network import HEARD, Segment, plan
from oathward_sim.estate.population import SITES, START, VIRTUAL_MAC, Device, Nic, Population
from oathward_sim.estate.radius import Accounting
from oathward_sim.estate.traffic import Traffic
from oathward_sim.estate.truth import Truth

STYLES = ("json", "tsv", "json.gz")
_HOUR_S = 3_600
_USED_MIN = 0.1
_BOTH_AT_ONCE = 0.2


@dataclass(slots=True)
class Held:
    """What one card has just now.

    Args:
        address: as a number; -1 for none. since_s, until_s, renew_s: of its lease, seconds of the story; ``last_s``: when it was last used.
    """

    device: Device
    nic: Nic
    segment: Segment
    address: int = -1
    since_s: float = 0.0
    until_s: float = 0.0
    renew_s: float = 0.0
    last_s: float = 0.0


class Site:
    """The story of one site; ``tell`` writes it.

    Args:
        folder: of the site. people: everybody; those who are ever here are taken out of it.
    """

    def __init__(self, folder: Path, people: Population, number: int, truth: Truth) -> None:
        self.realm, self.number = SITES[number], number
        self._people, self._truth = people, truth
        self._rng = Random(f"{people.seed}/{self.realm}")
        self._here = people.of_site(number)
        self.segments = plan(self._wanted())
        self._held: dict[tuple[int, int], Held] = {}
        self._away: dict[int, int] = {}
        self._behind: dict[int, list[Device]] = {}
        for device in self._here:
            self._behind.setdefault(device.behind, []).append(device)
        self._docks: dict[int, list[Device]] = {}
        for device in self._here:
            if device.dock >= 0:
                self._docks.setdefault(device.dock, []).append(device)
        self.addresses: dict[int, int] = {}
        self._fix()
        self.traffic = Traffic(
            folder, self.realm, STYLES[number % len(STYLES)], people, self.addresses, truth, self._rng
        )
        victims = {d.victim for d in self._here if d.claim == "serial"}
        docks = {
            number for gate, pumps in self._docks.items() for number in (gate, *(d.number for d in pumps))
        }
        self.heads = Heads(folder / "heads", self._rng, victims | docks)
        self._accounting = Accounting(folder / "radius.detail")

    def tell(self) -> int:
        """Write every hour; gives how many rows the logs have."""
        for hour in range(self._people.hours):
            for device in self._here:
                if any(begin <= hour < until for site, begin, until in device.stays if site == self.number):
                    self._hour_of(device, hour)
            day = f"{START + timedelta(hours=hour):%Y-%m-%d}"
            self.traffic.end_hour(day)
            self.heads.flush(day)
            self._accounting.flush()
        for held in self._held.values():
            self._ends(held)
        self.traffic.close()
        self.heads.close()
        self._accounting.close()
        return self.traffic.rows

    def _wanted(self) -> dict[str, tuple[int, int]]:
        fixed: dict[str, int] = {}
        leased: dict[str, float] = {}
        for device in self._here:
            for nic in device.nics:
                for name in _names(device, nic):
                    if device.fixed and not nic.wireless:
                        fixed[name] = fixed.get(name, 0) + 1
                    else:
                        # Guests come and go, so that their addresses are used again; others may all be there at once.
                        leased[name] = leased.get(name, 0) + (0.55 if name.startswith("guest") else 1)
        return {name: (fixed.get(name, 0), math.ceil(leased.get(name, 0))) for name in {*fixed, *leased}}

    def _fix(self) -> None:
        for device in self._here:
            if device.fixed:
                for n, nic in enumerate(device.nics):
                    if not nic.wireless:
                        segment = self.segments[_names(device, nic)[0]]
                        held = Held(
                            device, nic, segment, segment.fix(), until_s=float("inf"), renew_s=float("inf")
                        )
                        self._held[device.number, n] = held
                        self.addresses[device.number] = held.address

    def _hour_of(self, device: Device, hour: int) -> None:
        """What one device does in one hour."""
        use = device.kind.habit[hour % 24]
        if not device.nics or device.is_docked(hour):
            return
        if use < _USED_MIN and device.kind.habit is not kinds.ALWAYS:
            return
        rng = self._rng
        if device.kind.random and device.nics[0].random and device.number % 4 == 0 and hour % 24 == 0:
            self._another_random(device)
        if device.kind.moves and rng.random() < device.kind.moves:
            self._away[device.number] = 1 - self._away.get(device.number, 0)
        first = True
        for n in self._cards(device, hour):
            held = self._connected(device, n, hour, hour * 3_600 + rng.random() * 900)
            if held is None:
                continue
            if first:
                self.addresses[device.number] = held.address
                self._talk(device, held, use, hour)
            first = False
            held.last_s = hour * 3_600 + 3_599

    def _another_random(self, device: Device) -> None:
        """A telephone makes up another number each day."""
        held = self._held.pop((device.number, 0), None)
        if held is not None:
            self._ends(held)
        device.nics[0] = self._people.new_card(device.maker, wireless=True, random=True)

    def _cards(self, device: Device, hour: int) -> tuple[int, ...]:
        if len(device.nics) == 1:
            return (0,)
        if device.fate == "shares-a-dock":
            return (0,) if (hour % 24 < 12) == (device.fate_h == 0) else (1,)
        if self._away.get(device.number):
            return (1,)
        return (0, 1) if crc32(device.id.encode()) % 100 < _BOTH_AT_ONCE * 100 else (0,)

    def _nic(self, device: Device, n: int, hour: int) -> Nic:
        if n == 0 and device.fate in {"card-replaced", "board-replaced"} and hour < device.fate_h:
            return Nic(device.before["mac"], device.nics[0].wireless)
        return device.nics[n]

    def _connected(self, device: Device, n: int, hour: int, at_s: float) -> Held | None:
        """The card with its address, asked for or renewed where it must be."""
        nic = self._nic(device, n, hour)
        names = _names(device, nic)
        segment = self.segments[names[self._away.get(device.number, 0) % len(names)]]
        held = self._held.get((device.number, n))
        if held is not None and device.fate == "shares-a-dock" and at_s - held.last_s > _HOUR_S:
            # The other one had the dock, its number and its address meanwhile.
            self._ends(self._held.pop((device.number, n)))
            held = None
        if held is not None and (held.segment is not segment or held.nic.mac != nic.mac):
            moved = held.until_s == float("inf") and held.segment is segment
            self._ends(held)
            # A replaced card behind a fixed address keeps the address: somebody typed it in again.
            held = (
                Held(device, nic, segment, held.address, at_s, float("inf"), float("inf")) if moved else None
            )
            if held is not None:
                self._held[device.number, n] = held
        if held is None or at_s >= held.renew_s:
            held = self._asks(device, n, nic, segment, held, at_s, hour)
        elif held.last_s == 0.0:
            held.since_s = hour * _HOUR_S
        return held

    def _asks(
        self, device: Device, n: int, nic: Nic, segment: Segment, held: Held | None, at_s: float, hour: int
    ) -> Held | None:
        known = held is not None and at_s < held.until_s
        address = segment.lease(nic.mac, at_s)
        if held is not None and (address != held.address or not known):
            # Somebody else may have had it while this card was away.
            self._ends(held)
            held = None
        if address < 0:
            self._held.pop((device.number, n), None)
            return None
        if held is None:
            held = Held(device, nic, segment, address, at_s)
            self._held[device.number, n] = held
        held.until_s, held.renew_s = at_s + segment.lease_s, at_s + segment.lease_s / 2
        self.traffic.lease(at_s, device, nic, segment, address, host_at(device, hour), renewal=known)
        if nic.wireless and not known:
            self._accounting.start(at_s, nic.mac, address, segment)
        return held

    def _ends(self, held: Held) -> None:
        """A card gave up its address: into the truth."""
        if held.last_s > held.since_s and held.address >= 0:
            self._truth.held(self.realm, held.device, held.nic, held.address, held.since_s, held.last_s)

    def _talk(self, device: Device, held: Held, use: float, hour: int) -> None:
        rng = self._rng
        begin = hour * 3_600 + 900
        if device.claim == "serial":
            self._head(begin, device, held, kinds.HL7)
        for number, talk in enumerate(self.traffic.talks(device)):
            expected = talk.hourly * use
            count = int(expected) + (rng.random() < expected % 1)
            for _ in range(count):
                at_s = begin + rng.random() * 2_650
                self.traffic.conversation(at_s, device, held.nic, held.segment, held.address, talk, number)
                if talk.port in {kinds.HL7.port, kinds.DICOM.port}:
                    self._head(at_s, device, held, talk)

    def _head(self, at_s: float, device: Device, held: Held, talk: Talk) -> None:
        """The first message of a day is in the capture."""
        subjects = [device]
        if device.kind is kinds.GATEWAY:
            subjects = self._spoken_for(device, int(at_s // _HOUR_S))
        if device.claim == "serial":
            subjects = [self._people.devices[device.victim]]
        server = self.traffic.server_of(device, talk)
        if server is None or not subjects or not (subjects[0].kind.speaks or device.claim):
            return
        peer = self._people.devices[server]
        client, to = (held.nic.mac, held.address), (_card(held.segment, peer), self.addresses[server])
        self.heads.speaks(at_s, device, subjects, client, to, talk.port)

    def _spoken_for(self, gateway: Device, hour: int) -> list[Device]:
        """Give whom a gateway speaks for: once a day those behind it, each hour those in its docks."""
        docks = self._docks.get(gateway.number)
        behind = self._behind.get(gateway.number, []) if docks is None or hour % 24 == 0 else []
        return behind + [pump for pump in docks or () if pump.is_docked(hour)]


def _card(segment: Segment, peer: Device) -> str:
    return VIRTUAL_MAC if segment.name.startswith(HEARD) else peer.nics[0].mac


def host_at(device: Device, hour: int) -> str:
    """What it calls itself at that hour."""
    return device.before["host"] if device.fate == "renamed" and hour < device.fate_h else device.host


def _names(device: Device, nic: Nic) -> tuple[str, ...]:
    """Where such a card may be; a wireless one in either half of the house."""
    name = device.kind.segment
    if not nic.wireless:
        return (name,)
    name = name if name.endswith("-wifi") else f"{name}-wifi"
    return f"{name}-a", f"{name}-b"
