"""What the keeper remembers while somebody signs in: unfinished sign-ins, challenges, wrong tries of an address.

Rules:
- Everything here ends within minutes and with the process; each kind has a most.
- What a browser holds is 32 random bytes; here lie only their hashes.
- A challenge, a state, an assertion is for one use: it is taken, never only looked at.
- An address (an IPv6 network of 64 bits) that was wrong too often is asked to wait before anything is compared.
- Refusals are counted, and recorded about once a second as sums: ids and codes, never what was typed.

Deliberately absent: who may sign in (``signing_in``), waits of accounts (``waits``: they outlive the process).
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.vault.keeper.sign_in.passwords import Hashes

T = TypeVar("T")

TICKETS_MAX = 4_096
PENDING_S = 900.0
CEREMONY_S = 300.0
STATE_S = 900.0
TRIES_MAX = 5
"""Wrong codes for one unfinished sign-in; then it begins again with the first factor."""

ADDRESS_WRONG_MAX = 100
ADDRESS_WINDOW_S = 3_600.0
ADDRESSES_MAX = 10_000


@dataclass(slots=True)
class Pending:
    """Somebody who proved something and must prove more, or enrol a factor.

    Args:
        factors: what was proved, in order: ``password``, ``provider``, ``invitation``.
        enrols: a factor must be enrolled to go on; else one that is there must be shown.
        invitation: id of the invitation that is used up at the end; empty for none.
    """

    person: str
    factors: tuple[str, ...]
    enrols: bool
    origin: str = ""
    login: str = ""
    invitation: str = ""
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Ceremony:
    """A challenge that was given out for a passkey.

    Args:
        use: ``sign-in``, ``second``, ``step-up`` or ``enrol``.
        person: whom it is for; empty where the passkey alone says so. proof: the secret it was asked with.
    """

    challenge: bytes
    use: str
    person: str = ""
    proof: str = ""


@dataclass(frozen=True, slots=True)
class ProviderState:
    """A sign-in at the provider that one browser began. ``session``: id, where it is a step-up."""

    browser: str
    nonce: str
    verifier: str
    began_us: int
    session: str = ""
    taken: bool = False


@dataclass(slots=True)
class NewTotp:
    """A secret that was shown and not confirmed by a code yet."""

    person: str
    secret: bytes = field(repr=False)


class Tickets(Generic[T]):
    """Things by a secret that a browser holds; each ends after some seconds, the oldest goes where there are too many."""

    def __init__(self, live_s: float, monotonic: Callable[[], float], *, most: int = TICKETS_MAX) -> None:
        self._live_s, self._monotonic, self._most = live_s, monotonic, most
        self._held: OrderedDict[bytes, tuple[float, T]] = OrderedDict()
        self._guard = threading.Lock()

    def put(self, value: T, *, secret: str = "") -> str:
        """Hold a thing; gives the secret it is found by."""
        secret = secret or secrets.token_urlsafe(32)
        with self._guard:
            self._forget()
            while len(self._held) >= self._most:
                self._held.popitem(last=False)
            self._held[_hash(secret)] = (self._monotonic() + self._live_s, value)
        return secret

    def get(self, secret: str) -> T | None:
        """Look at a thing."""
        with self._guard:
            self._forget()
            found = self._held.get(_hash(secret))
        return found[1] if found else None

    def take(self, secret: str) -> T | None:
        """Give a thing to one caller and never again."""
        with self._guard:
            self._forget()
            found = self._held.pop(_hash(secret), None)
        return found[1] if found else None

    def drop(self, unwanted: Callable[[T], bool]) -> None:
        """Forget what is not wanted any more."""
        with self._guard:
            for key in [key for key, (_, value) in self._held.items() if unwanted(value)]:
                del self._held[key]

    def _forget(self) -> None:
        now_s = self._monotonic()
        while self._held and next(iter(self._held.values()))[0] <= now_s:
            self._held.popitem(last=False)


class Entrance:
    """All of it, of one keeper; safe in threads."""

    def __init__(
        self, *, monotonic: Callable[[], float] = time.monotonic, hashes: Hashes | None = None
    ) -> None:
        self._monotonic = monotonic
        self.hashes = hashes or Hashes()
        self.pending: Tickets[Pending] = Tickets(PENDING_S, monotonic)
        self.ceremonies: Tickets[Ceremony] = Tickets(CEREMONY_S, monotonic)
        self.states: Tickets[ProviderState] = Tickets(STATE_S, monotonic)
        self.totps: Tickets[NewTotp] = Tickets(PENDING_S, monotonic)
        self.sign_ins: dict[
            tuple[str, str], str
        ] = {}  # at the provider: whose each was when all were read last
        self._wrong: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._refused: Counter[tuple[str, str, str]] = Counter()
        self._guard = threading.Lock()

    def check_address(self, origin: str) -> None:
        """Refuse an address that was wrong too often, before anything is compared.

        Raises:
            KeeperError: ``SIGN_IN_TOO_MANY``.
        """
        with self._guard:
            since_s, wrong = self._wrong.get(network_of(origin), (0.0, 0))
            late = self._monotonic() - since_s >= ADDRESS_WINDOW_S
        if wrong >= ADDRESS_WRONG_MAX and not late:
            raise KeeperError("address", "was wrong too often: wait", reason=Reason.SIGN_IN_TOO_MANY)

    def refused(self, origin: str, what: str, person: str, why: str) -> KeeperError:
        """Count a wrong try, and make its refusal: the same whatever was wrong.

        Args:
            what: which kind of proof. person: id, for the record; empty where nobody is known. why: a code.
        """
        network, now_s = network_of(origin), self._monotonic()
        with self._guard:
            since_s, wrong = self._wrong.pop(network, (now_s, 0))
            if now_s - since_s >= ADDRESS_WINDOW_S:
                since_s, wrong = now_s, 0
            while len(self._wrong) >= ADDRESSES_MAX:
                self._wrong.popitem(last=False)
            self._wrong[network] = (since_s, wrong + 1)
            self._refused[what, person, why] += 1
        return refusal()

    def take_refused(self) -> Counter[tuple[str, str, str]]:
        """Give what was refused since the last time: kind of proof, person id, code -> how often."""
        with self._guard:
            counted, self._refused = self._refused, Counter()
        return counted

    def put_back(self, counted: Counter[tuple[str, str, str]]) -> None:
        """Take back what could not be recorded."""
        with self._guard:
            self._refused.update(counted)


def refusal() -> KeeperError:
    """Make the one answer to whatever is wrong while signing in."""
    return KeeperError("sign-in", "was not accepted", reason=Reason.SIGN_IN_REFUSED)


def network_of(origin: str) -> str:
    """Name the network an address is counted with: itself, or an IPv6 network of 64 bits; empty for what is none."""
    try:
        address = ipaddress.ip_address(origin)
    except ValueError:
        return ""
    if address.version == 4:
        return str(address)
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
