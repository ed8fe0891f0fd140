"""What DHCP servers wrote: logs of ISC dhcpd, dnsmasq and Kea, their files of leases, the audit log of Windows.

The formats, and what is taken of each, stand in ``logs.dhcp_lines``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import BinaryIO

from oathward.core.reasons import Reason
from oathward.discovery.logs import dhcp_lines
from oathward.discovery.logs.blocks import plain_head
from oathward.discovery.logs.gathering import Gathered
from oathward.discovery.logs.texts import Lines, parts
from oathward.discovery.model import Around, Seen
from oathward.discovery.observer import Observer

_LOOKED_AT = 200
"""Lines at the beginning that may tell the format: Windows has a preface, a log of a whole machine has others' lines."""
_DNSMASQ = re.compile(
    r"\d{1,12} (?:[0-9a-fA-F]{2}(?:[:-][0-9a-fA-F]{2}){5,}|\d+) [0-9a-fA-F.:]+ \S+ \S+|duid [0-9a-fA-F:]+"
)


def _reader(head: list[str]) -> dhcp_lines.Reader | None:
    """Tell the format by the first lines; None where it is none of them."""
    for line in head:
        text = line.strip().lower()
        if text.startswith("address,") and "expire" in text:
            return dhcp_lines.kea
        if text.startswith("id,date,time,"):
            return dhcp_lines.windows
        if text.startswith("lease ") and text.endswith("{"):
            return dhcp_lines.isc_leases
        if dhcp_lines.is_log(line):
            return dhcp_lines.log
    return dhcp_lines.dnsmasq if head and _DNSMASQ.fullmatch(head[0].strip()) else None


def _knows(head: bytes, _: str) -> bool:
    return _reader(plain_head(head).decode("utf-8", "replace").split("\n")[:_LOOKED_AT]) is not None


def _read(stream: BinaryIO, around: Around) -> Iterator[Seen]:
    gathered = Gathered(around)
    lines = Lines(stream, gathered)
    all_lines = iter(lines)
    head: list[str] = []
    reader = None
    while reader is None and (more := list(islice(all_lines, 1))) and len(head) < _LOOKED_AT:
        head += more  # no further than needed: of a socket the next line may be long in coming
        reader = _reader(more)
        if reader is dhcp_lines.dnsmasq and len(head) > 1:
            reader = None  # its first line tells it, or none
    if reader is None:
        gathered.refuse(Reason.OBSERVED_UNKNOWN, "log")
        yield gathered.part(lines.offset)
    else:
        yield from parts(lines, reader(chain(head, all_lines), gathered), gathered)


def _header(head: bytes) -> int:
    """Give how long what names the columns is; files of leases are written anew as a whole, and are not read on."""
    lines = plain_head(head).decode("utf-8", "replace").split("\n")[:_LOOKED_AT]
    reader = _reader(lines)
    if reader is dhcp_lines.log:
        return 0
    if reader not in (dhcp_lines.kea, dhcp_lines.windows):
        return -1
    begin = next(
        n for n, line in enumerate(lines) if line.strip().lower().startswith(("address,", "id,date,time,"))
    )
    return len(b"\n".join(plain_head(head).split(b"\n")[: begin + 1])) + 1


OBSERVER = Observer(
    words="DHCP servers: logs and leases (ISC, Kea, dnsmasq, Windows)",
    knows=_knows,
    read=_read,
    header=_header,
    order=40,
)
