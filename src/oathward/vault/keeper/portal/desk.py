"""What the keeper remembers for minutes of a holder: codes that were sent, challenges, tries of an address, copies on their way.

Rules:
- Everything here ends within minutes and with the process.
- Of a code lies here only a hash; the code itself is in the letter.
- Whether there is such a holder makes no difference here: an unknown login has a code too, which nobody is sent.
- An address (an IPv6 network of 64 bits) that asks for very many codes is asked to wait.

Deliberately absent: waits of one login (``waits``: they outlive the process), wrong tries of an address (``entrance``).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.vault.keeper.sign_in.entrance import CEREMONY_S, Ceremony, Tickets, network_of

ASKED_MAX = 30
ASKED_WINDOW_S = 3_600.0
ADDRESSES_MAX = 10_000
COPY_S = 900.0
"""How long a copy may take to be fetched."""


@dataclass(slots=True)
class Waiting:
    """A code that was sent, or would have been.

    Args:
        holder: empty for a login that nobody has. login: its keyed hash. code: hash of the code.
        invitation: id of the invitation that the code confirms; empty for a sign-in.
    """

    holder: str
    login: str
    code: bytes = field(repr=False)
    invitation: str = ""
    tries: int = 0


@dataclass(slots=True)
class Copying:
    """A copy that is being fetched: only the session that began it goes on.

    Args:
        access: id of the signed access it is for. after: the last message that was given; until: the last there is.
    """

    holder: str
    session: str
    access: str
    subject: str
    own: bool
    after: str
    until: str


class Desk:
    """All of it, of one keeper; safe in threads."""

    def __init__(self, code_s: float, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self.waiting: Tickets[Waiting] = Tickets(code_s, monotonic)
        self.ceremonies: Tickets[Ceremony] = Tickets(CEREMONY_S, monotonic)
        self.copies: Tickets[Copying] = Tickets(COPY_S, monotonic)
        self._asked: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._guard = threading.Lock()

    def ask(self, origin: str) -> None:
        """Count that an address asks for a code.

        Raises:
            KeeperError: ``SIGN_IN_TOO_MANY``.
        """
        network, now_s = network_of(origin), self._monotonic()
        with self._guard:
            since_s, asked = self._asked.pop(network, (now_s, 0))
            if now_s - since_s >= ASKED_WINDOW_S:
                since_s, asked = now_s, 0
            while len(self._asked) >= ADDRESSES_MAX:
                self._asked.popitem(last=False)
            self._asked[network] = (since_s, asked + 1)
        if asked >= ASKED_MAX:
            raise KeeperError("address", "asked for too many codes: wait", reason=Reason.SIGN_IN_TOO_MANY)
