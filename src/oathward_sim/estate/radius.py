"""RADIUS accounting as a server keeps it in its detail file: which card came to which wireless network, with which address.

Source: RFC 2866 (Accounting), RFC 3580 §3.20 and §3.21 (Called- and Calling-Station-Id of IEEE 802.11).
"""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path

from oathward_sim.estate.network import Segment
from oathward_sim.estate.population import START


class Accounting:
    """A detail file, open for writing."""

    def __init__(self, path: Path) -> None:
        self._out = path.open("w", encoding="ascii")
        self._sessions = 0
        self._rows: list[tuple[float, str]] = []

    def start(self, at_s: float, mac: str, address: int, segment: Segment) -> None:
        """Write that a card came."""
        self._sessions += 1
        at = START + timedelta(seconds=at_s)
        card = mac.replace(":", "-").upper()
        rows = {
            "Acct-Session-Id": f'"{self._sessions:08X}"',
            "Acct-Status-Type": "Start",
            "User-Name": f'"{card.lower()}"',
            "NAS-IP-Address": "10.255.0.1",
            "NAS-Port-Type": "Wireless-802.11",
            "Calling-Station-Id": f'"{card}"',
            "Called-Station-Id": f'"00-00-5E-00-53-{segment.vlan % 256:02X}:{segment.name}"',
            "Framed-IP-Address": str(IPv4Address(address)),
            "Timestamp": str(int(at.timestamp())),
        }
        lines = [
            f"{at:%a %b %e %H:%M:%S %Y}",
            *(f"\t{name} = {value}" for name, value in rows.items()),
            "",
            "",
        ]
        self._rows.append((at_s, "\n".join(lines)))

    def flush(self) -> None:
        """Write what came, by time."""
        self._out.writelines(text for _, text in sorted(self._rows))
        self._rows.clear()

    def close(self) -> None:
        """End the file."""
        self._out.close()
