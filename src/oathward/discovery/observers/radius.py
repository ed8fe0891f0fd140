"""RADIUS accounting as FreeRADIUS writes it (detail files): which card is on which port or wireless network, with which address.

Rules:
- A record is a line with its time and lines of attributes after it, until an empty one.
- The name of a user is a person's and is not taken; ``host/NAME`` is a machine's (802.1X with the machine's own account) and is.
- A stop says that somebody was there until then; it is a statement as the others are.

Source: RFC 2865 §5 and RFC 2866 §5 (attributes), RFC 3580 §3.20 and §3.21 (station ids; SSID), RFC 3580 §3.31 (VLAN); FreeRADIUS ``rlm_detail``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import BinaryIO

from oathward.core.reasons import Reason
from oathward.discovery.cards import mac
from oathward.discovery.logs.blocks import plain_head
from oathward.discovery.logs.dhcp_lines import microseconds
from oathward.discovery.logs.gathering import Gathered, at
from oathward.discovery.logs.records import whole
from oathward.discovery.logs.texts import Lines, parts
from oathward.discovery.model import Around, Fact, Mark, MarkKind, Seen
from oathward.discovery.observer import Observer
from oathward.discovery.values import host, printable

_HEAD = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\s*")
_ATTRIBUTE = re.compile(r"\s+([A-Za-z0-9-]+)(?::\d+)? :?\+?= (.*)")
_ATTRIBUTES_MAX = 256
_STATION = re.compile(r"([0-9A-Fa-f]{2}(?:[-:.]?[0-9A-Fa-f]{2}){5})(?::(.*))?")


def _knows(head: bytes, _: str) -> bool:
    lines = plain_head(head).decode("utf-8", "replace").splitlines()[:8]
    told = next((n for n, line in enumerate(lines) if _HEAD.fullmatch(line)), None)
    return told is not None and any(_ATTRIBUTE.fullmatch(line) for line in lines[told + 1 :])


def _read(stream: BinaryIO, around: Around) -> Iterator[Seen]:
    gathered = Gathered(around)
    lines = Lines(stream, gathered, empty=True)
    yield from parts(lines, _records(lines, gathered), gathered)


def _records(lines: Iterable[str], gathered: Gathered) -> Iterator[None]:
    begun, said = "", dict[str, str]()
    for line in lines:
        found = _ATTRIBUTE.fullmatch(line)
        if found and begun and len(said) < _ATTRIBUTES_MAX:
            said.setdefault(found[1], found[2].strip().strip('"'))
        elif found:
            gathered.refuse(Reason.OBSERVED_SIZE if begun else Reason.OBSERVED_BROKEN, "attribute")
        elif _HEAD.fullmatch(line) or not line.strip():
            if begun:
                _say(begun, said, gathered)
            begun, said = line.strip(), {}
        else:
            gathered.refuse(Reason.OBSERVED_BROKEN, "line")
        yield
    if begun:
        _say(begun, said, gathered)


def _say(begun: str, said: Mapping[str, str], gathered: Gathered) -> None:
    """Say what one record says."""
    calling, called = (
        _STATION.fullmatch(said.get("Calling-Station-Id", "")),
        _STATION.fullmatch(said.get("Called-Station-Id", "")),
    )
    card = mac(calling[1]) if calling else None
    at_us = _time(begun, said)
    if card is None:
        gathered.refuse(Reason.OBSERVED_BROKEN, "Calling-Station-Id")
        return
    if at_us is None:
        gathered.refuse(Reason.OBSERVED_BROKEN, "time")
        return
    ssid, vlan = (
        printable(called[2] or "") if called else "",
        printable(said.get("Tunnel-Private-Group-Id", "")),
    )
    machine = host(said["User-Name"][5:]) if said.get("User-Name", "").startswith("host/") else ""
    server = printable(
        said.get("NAS-Identifier") or said.get("NAS-IP-Address") or said.get("NAS-IPv6-Address")
    )
    where = printable(said.get("NAS-Port-Id") or said.get("NAS-Port"))
    wired = f"{server} {where}".strip() if where and not ssid else ""
    marks = [Mark(MarkKind.MAC, card), at(said.get("Framed-IP-Address", "")), Mark(MarkKind.HOST, machine)]
    facts = [Fact("switch-port", wired, 0.8), Fact("host", machine, 0.6)]
    gathered.say(at_us, "radius", marks, facts, segment=ssid or (f"vlan {vlan}" if vlan else ""))


def _time(begun: str, said: Mapping[str, str]) -> int | None:
    stamp = whole(said.get("Timestamp"))
    if stamp is not None:
        return stamp * 1_000_000
    try:
        return microseconds(
            datetime.strptime(" ".join(begun.split()), "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
        )
    except ValueError:
        return None


OBSERVER = Observer(words="RADIUS accounting (FreeRADIUS detail files)", knows=_knows, read=_read, order=40)
