"""What a mark is worth: who speaks here, a claim that travels, a name that several may have. Pure.

Rules:
- A *card* is a universally administered MAC; a locally administered one is *random*, and says little.
- A value that devices of one kind leave the factory with (a serial of zeros, a host called ``localhost``) marks nobody.
- A MAC of a redundancy protocol, of a group or of nobody is no card.
- An address that means something on one wire alone (link-local, loopback, group, unspecified) is no address of an endpoint.

Source: IEEE 802-2014 §8.2 (U/L and I/G bits); RFC 9568 §7.3 (VRRP); RFC 5771, RFC 4291 §2 (addresses).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

from oathward.discovery.model import VALUE_LENGTH_MAX, Mark, MarkKind

CLAIMS = (
    MarkKind.DEVICE,
    MarkKind.TAG,
    MarkKind.ACCOUNT,
    MarkKind.UDI,
    MarkKind.EUI64,
    MarkKind.SERIAL,
    MarkKind.CERTIFICATE,
)
"""Claims that travel with an endpoint, the surest first."""

NAMES = (MarkKind.CLIENT_ID, MarkKind.HOST, MarkKind.AE_TITLE, MarkKind.APPLICATION)
EXCLUSIVE = frozenset({MarkKind.DEVICE, MarkKind.TAG, MarkKind.ACCOUNT})
"""Who has one of these has no other of its kind: the gateway, the site's list and a vendor tell them apart."""

MARKS_MAX = 32
"""Marks of one statement that are looked at."""

NEIGHBOURS_MAX = 8
"""So far apart are the numbers of two cards that were made for one box."""

_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_VIRTUAL = ("00:00:5e:00:01:", "00:00:5e:00:02:", "00:00:0c:07:ac:", "00:00:0c:9f:f")
_NOBODY_SERIAL = re.compile(
    r"(?:|0+|1+|x+|f+|\W+|1234567?8?9?0?|none|null|unknown|default|not specified|n/?a|empty|serial(?: ?number)?|system serial number"
    r"|to be filled by o\.?e\.?m\.?|change ?me|test)"
)
_NOBODY_HOST = re.compile(
    r"(?:|localhost|unknown|none|null|default|android|iphone|ipad|ipod|macbook|desktop|laptop|pc|printer|raspberrypi|esp[-_]?[0-9a-f]{0,6}"
    r"|dhcppc\d*|host|device|linux|ubuntu|debian|openwrt|router)"
)


class Sorted(NamedTuple):
    """Marks of one statement by what they are worth."""

    cards: tuple[str, ...]
    random: tuple[str, ...]
    addresses: tuple[str, ...]
    claims: tuple[Mark, ...]
    names: tuple[Mark, ...]


@lru_cache(maxsize=65_536)
def sort_marks(marks: tuple[Mark, ...]) -> Sorted:
    """Sort marks; what marks nobody is left out."""
    cards, random, addresses = list[str](), list[str](), list[str]()
    claims, names = list[Mark](), list[Mark]()
    for kind, value in marks[:MARKS_MAX]:
        if not value or len(value) > VALUE_LENGTH_MAX:
            continue
        if kind is MarkKind.MAC:
            if usable_mac(value):
                (random if is_random(value) else cards).append(value)
        elif kind is MarkKind.ADDRESS:
            if usable_address(value):
                addresses.append(value)
        elif kind in _CLAIM_RANK:
            if not _says_nobody(kind, value):
                claims.append(Mark(kind, value))
        elif not (kind is MarkKind.HOST and _NOBODY_HOST.fullmatch(host_of(value))):
            names.append(Mark(kind, host_of(value) if kind is MarkKind.HOST else value))
    claims.sort(key=lambda one: _CLAIM_RANK[one.kind])
    return Sorted(
        _once(cards),
        _once(random),
        _once(addresses),
        tuple(dict.fromkeys(claims)),
        tuple(dict.fromkeys(names)),
    )


@lru_cache(maxsize=262_144)
def usable_mac(value: str) -> bool:
    """Whether a MAC can be a card of one endpoint: well formed, no group, nobody's virtual one, not all zeros."""
    return (
        _MAC.fullmatch(value) is not None
        and not int(value[:2], 16) & 1
        and value != "00:00:00:00:00:00"
        and not value.startswith(_VIRTUAL)
    )


def is_random(mac: str) -> bool:
    """Whether a MAC is locally administered."""
    return bool(int(mac[:2], 16) & 2)


@lru_cache(maxsize=262_144)
def usable_address(value: str) -> bool:
    """Whether an address can be one endpoint's inside its realm."""
    try:
        one = ip_address(value)
    except ValueError:
        return False
    limited = one.version == 4 and value.endswith("255.255.255.255")
    return not (one.is_link_local or one.is_loopback or one.is_multicast or one.is_unspecified or limited)


@lru_cache(maxsize=65_536)
def is_global(value: str) -> bool:
    """Whether an address is one of the internet's."""
    return ip_address(value).is_global


def host_of(value: str) -> str:
    """Fold a host name to its first label: a device says its name with and without its domain."""
    folded = value.casefold().rstrip(".")
    return folded if folded.replace(".", "").isdigit() else folded.split(".", 1)[0]


def neighbours(one: str, other: str) -> bool:
    """Whether two cards were made by one maker with neighbouring numbers."""
    return one[:8] == other[:8] and abs(_number(one) - _number(other)) <= NEIGHBOURS_MAX


def is_fixed_client(client_id: str, mac: str) -> bool:
    """Whether a DHCP client id says the MAC again, and nothing more."""
    return client_id.replace(":", "").endswith(mac.replace(":", ""))


_CLAIM_RANK = {kind: rank for rank, kind in enumerate(CLAIMS)}


def _says_nobody(kind: MarkKind, value: str) -> bool:
    if kind is MarkKind.SERIAL:
        return _NOBODY_SERIAL.fullmatch(value.rpartition("|")[2].strip().casefold()) is not None
    return kind is MarkKind.EUI64 and (len(set(value.casefold())) < 3)


def _once(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _number(mac: str) -> int:
    return int(mac[9:].replace(":", ""), 16)
