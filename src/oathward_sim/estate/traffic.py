"""What a site's sensor writes of leases and conversations, with its moments of a wrong clock; counted for the truth as it goes."""

from __future__ import annotations

from collections import defaultdict
from hashlib import sha256
from ipaddress import IPv4Address
from pathlib import Path
from random import Random
from zlib import crc32

from oathward_sim.estate import kinds
from oathward_sim.estate.kinds import Talk
from oathward_sim.estate.network import Segment
from oathward_sim.estate.population import SITES, START, VIRTUAL_MAC, Device, Nic, Population
from oathward_sim.estate.truth import Truth
from oathward_sim.estate.zeek import Logs

START_S = START.timestamp()
_YEAR_S = 366 * 86_400.0

LEAKS: dict[str, tuple[str, Talk]] = {
    "leak": ("laboratory-analyser", Talk("198.51.100.61", 6661, "tcp", "", 0.5, 9_000, 400)),
    "leak-dicom": ("ultrasound", Talk("198.51.100.104", 104, "tcp", "", 0.2, 30_000_000, 5_000)),
    "leak-mqtt": ("device-gateway", Talk("198.51.100.88", 1883, "tcp", "mqtt", 0.5, 20_000, 900)),
    "undeclared-support": ("ct-scanner", Talk("198.51.100.22", 22, "tcp", "ssh", 0.1, 60_000, 40_000)),
    "undeclared-cloud": ("camera", Talk("cloud", 443, "tcp", "ssl", 0.4, 400_000, 5_000, "TLSv10")),
    "undeclared-print": ("patient-monitor", kinds.PRINT),
}
"""What nobody declared: class -> (kind of device that does it, what it does)."""
_LEAKS_SHARE = 0.02
NEVER = (
    ("infusion-pump", "research-registry", 6661), ("mr-scanner", "teaching-archive", 11112), ("laboratory-analyser", "registry", 2575),
)  # fmt: skip
"""Links that the papers declare and nothing ever uses: kind, recipient, port."""


