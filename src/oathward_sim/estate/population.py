"""The devices of an estate and what becomes of each: made once from a seed, before the first hour."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from oathward_sim.estate import kinds
from oathward_sim.estate.kinds import Kind

START = datetime(2026, 5, 4, tzinfo=UTC)
"""The first hour of every estate, a Monday."""
SITES = ("north", "south", "west", "east", "harbour", "hill", "lake", "quarry")
UNITS = ("ICU", "CCU", "MED", "SUR", "ONC", "PED", "OBS", "EMD", "RAD", "LAB", "OPD", "REH")
PUMPS_A_GATEWAY = 20
HIDDEN_A_ROUTER = 10
VIRTUAL_MAC = "00:00:5e:00:01:01"
"""Of every site's pair of routers: VRRP router 1, the same at all sites (RFC 9568 §7.3)."""

FATES: dict[str, tuple[float, Callable[[Kind], bool]]] = {
    "card-replaced": (0.004, lambda k: k.medical and k.reach in {"wired", "wireless"} and not k.random),
    "board-replaced": (0.002, lambda k: k.medical and k.reach == "wired"),
    "renamed": (0.003, lambda k: bool(k.names) and k.reach in {"wired", "both"}),
    "loaned": (0.003, lambda k: k.medical and k.reach == "wireless"),
    "retired": (0.005, lambda k: k.reach in {"wired", "wireless", "both"} and k.share > 0),
    "arrived": (0.005, lambda k: k.reach in {"wired", "wireless", "both"} and k.share > 0),
    "shares-a-dock": (0.002, lambda k: k.word == "laptop"),
    "same-factory-number": (0.0005, lambda k: k.word == "door-reader"),
}
"""What may become of a device -> (share of all devices, which kinds); at least two devices of each."""

_TOGETHER = {"shares-a-dock": True, "same-factory-number": False}
"""Fates that two devices have together -> whether at one site."""
CLAIMS = ("serial", "mac", "host")
"""What an intruder says it is: another's, while that one is there too. Nobody takes a card that its device has left for its other one: no reader could tell."""
_CLAIMS_SHARE = 0.0004
_DOCKED_SHARE = 0.03
"""Of the pumps with a radio: those that a gateway speaks for while they stand in its dock."""
_DOCKED_TIMES = (1, 2, 6)


@dataclass(slots=True)
class Nic:
    """A network card. ``random``: a number the device made up itself (locally administered)."""

    mac: str
    wireless: bool = False
    random: bool = False


@dataclass(slots=True)
class Device:
    """One device, as it truly is.

    Args:
        behind: number of the gateway, hub or router it is heard through; -1 for none.
        stays: (site, from hour, until hour), in order. fate: a key of ``FATES``, or empty; ``fate_h``: the hour it happens.
        before: what it was until then, attribute -> value (``mac``, ``serial``, ``host``).
        victim: whom it claims to be; -1 for none. claim: one of ``CLAIMS``.
        role: of a server of the site. dock: number of the gateway that speaks for it while it stands there, ``docked`` times a day; -1 for none. unseen: no list has it and it asks for no address.
    """

    number: int
    kind: Kind
    site: int
    maker: str
    model: str
    serial: str
    firmware: str
    tag: str
    host: str
    unit: str
    nics: list[Nic] = field(default_factory=list)
    eui64: str = ""
    account: str = ""
    fixed: bool = False
    listed: bool = False
    unseen: bool = False
    behind: int = -1
    stays: list[tuple[int, int, int]] = field(default_factory=list)
    fate: str = ""
    fate_h: int = -1
    before: dict[str, str] = field(default_factory=dict)
    victim: int = -1
    claim: str = ""
    role: str = ""
    dock: int = -1
    docked: int = 0

    @property
    def id(self) -> str:
        """Its name in the truth."""
        return f"d{self.number:06d}"

    def is_docked(self, hour: int) -> bool:
        """Whether it stands in its dock in an hour: half the day, in as many parts as it is docked a day."""
        return self.dock >= 0 and hour * self.docked // 12 % 2 == 1


