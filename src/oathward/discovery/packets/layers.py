"""From a frame to what it carries: link layers, tags, tunnels, IPv4 and IPv6 with their extensions.

Rules:
- Every form has its way here; the usual one has a shorter way in ``flows`` that gives the same.
- Of a tunnel, the outer packet is one of its own, and what it carries is another, in a segment named after it.
- A later fragment has no ports: it is counted, and told apart from what cannot be read.
- Lengths are claims: where a datagram says that it ends is given as it says, cut to nothing that is not there.

Deliberately absent: reassembly of fragments, wireless and serial links, checksums (network cards fill them in later).

Source: IEEE 802.3, 802.1Q, 802.1ad; RFC 791, 8200, 4302 (lengths of AH), 2784 and 2890 (GRE), 7348 (VXLAN), 8926 (Geneve),
3032 (MPLS), 2516 (PPPoE); the list of link types of tcpdump (LINUX_SLL, LINUX_SLL2, NULL, LOOP).
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from oathward.core.reasons import Reason

ETHERNET, NULL, LOOP, SLL, SLL2 = 1, 0, 108, 113, 276
RAW = {12: 0, 14: 0, 101: 0, 228: 4, 229: 6}
"""Link types without a header -> version of IP, 0 where the packet says it."""

IPV4, IPV6, ARP, LLDP = 0x0800, 0x86DD, 0x0806, 0x88CC
_TAGS = frozenset((0x8100, 0x88A8, 0x9100))
_MPLS = frozenset((0x8847, 0x8848))
_PPPOE = 0x8864
_PPP = {0x0021: IPV4, 0x0057: IPV6}
_BRIDGED = 0x6558
_FAMILIES = {2: IPV4, 10: IPV6, 24: IPV6, 28: IPV6, 30: IPV6}
"""Address families of the systems that write them (AF_INET, and AF_INET6 of Linux, the BSDs and macOS)."""

_CDP = b"\xaa\xaa\x03\x00\x00\x0c\x20\x00"
_TAGS_MAX = 8
_EXTENSIONS_MAX = 16
TUNNELS_MAX = 4

TCP, UDP, ICMP, IPIP, IPV6_IN_IP, GRE, ICMP6 = 6, 17, 1, 4, 41, 47, 58
VXLAN_PORTS, GENEVE_PORT = frozenset((4789, 8472)), 6081
TUNNEL_PORTS = VXLAN_PORTS | {GENEVE_PORT}
_FRAGMENT, _AH, _NOTHING = 44, 51, 59
_EXTENSIONS = frozenset((0, 43, 60, 135, 139, 140))

_u16 = Struct(">H").unpack_from
_ipv4 = Struct(">BxH2xHxB").unpack_from
_ipv6 = Struct(">4xHB").unpack_from


class Datagram(NamedTuple):
    """What an IP packet carries.

    Args:
        begin, end: of what follows the headers of IP; ``end`` by its length, which may lie beyond what was captured.
        fragment: a later fragment, or one of which only the first part is here; its ports mean nothing.
    """

    protocol: int
    source: bytes
    target: bytes
    begin: int
    end: int
    source_mac: bytes
    target_mac: bytes
    segment: str
    fragment: bool = False


class Framed(NamedTuple):
    """What stands in a frame without IP: ``arp``, ``lldp`` or ``cdp``, from ``begin`` on."""

    kind: str
    begin: int
    source_mac: bytes
    segment: str


def unwrapped(  # noqa: PLR0911  one answer a kind of link
    data: bytes, link: int, segment: str = "", at: int = 0
) -> Datagram | Framed | Reason | None:
    """Find what a frame carries; None where it is nothing that is looked at here.

    Args:
        at: where the frame begins. segment: of its sensor or tunnel, used where no tag names one.
    """
    if link == ETHERNET:
        if len(data) < at + 14:
            return Reason.OBSERVED_CUT
        return _ethernet(data, at + 12, data[at + 6 : at + 12], data[at : at + 6], segment)
    if link in RAW:
        return _network(data, at, data[at] >> 4 if len(data) > at else 0, b"", b"", segment)
    if link in (NULL, LOOP) and len(data) >= at + 4:
        family = int.from_bytes(data[at : at + 4], "big")
        family = family if family < 256 else int.from_bytes(data[at : at + 4], "little")
        return _typed(data, at + 4, _FAMILIES.get(family, 0), b"", b"", segment)
    if link == SLL and len(data) >= at + 16:
        size = _u16(data, at + 4)[0]
        return _ethernet(data, at + 14, data[at + 6 : at + 12] if size == 6 else b"", b"", segment)
    if link == SLL2 and len(data) >= at + 20:
        mac = data[at + 12 : at + 18] if data[at + 11] == 6 else b""
        return _typed(data, at + 20, _u16(data, at)[0], mac, b"", segment)
    return Reason.OBSERVED_CUT if link in (NULL, LOOP, SLL, SLL2) else Reason.OBSERVED_UNKNOWN


def _ethernet(
    data: bytes, at: int, source: bytes, target: bytes, segment: str
) -> Datagram | Framed | Reason | None:
    """Read from the type of a frame on: tags, then what they are before."""
    tags = []
    for _ in range(_TAGS_MAX):
        if len(data) < at + 2:
            return Reason.OBSERVED_CUT
        kind = _u16(data, at)[0]
        if kind not in _TAGS:
            break
        if len(data) < at + 4:
            return Reason.OBSERVED_CUT
        tags.append(_u16(data, at + 2)[0] & 0x0FFF)
        at += 4
    named = ".".join(str(tag) for tag in tags if tag)
    segment = f"vlan {named}" if named else segment
    if kind < 0x0600:
        return Framed("cdp", at + 10, source, segment) if data[at + 2 : at + 10] == _CDP else None
    return _typed(data, at + 2, kind, source, target, segment)


def _typed(
    data: bytes, at: int, kind: int, source: bytes, target: bytes, segment: str
) -> Datagram | Framed | Reason | None:
    if kind in (IPV4, IPV6):
        return _network(data, at, 4 if kind == IPV4 else 6, source, target, segment)
    if kind in _TAGS:  # behind a cooked header
        return _ethernet(data, at - 2, source, target, segment)
    if kind in (ARP, LLDP):
        return Framed("arp" if kind == ARP else "lldp", at, source, segment)
    if kind in _MPLS:
        while len(data) > at + 4 and not data[at + 2] & 1:
            at += 4
        at += 4
        return _network(data, at, data[at] >> 4 if len(data) > at else 0, source, target, segment)
    if kind == _PPPOE and len(data) >= at + 8:
        return _typed(data, at + 8, _PPP.get(_u16(data, at + 6)[0], 0), source, target, segment)
    return None


def _network(
    data: bytes, at: int, version: int, source: bytes, target: bytes, segment: str
) -> Datagram | Reason | None:
    if version == 4:
        if len(data) < at + 20:
            return Reason.OBSERVED_CUT
        first, total, fragment, protocol = _ipv4(data, at)
        begin = at + ((first & 15) << 2)
        end = at + (total or len(data) - at)  # 0: the network card cut a longer one, and fills it in
        if first >> 4 != 4 or begin < at + 20 or end < begin:
            return Reason.OBSERVED_BROKEN
        addresses = data[at + 12 : at + 16], data[at + 16 : at + 20]
        return Datagram(protocol, *addresses, begin, end, source, target, segment, bool(fragment & 0x1FFF))
    if version == 6:
        return _version_6(data, at, source, target, segment)
    return Reason.OBSERVED_BROKEN


def _version_6(data: bytes, at: int, source: bytes, target: bytes, segment: str) -> Datagram | Reason:
    if len(data) < at + 40:
        return Reason.OBSERVED_CUT
    size, protocol = _ipv6(data, at)
    begin = at + 40
    end = begin + size if size else len(data)
    addresses = data[at + 8 : at + 24], data[at + 24 : at + 40]
    fragment = False
    for _ in range(_EXTENSIONS_MAX):
        if protocol not in _EXTENSIONS and protocol not in (_FRAGMENT, _AH):
            break
        if len(data) < begin + 8 or begin + 8 > end:
            return Reason.OBSERVED_CUT
        if protocol == _FRAGMENT:
            fragment = bool(_u16(data, begin + 2)[0] & 0xFFF8)
            length = 8
        else:
            length = (data[begin + 1] + 2) * 4 if protocol == _AH else (data[begin + 1] + 1) * 8
        protocol = data[begin]
        begin += length
        if fragment:
            break
    if begin > end:
        return Reason.OBSERVED_BROKEN
    return Datagram(protocol, *addresses, begin, end, source, target, segment, fragment)


def within(data: bytes, outer: Datagram) -> tuple[int, int, str] | None:
    """Find what a tunnel carries: where it begins, its link type, and the segment it stands for; None for none."""
    begin, protocol = outer.begin, outer.protocol
    if protocol in (IPIP, IPV6_IN_IP):
        return begin, 228 if protocol == IPIP else 229, outer.segment
    if protocol == GRE and len(data) >= begin + 4:
        flags, kind = data[begin], _u16(data, begin + 2)[0]
        at = begin + 4 + 4 * (flags >> 7) + 4 * (flags >> 5 & 1) + 4 * (flags >> 4 & 1)
        link = {IPV4: 228, IPV6: 229, _BRIDGED: ETHERNET}.get(kind)
        return None if link is None or data[begin + 1] & 7 else (at, link, outer.segment)
    if protocol == UDP and len(data) >= begin + 16:
        port = _u16(data, begin + 2)[0]
        if port in VXLAN_PORTS and data[begin + 8] & 0x08:
            number = int.from_bytes(data[begin + 12 : begin + 15], "big")
            return begin + 16, ETHERNET, f"vxlan {number}"
        if port == GENEVE_PORT and _u16(data, begin + 10)[0] == _BRIDGED and not data[begin + 8] >> 6:
            number = int.from_bytes(data[begin + 12 : begin + 15], "big")
            return begin + 16 + (data[begin + 8] & 63) * 4, ETHERNET, f"geneve {number}"
    return None