class Traffic:
    """The sensor of one site.

    Args:
        addresses: number of a device -> the address it has just now; kept by the story.
    """

    def __init__(
        self, folder: Path, realm: str, style: str, people: Population, addresses: dict[int, int], truth: Truth, rng: Random
    ) -> None:  # fmt: skip
        self._realm, self._people, self._addresses, self._truth, self._rng = (
            realm,
            people,
            addresses,
            truth,
            rng,
        )
        self._logs = Logs(folder / "zeek", style)
        self._uid = 0
        self._counted: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
        self._shown: set[tuple[str, str]] = set()
        self._dotted: dict[int, str] = {}
        here = [d for d in people if SITES[d.site] == realm]
        self._routers = [d.nics[0].mac for d in here if d.role == "router"]
        self._servers: dict[str, list[int]] = defaultdict(list)
        for device in here:
            if device.role:
                self._servers[device.role].append(device.number)
        self._extra: dict[int, list[tuple[str, Talk]]] = defaultdict(list)
        for class_, (kind, talk) in LEAKS.items():
            those = [d for d in here if d.kind.word == kind]
            for device in rng.sample(those, min(len(those), max(1, round(len(those) * _LEAKS_SHARE)))):
                self._extra[device.number].append((class_, talk))
        self._wrong = self._wrong_clock(people.hours)

    @property
    def rows(self) -> int:
        """How many rows were written."""
        return self._logs.written

    def talks(self, device: Device) -> list[Talk]:
        """Whom a device talks to, declared or not; a small router, for all that stand behind it."""
        if device.role == "annexe":
            return list(kinds.BEHIND_NAT.talks) * 5
        if device.role in {"ntp", "proxy"}:
            return []
        return [*device.kind.talks, *(talk for _, talk in self._extra.get(device.number, ()))]

    def server_of(self, device: Device, talk: Talk) -> int | None:
        """Which server of the site a device of its own talks to; none for what is outside."""
        those = self._servers.get(talk.role)
        return those[device.number % len(those)] if those else None

    def lease(
        self, at_s: float, device: Device, nic: Nic, segment: Segment, address: int, host: str, *, renewal: bool
    ) -> None:  # fmt: skip
        """Write that DHCP gave an address, or gave it again."""
        ts, to = self._at(at_s), self._text(address)
        kinds_of = ["REQUEST", "ACK"] if renewal else ["DISCOVER", "OFFER", "REQUEST", "ACK"]
        self._logs.add(
            "dhcp", ts, [self._next_uid()], to if renewal else None, self._text(self._addresses[self._servers["dhcp"][0]]), nic.mac,
            host or None, None, f"{self._realm}.example", None if renewal else to, to, float(segment.lease_s), None, None,
            kinds_of, 0.02, f"{device.maker} {device.model}" if self._realm == "north" and not nic.random else None,
        )  # fmt: skip
        if segment.heard and not renewal:
            self._logs.add("known_devices", ts, nic.mac, host or None)

    def conversation(
        self, at_s: float, device: Device, nic: Nic, segment: Segment, address: int, talk: Talk, number: int
    ) -> None:  # fmt: skip
        """Write one conversation of a device, and what else the sensor knows of it."""
        peer = self.server_of(device, talk)
        if peer == device.number:
            return
        rng, ts, uid = self._rng, self._at(at_s), self._next_uid()
        server, name = self._peer(device, talk, peer)
        sent, got = int(talk.sent_bytes * (0.5 + rng.random())), int(talk.got_bytes * (0.5 + rng.random()))
        vlan: int | None = None
        if segment.heard:
            cards, vlan = (nic.mac, VIRTUAL_MAC), segment.vlan
        else:  # heard behind the routers, where frames have no tag
            failed_over = at_s > self._people.hours * 1_800
            cards = (
                self._routers[failed_over],
                self._people.devices[peer].nics[0].mac if peer is not None else VIRTUAL_MAC,
            )
        tcp = talk.transport == "tcp"
        ends = self._text(address), 32_768 + rng.getrandbits(14), server, talk.port
        self._logs.add(
            "conn", ts, uid, *ends, talk.transport, talk.service or None, 0.01 + sent / 5e6, sent, got, "SF", True,
            peer is not None, 0, "ShADadFf" if tcp else "Dd", 3 + sent // 1_400, sent + 40 * (3 + sent // 1_400), 3 + got // 1_400,
            got + 40 * (3 + got // 1_400), *cards, vlan,
        )  # fmt: skip
        counted = self._counted[device.number, number]
        counted[0] += 1
        counted[1] += sent + got
        self._beside(ts, uid, ends, device, talk, name)

    def end_hour(self, day: str) -> None:
        """Write the hour."""
        self._logs.flush(day)

    def close(self) -> None:
        """End the logs and tell the truth of the flows."""
        self._logs.close()
        for (number, index), (count, size) in sorted(self._counted.items()):
            device = self._people.devices[number]
            talk = self.talks(device)[index]
            classes = [class_ for class_, extra in self._extra.get(number, ()) if extra is talk]
            peer = self.server_of(device, talk)
            server = self._people.devices[peer].id if peer is not None else self._peer(device, talk, None)[0]
            row = server, talk.port, talk.transport, talk.service, classes[0] if classes else "declared"
            self._truth.flow(self._realm, device.id, row, count, size)

    def _beside(
        self, ts: float, uid: str, ends: tuple[str, int, str, int], device: Device, talk: Talk, name: str
    ) -> None:
        """The rows of the other logs."""
        if talk.tls:
            print_ = sha256(name.encode()).hexdigest()
            self._logs.add(
                "ssl",
                ts,
                uid,
                *ends,
                talk.tls,
                "TLS_AES_128_GCM_SHA256",
                name,
                False,
                True,
                None if talk.tls == "TLSv13" else [print_],
            )
            if talk.tls != "TLSv13" and (name, day := str(int(ts // 86_400))) not in self._shown:
                self._shown.add((name, day))
                self._logs.add(
                    "x509",
                    ts,
                    print_,
                    3,
                    print_[:16].upper(),
                    f"CN={name}",
                    "CN=Estate CA",
                    START_S - _YEAR_S,
                    START_S + _YEAR_S,
                )
        elif talk.service == "dns":
            self._logs.add(
                "dns",
                ts,
                uid,
                *ends,
                "udp",
                ends[1],
                f"time.{device.maker.lower()}.example",
                "A",
                "NXDOMAIN",
                None,
            )
        elif talk.service == "mqtt":
            self._logs.add(
                "mqtt_connect",
                ts,
                uid,
                *ends,
                "MQTT",
                "3.1.1",
                f"{device.maker.lower()}-{device.serial}",
                "Connection Accepted",
            )
        elif talk.service == "http":
            agent = device.kind.agent.format(firmware=device.firmware)
            self._logs.add("http", ts, uid, *ends, 1, "GET", name, "/status", "1.1", agent, 0, 400, 200)
            major, minor = map(int, device.firmware.split("."))
            self._logs.add(
                "software", ts, ends[0], "HTTP::BROWSER", agent.partition("/")[0], major, minor, agent
            )

    def _peer(self, device: Device, talk: Talk, peer: int | None) -> tuple[str, str]:
        """Address and name of whom a device talks to."""
        if peer is not None:
            return self._text(self._addresses[peer]), f"{self._people.devices[peer].host}.example"
        if talk.role != "cloud":
            return talk.role, talk.role
        return (
            f"203.0.113.{1 + crc32(device.maker.encode()) % 250}",
            f"telemetry.{device.maker.lower()}.example",
        )

    def _wrong_clock(self, hours: int) -> tuple[float, float, float]:
        """(from, until, by how many seconds the clock is wrong): a sensor that woke up in 1970, one that ran six hours ahead."""
        begin = hours * 3_600 * 0.6
        end, by = {"south": (begin + 600, -START_S), "west": (begin + 300, 21_600.0)}.get(
            self._realm, (begin, 0.0)
        )
        if by:
            self._truth.lie("clock", self._realm, "", "", ("", f"{by:.0f} s"), begin, end)
        return begin, end, by

    def _at(self, at_s: float) -> float:
        begin, end, by = self._wrong
        return START_S + at_s + by if begin <= at_s < end else START_S + at_s

    def _text(self, address: int) -> str:
        text = self._dotted.get(address)
        if text is None:
            text = self._dotted[address] = str(IPv4Address(address))
        return text

    def _next_uid(self) -> str:
        self._uid += 1
        return f"C{self._realm[0]}{self._uid:014x}"
