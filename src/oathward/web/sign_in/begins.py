"""How often one address may begin to sign in: what is begun takes room at the keeper, where the oldest goes when it is full.

Rules:
- Counted by address and minute, an IPv6 network of 64 bits as one; a whole ward behind one address fits many times.
- Only what begins is counted: passkeys asked for, the way to the provider. Wrong tries are the keeper's to count.

Deliberately absent: proxies' headers; the console is behind none.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from oathward.core.errors import InputError
from oathward.core.reasons import Reason

PER_MINUTE_MAX = 120
ADDRESSES_MAX = 10_000
_MINUTE_S = 60.0


class Begins:
    """Counts of this process; safe in threads."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._guard = threading.Lock()

    def count(self, address: str, place: str = "") -> None:
        """Count one from an address.

        Args:
            place: the site, where one process has several.

        Raises:
            InputError: ``sign-in.too-many``: it has begun too often within this minute.
        """
        key, now_s = f"{place}\0{network(address)}", self._monotonic()
        with self._guard:
            since_s, count = self._counts.pop(key, (now_s, 0))
            if now_s - since_s >= _MINUTE_S:
                since_s, count = now_s, 0
            self._counts[key] = (since_s, count + 1)
            while len(self._counts) > ADDRESSES_MAX:
                self._counts.popitem(last=False)
        if count >= PER_MINUTE_MAX:
            raise InputError("sign-in", "was begun too often from here", reason=Reason.SIGN_IN_TOO_MANY)


BEGINS = Begins()


def network(address: str) -> str:
    """Give what is counted as one: an IPv4 address, 64 bits of an IPv6 one."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def on_this_machine(address: str) -> bool:
    """Say whether an address is this machine's own."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
