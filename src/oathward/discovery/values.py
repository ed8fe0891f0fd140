"""Values that come from the network, as they may be kept: names printable and short, addresses in one way of writing.

Rules:
- A name is a claim of whoever sent it: what is not printable is taken out of it, what is too long is cut, so that it can be kept and shown.
- An address or a number that cannot be is none: the caller counts it.

Source: RFC 5952 (one way of writing an IPv6 address), RFC 1123 §2.1 (host names).
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address

from oathward.discovery.model import VALUE_LENGTH_MAX

_ADDRESS_LENGTH_MAX = 45  # of an IPv6 address with an IPv4 one in it, without its zone
_OCTET = frozenset(str(one) for one in range(256))


def printable(text: object) -> str:
    """Keep what can be shown of a name that something gave itself, on one line; empty where it is no text."""
    if not isinstance(text, str):
        return ""
    kept = text[: VALUE_LENGTH_MAX * 4]
    if not kept.isprintable():
        kept = "".join(one for one in kept if one.isprintable() or one == " ")
    return kept.strip()[:VALUE_LENGTH_MAX].rstrip()


def host(text: object) -> str:
    """Fold a host name, so that one machine has one: lower case, without the root's dot."""
    return printable(text).rstrip(".").lower()


@lru_cache(maxsize=65_536)
def address(text: str) -> str:
    """Write an IP address in its one way; empty where it is none, or names nobody (``0.0.0.0``, ``::``). A zone is left out."""
    text = text.partition("%")[0]
    if len(text) > _ADDRESS_LENGTH_MAX:
        return ""
    if ":" not in text:
        parts = text.split(".")
        return text if len(parts) == 4 and _OCTET.issuperset(parts) and text != "0.0.0.0" else ""  # noqa: S104  nothing is bound here
    try:
        six = IPv6Address(text)
    except AddressValueError:
        return ""
    if six.ipv4_mapped is not None:
        return str(six.ipv4_mapped)
    return "" if six.is_unspecified else str(six)


def names_one(address_: str) -> bool:
    """Say whether a written address is one endpoint's: no group and no broadcast."""
    if ":" in address_:
        return not address_.startswith("ff")
    return not 224 <= int(address_.partition(".")[0]) <= 255
