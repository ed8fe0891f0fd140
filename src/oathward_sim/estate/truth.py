"""What was so, beside what was written: each device, which card and address it had when, what it said of itself, and which statements are lies.

Nothing that reads the rest may read this; it is what readers are judged by.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, TextIO

import orjson

from oathward_sim.estate.population import SITES, Device, Nic, Population

_HEADS = {
    "cards.csv": "device,realm,mac,random,from_us,until_us",
    "leases.csv": "realm,address,device,mac,from_us,until_us",
    "lies.csv": "cause,realm,device,victim,kind,value,from_us,until_us",
    "flows.csv": "realm,client,server,port,transport,service,class,conversations,bytes",
}


class Truth:
    """The files of the truth, open for writing.

    Args:
        start_us: of the story, microseconds UTC.
    """

    def __init__(self, folder: Path, start_us: int) -> None:
        folder.mkdir(parents=True)
        self._folder, self._start_us = folder, start_us
        self._files: dict[str, TextIO] = {}
        for name, head in _HEADS.items():
            self._files[name] = (folder / name).open("w", encoding="utf-8")
            print(head, file=self._files[name])
        self._cards: dict[tuple[int, str, str], list[float]] = {}
        self._random: set[str] = set()

    def held(
        self, realm: str, device: Device, nic: Nic, address: int, since_s: float, until_s: float
    ) -> None:
        """A device had an address, through a card, from and until (seconds of the story)."""
        row = f"{realm},{IPv4Address(address)},{device.id},{nic.mac},{self.us(since_s)},{self.us(until_s)}"
        print(row, file=self._files["leases.csv"])
        times = self._cards.setdefault((device.number, realm, nic.mac), [since_s, until_s])
        times[0], times[1] = min(times[0], since_s), max(times[1], until_s)
        if nic.random:
            self._random.add(nic.mac)

    def lie(
        self,
        cause: str,
        realm: str,
        device: str,
        victim: str,
        mark: tuple[str, str],
        since_s: float,
        until_s: float,
    ) -> None:
        """Somebody or some list said what is not so, from and until (seconds of the story)."""
        times = f"{self.us(since_s)},{self.us(until_s)}"
        print(f"{cause},{realm},{device},{victim},{mark[0]},{mark[1]},{times}", file=self._files["lies.csv"])

    def flow(
        self, realm: str, client: str, row: tuple[str, int, str, str, str], conversations: int, size: int
    ) -> None:
        """A device talked so often with somebody, as (server, port, transport, service, class)."""
        server, port, transport, service, class_ = row
        print(
            f"{realm},{client},{server},{port},{transport},{service},{class_},{conversations},{size}",
            file=self._files["flows.csv"],
        )

    def close(self, people: Population) -> None:
        """Write the devices and the cards, and end."""
        for (number, realm, mac), (since_s, until_s) in self._cards.items():
            random = int(mac in self._random)
            row = f"{people.devices[number].id},{realm},{mac},{random},{self.us(since_s)},{self.us(until_s)}"
            print(row, file=self._files["cards.csv"])
        with (self._folder / "devices.jsonl").open("wb") as out:
            for device in people:
                out.write(orjson.dumps(_told(device), option=orjson.OPT_APPEND_NEWLINE))
        for file in self._files.values():
            file.close()

    def us(self, at_s: float) -> int:
        """Microseconds UTC of a second of the story."""
        return self._start_us + round(at_s * 1_000_000)


def _told(device: Device) -> dict[str, Any]:
    from oathward_sim.estate.kinds import held_out

    return {
        "device": device.id, "type": device.kind.word, "site": SITES[device.site], "make": device.maker, "model": device.model,
        "held_out": held_out(device.maker), "serial": device.serial, "firmware": device.firmware, "tag": device.tag,
        "host": device.host, "unit": device.unit, "eui64": device.eui64, "account": device.account, "fixed": device.fixed,
        "macs": [nic.mac for nic in device.nics], "behind": f"d{device.behind:06d}" if device.behind >= 0 else "",
        "stays": [(SITES[site], begin, until) for site, begin, until in device.stays], "fate": device.fate,
        "fate_h": device.fate_h, "before": device.before, "role": device.role, "claim": device.claim,
        "victim": f"d{device.victim:06d}" if device.victim >= 0 else "", "medical": device.kind.medical,
        "dock": f"d{device.dock:06d}" if device.dock >= 0 else "", "docked": device.docked,
    }  # fmt: skip