class Population:
    """Every device of an estate, by number.

    Args:
        devices: how many at least; gateways, routers, servers and intruders are among them. hours: how long the story is.
    """

    def __init__(self, seed: int, devices: int, sites: int, hours: int) -> None:
        self.seed, self.sites, self.hours = seed, sites, hours
        self.devices: list[Device] = []
        self._rng = Random(f"{seed}/population")
        self._prefixes: dict[str, list[int]] = {}
        self._cards: dict[int, int] = {}
        self._serials: dict[str, int] = {}
        for site in range(sites):
            self._servers(site)
        self._fill(devices)
        self._fates(devices)
        self._pairs(devices)
        self._docks()
        for claim in CLAIMS:
            for _ in range(max(1, round(devices * _CLAIMS_SHARE / len(CLAIMS)))):
                self._intruder(claim)

    def __iter__(self) -> Iterator[Device]:
        return iter(self.devices)

    def of_site(self, site: int) -> list[Device]:
        """Those that are at a site at any hour."""
        return [d for d in self.devices if any(stay[0] == site for stay in d.stays)]

    def new_card(self, maker: str, *, wireless: bool = False, random: bool = False) -> Nic:
        """Make a card with the next number of its maker, or one that the device made up."""
        if random:
            return Nic(_written(self._rng.getrandbits(48) & ~(1 << 40) | 1 << 41), wireless, random=True)
        prefix = self._rng.choice(self._prefixes_of(maker))
        self._cards[prefix] = number = self._cards.get(
            prefix, self._rng.randrange(1 << 16)
        ) + self._rng.randint(1, 3)
        return Nic(_written(prefix << 24 | number & 0xFFFFFF), wireless)

    def new_serial(self, maker: str) -> str:
        """Give the next serial of a maker; half of them count alike, so that a serial without its maker says little."""
        self._serials[maker] = number = self._serials.get(maker, 0) + self._rng.randint(1, 9)
        return f"{100_000 + number}" if len(maker) % 2 else f"{maker[:2].upper()}{4_000_000 + number}"

    def _prefixes_of(self, maker: str) -> list[int]:
        if maker not in self._prefixes:
            chance = Random(f"{self.seed}/{maker}")
            self._prefixes[maker] = [chance.randrange(1 << 24) & ~(3 << 16) for _ in range(2)]
        return self._prefixes[maker]

    def _add(self, kind: Kind, site: int, **more: object) -> Device:
        rng, number = self._rng, len(self.devices)
        maker = rng.choice(kinds.makers(kind))
        model = f"{maker[:3]}-{1 + sum(map(ord, maker + kind.word)) % 8}{rng.choice('05')}0"
        device = Device(
            number, kind, site, maker, model, self.new_serial(maker),
            f"{rng.randint(1, 4)}.{rng.randint(0, 9)}", f"{SITES[site][0].upper()}{100_000 + number}", "", rng.choice(UNITS),
            stays=[(site, 0, self.hours)],
        )  # fmt: skip
        if kind.reach in {"wired", "both"}:
            device.nics.append(self.new_card(maker))
        if kind.reach == "both":
            device.nics.append(self._second(device))
        if kind.reach == "wireless":
            device.nics.append(self.new_card(maker, wireless=True, random=rng.random() < kind.random))
        if kind.speaks == "hl7" and rng.random() < 0.7:
            device.eui64 = f"{self._prefixes_of(maker)[0]:06x}{number:010x}"
        if kind.reach == "account":
            device.account = f"{maker.lower()}|{rng.getrandbits(48):012x}"
        device.fixed = rng.random() < kind.fixed
        device.listed = rng.random() < kind.listed
        device.unseen = device.fixed and not device.listed and kind.word == "building-controller"
        device.host = host_of(device)
        for name, value in more.items():
            setattr(device, name, value)
        self.devices.append(device)
        return device

    def _second(self, device: Device) -> Nic:
        if self._rng.random() < 0.6:  # the next number of the same box
            first = int(device.nics[0].mac.replace(":", ""), 16)
            self._cards[first >> 24] = (first & 0xFFFFFF) + 1
            return Nic(_written(first + 1), wireless=True)
        return self.new_card(f"radio of {device.maker}", wireless=True)

    def _servers(self, site: int) -> None:
        server = next(k for k in kinds.KINDS if k.word == "server")
        for role, count in kinds.SERVERS.items():
            for n in range(count):
                self._add(server, site, role=role, fixed=True, host=f"{role}{n + 1}-{SITES[site]}")
        for _ in range(2):
            self._add(kinds.ROUTER, site, role="router", host="")

    def _fill(self, devices: int) -> None:
        total = sum(kind.share for kind in kinds.KINDS)
        for site in range(self.sites):
            room = devices // self.sites
            gateway = hub = -1
            for kind in kinds.KINDS:
                for n in range(max(1, round(room * kind.share / total))):
                    if kind.reach == "gateway" and n % PUMPS_A_GATEWAY == 0:
                        gateway = self._add(kinds.GATEWAY, site).number
                    device = self._add(kind, site)
                    if kind.reach == "gateway":
                        device.behind, device.unit = gateway, self.devices[gateway].unit
                    if kind.word == "wearable":
                        hub = device.behind = hub if n % 4 else self._add(kinds.KINDS[-1], site).number
                    if kind.word == "patient-telephone":
                        device.stays = [self._visit(site)]
            for _ in range(max(1, room // 3_000)):
                router = self._add(kinds.ROUTER, site, role="annexe", host="annexe")
                for _ in range(HIDDEN_A_ROUTER):
                    self._add(kinds.BEHIND_NAT, site, behind=router.number, listed=False)

    def _visit(self, site: int) -> tuple[int, int, int]:
        """A patient's stay; most began before the story."""
        until = self._rng.randint(1, self.hours + 24)
        return site, min(self.hours - 1, max(0, until - self._rng.randint(3, 72))), min(self.hours, until)

    def _fates(self, devices: int) -> None:
        for fate, (share, fits) in FATES.items():
            if fate in _TOGETHER:
                continue
            free = [d for d in self.devices if not d.fate and not d.role and d.behind < 0 and fits(d.kind)]
            for device in self._rng.sample(free, min(len(free), max(2, round(devices * share)))):
                self._befalls(device, fate)

    def _befalls(self, device: Device, fate: str) -> None:
        rng = self._rng
        hour = rng.randint(self.hours // 4, self.hours * 3 // 4)
        device.fate, device.fate_h = fate, hour
        site = device.site
        if fate in {"card-replaced", "board-replaced"}:
            device.before["mac"] = device.nics[0].mac
            device.nics[0] = self.new_card(device.maker, wireless=device.nics[0].wireless)
        if fate == "board-replaced":
            device.before["serial"] = device.serial
            device.serial = self.new_serial(device.maker)
        if fate in {"card-replaced", "board-replaced"}:
            device.stays = [(site, 0, hour), (site, hour + rng.randint(2, 6), self.hours)]
        if fate == "renamed":
            device.before["host"] = device.host
            device.host += "-R"
        if fate == "loaned" and self.sites > 1:
            other = (site + rng.randint(1, self.sites - 1)) % self.sites
            device.stays = [(site, 0, hour), (other, hour + 3, self.hours)]
        if fate == "retired":
            device.stays = [(site, 0, hour)]
        if fate == "arrived":
            device.stays = [(site, hour, self.hours)]

    def _pairs(self, devices: int) -> None:
        """Two that share a card: laptops of one site their dock's, one before noon and one after; boards of two sites a factory's number."""
        for fate, same_site in _TOGETHER.items():
            share, fits = FATES[fate]
            for _ in range(max(1, round(devices * share / 2))):
                free = [d for d in self.devices if not d.fate and fits(d.kind)]
                first = self._rng.choice(free)
                others = [d for d in free if d is not first and (d.site == first.site) == same_site]
                if not others:
                    continue
                second = self._rng.choice(others)
                card = self.new_card("dock") if same_site else first.nics[0]
                for n, device in enumerate((first, second)):
                    device.fate, device.fate_h, device.nics[0] = fate, n, card

    def _docks(self) -> None:
        rng = Random(f"{self.seed}/docks")
        for site in range(self.sites):
            here = [d for d in self.devices if d.site == site and not d.fate]
            gateways = [d for d in here if d.kind is kinds.GATEWAY]
            pumps = [d for d in here if d.kind.word == "infusion-pump" and gateways]
            some = rng.sample(
                pumps, min(len(pumps), max(len(_DOCKED_TIMES), round(len(pumps) * _DOCKED_SHARE)))
            )
            for n, pump in enumerate(some):
                pump.dock, pump.docked = rng.choice(gateways).number, _DOCKED_TIMES[n % len(_DOCKED_TIMES)]

    def _intruder(self, claim: str) -> None:
        rng = self._rng
        fits = [d for d in self.devices if d.kind.medical and d.nics and not d.fate and d.host and d.dock < 0]
        victim = rng.choice(
            [d for d in fits if d.kind.speaks == "hl7" and (claim != "mac" or len(d.nics) == 1)]
        )
        intruder = self._add(kinds.INTRUDER, victim.site, victim=victim.number, claim=claim)
        begin = rng.randint(self.hours // 3, self.hours * 2 // 3)
        intruder.stays = [(victim.site, begin, self.hours)]
        if claim == "mac":
            intruder.nics = [Nic(victim.nics[0].mac)]
        if claim == "host":
            intruder.host = victim.host


def host_of(device: Device) -> str:
    """Write its host name by the pattern of its kind."""
    mac = device.nics[0].mac.replace(":", "").upper() if device.nics else ""
    return device.kind.names.format(
        serial=device.serial, tag=device.tag, unit=device.unit, number=f"{device.number:05d}", mac=mac
    )


def _written(number: int) -> str:
    return ":".join(f"{number:012x}"[i : i + 2] for i in range(0, 12, 2))
