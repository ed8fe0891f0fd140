"""Who spoke and is not known, or as another device: remembered once each, counted, and bounded.

Rules:
- One entry an identity: certificate, else address, with MSH-3/4.
- At most ``NEW_PER_HOUR_MAX`` new ones an hour; the rest is counted as one, ``OVERFLOW``, so that somebody who
  makes up names fills nothing.
- What a stranger says of itself is cut to ``TEXT_LENGTH_MAX`` printable characters, and shown to people only.

Deliberately absent: messages and records; the gateway holds the one sealed and writes the other.
"""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import Connection

from oathward.core.reasons import Reason
from oathward.inventory import sql
from oathward.inventory.model import Peer

OVERFLOW = "overflow"
NEW_PER_HOUR_MAX = 200
TEXT_LENGTH_MAX = 80

_HOUR_US = 3_600_000_000


def remember_unknown(
    db: Connection,
    site: str,
    peer: Peer,
    sender: tuple[bytes, bytes],
    now_us: int,
    reason: Reason = Reason.DEVICE_UNKNOWN,
) -> str:
    """Count a message of somebody unknown or mismatched, inside its transaction; gives the identity's id.

    Args:
        sender: MSH-3 and MSH-4 as written.
        reason: why it is held; the last one stays.
    """
    id_ = identity_of(peer, sender)
    if sql.note_held(db, site, id_, last_us=now_us, reason=reason.code):
        return id_
    certificate = peer.cert_sha256.hex() if peer.cert_sha256 else ""
    seen = {
        "address": peer.address,
        "certificate": certificate,
        "application": _shown(sender[0]),
        "facility": _shown(sender[1]),
    }
    if sql.held_since(db, site, now_us - _HOUR_US) >= NEW_PER_HOUR_MAX:
        id_, seen = OVERFLOW, dict.fromkeys(seen, "")
        if sql.note_held(db, site, id_, last_us=now_us):
            return id_
    times = {"first_us": now_us, "last_us": now_us}
    sql.new_held(
        db, {"site": site, "id": id_, **seen, "reason": reason.code, **times, "messages": 1, "state": "held"}
    )
    return id_


def held_for(db: Connection, site: str, peer: Peer, sender: tuple[bytes, bytes], reason: str) -> None:
    """Say why somebody who was heard before is held by what the inventory knows today."""
    sql.hold_for(db, site, identity_of(peer, sender), reason)


def identity_of(peer: Peer, sender: tuple[bytes, bytes]) -> str:
    """Name an identity: 24 hexadecimal digits of a hash of what identifies it."""
    who = peer.cert_sha256 or peer.address.encode()
    parts = (who, *sender)
    return sha256(b"".join(b"%d:%b" % (len(p), p) for p in parts)).hexdigest()[:24]


def _shown(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")[:TEXT_LENGTH_MAX]
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
