"""Sets of whole numbers as spans: addresses, protocols and ports. Pure.

Rules:
- A set is a tuple of (first, last), sorted, apart from each other by more than one.
- IPv4 and IPv6 addresses are one line of numbers: IPv4 first, IPv6 behind it. So "every address but these" is one set.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable, Iterator

Spans = tuple[tuple[int, int], ...]

V6_FIRST = 1 << 32
V4: Spans = ((0, V6_FIRST - 1),)
V6: Spans = ((V6_FIRST, V6_FIRST + (1 << 128) - 1),)
ADDRESSES: Spans = ((0, V6[0][1]),)
PROTOCOLS: Spans = ((0, 255),)
PORTS: Spans = ((0, 65_535),)

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def joined(parts: Iterable[tuple[int, int]]) -> Spans:
    """Make one set of spans in any order."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(parts):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return tuple(found)


def common(a: Spans, b: Spans) -> Spans:
    """Give what is in both."""
    if a == b:
        return a
    found, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        first, last = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if first <= last:
            found.append((first, last))
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


def without(a: Spans, b: Spans) -> Spans:
    """Give what is in ``a`` and not in ``b``."""
    found, j = [], 0
    for first, last in a:
        at = first
        while j < len(b) and b[j][1] < at:
            j += 1
        k = j
        while k < len(b) and b[k][0] <= last:
            if b[k][0] > at:
                found.append((at, b[k][0] - 1))
            at = b[k][1] + 1
            k += 1
        if at <= last:
            found.append((at, last))
    return tuple(found)


def holds(spans: Spans, value: int) -> bool:
    """Say whether a number is in a set."""
    at = bisect_right(spans, (value, 1 << 200)) - 1
    return at >= 0 and spans[at][1] >= value


def size(spans: Spans) -> int:
    """Count the numbers of a set."""
    return sum(last - first + 1 for first, last in spans)


def number(address: _Address) -> int:
    """Give an address's place on the one line."""
    return int(address) + (V6_FIRST if address.version == 6 else 0)


def address_span(text: str) -> tuple[int, int]:
    """Read an address, a network or ``first-last``.

    Raises:
        ValueError: it is none of them.
    """
    first, dash, last = text.partition("-")
    if dash:
        ends = ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip())
        if ends[0].version != ends[1].version or int(ends[0]) > int(ends[1]):
            raise ValueError("not a range")
        return number(ends[0]), number(ends[1])
    network = ipaddress.ip_network(text.strip(), strict=False)
    return number(network[0]), number(network[-1])


def networks(spans: Spans) -> Iterator[str]:
    """Write addresses as the fewest networks, single hosts without a length; 32 or 128 a span at most twice."""
    for first, last in spans:
        for low, high in ((V4[0][0], V4[0][1]), (V6[0][0], V6[0][1])):
            a, b = max(first, low), min(last, high)
            if a > b:
                continue
            make = ipaddress.IPv4Address if low == 0 else ipaddress.IPv6Address
            for network in ipaddress.summarize_address_range(make(a - low), make(b - low)):
                text = str(network)
                yield text.removesuffix("/32") if low == 0 else text.removesuffix("/128")


def ranges(spans: Spans) -> list[str]:
    """Write ports or protocols as ``n`` and ``n-m``."""
    return [str(first) if first == last else f"{first}-{last}" for first, last in spans]
