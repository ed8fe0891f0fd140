"""Who spoke and is not known: remembered once each, counted, and bounded.

Rules:
- One entry an identity: certificate, else address, with MSH-3/4. ``note`` costs a dictionary look-up; the
  database hears of it when ``remember_unknown`` is called, about every second.
- At most ``NEW_PER_HOUR_MAX`` new ones an hour; the rest is counted as one, ``OVERFLOW``, so that somebody who
  makes up names fills nothing.
- What a stranger says of itself is cut to ``TEXT_LENGTH_MAX`` printable characters, and shown to people only.

Deliberately absent: messages; they lie sealed in quarantine under the identity's id.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from hashlib import sha256

from sqlalchemy import Connection

from oathward.core.reasons import Reason
from oathward.inventory import sql
from oathward.inventory.model import Peer
from oathward.ledger import Leaf, Record, append, prepare

OVERFLOW = "overflow"
NEW_PER_HOUR_MAX = 200
WAITING_MAX = 1_000
TEXT_LENGTH_MAX = 80

_HOUR_US = 3_600_000_000


@dataclass(slots=True)
class Heard:
    """Messages of one identity since the last time the database heard of it."""

    address: str
    certificate: str
    application: str
    facility: str
    reason: str
    first_us: int
    last_us: int
    messages: int = 1


@dataclass(slots=True)
class Strangers:
    """What one process heard of unknown devices and has not told the database yet."""

    waiting: dict[str, Heard] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def note(self, peer: Peer, sender: tuple[bytes, bytes], reason: Reason, now_us: int) -> str:
        """Count a message of somebody unknown; gives the identity's id, the same every time."""
        id_ = identity_of(peer, sender)
        with self.guard:
            heard = self.waiting.get(id_)
            if heard is None and len(self.waiting) >= WAITING_MAX:
                id_, heard = OVERFLOW, self.waiting.get(OVERFLOW)
            if heard is not None:
                heard.messages += 1
                heard.last_us = now_us
            else:
                self.waiting[id_] = _heard(id_, peer, sender, reason, now_us)
        return id_

    def take(self) -> dict[str, Heard]:
        """Give what waits, and start anew."""
        with self.guard:
            taken, self.waiting = self.waiting, {}
        return taken

    def give_back(self, taken: dict[str, Heard]) -> None:
        """Keep counting what could not be written."""
        with self.guard:
            for id_, heard in taken.items():
                later = self.waiting.get(id_)
                if later is not None:
                    heard.messages += later.messages
                    heard.last_us = later.last_us
                self.waiting[id_] = heard


def identity_of(peer: Peer, sender: tuple[bytes, bytes]) -> str:
    """Name an identity: 24 hexadecimal digits of what identifies it."""
    who = peer.cert_sha256 or peer.address.encode()
    parts = (who, *sender)
    return sha256(b"".join(b"%d:%b" % (len(p), p) for p in parts)).hexdigest()[:24]


def remember_unknown(db: Connection, site: str, taken: dict[str, Heard], now_us: int) -> int:
    """Write what was heard; gives how many were new. Appends ``device.unrecognised`` for each new one, last."""
    room = NEW_PER_HOUR_MAX - sql.held_since(db, site, now_us - _HOUR_US)
    leaves: list[Leaf] = []
    for id_, heard in taken.items():
        if sql.note_held(db, site, id_, messages=heard.messages, last_us=heard.last_us):
            continue
        if id_ != OVERFLOW and room <= 0:
            id_, heard = OVERFLOW, _anonymous(heard)
            if sql.note_held(db, site, id_, messages=heard.messages, last_us=heard.last_us):
                continue
        room -= 1
        values = {name: getattr(heard, name) for name in Heard.__slots__}
        sql.new_held(db, {"site": site, "id": id_, "state": "held", **values})
        body = {"held": id_, "messages": heard.messages, "reason": heard.reason}
        leaves.append(prepare(Record("device.unrecognised", body, now_us)))
    if leaves:
        append(db, site, leaves)
    return len(leaves)


def _heard(id_: str, peer: Peer, sender: tuple[bytes, bytes], reason: Reason, now_us: int) -> Heard:
    certificate = peer.cert_sha256.hex() if peer.cert_sha256 else ""
    heard = Heard(
        peer.address, certificate, _shown(sender[0]), _shown(sender[1]), reason.code, now_us, now_us
    )
    return _anonymous(heard) if id_ == OVERFLOW else heard


def _anonymous(heard: Heard) -> Heard:
    return Heard("", "", "", "", heard.reason, heard.first_us, heard.last_us, heard.messages)


def _shown(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")[:TEXT_LENGTH_MAX]
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
