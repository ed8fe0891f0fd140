"""Elements that devices send and no link uses: read from the facts of decisions that are kept.

Rules:
- A class is used where a link that was permitted on messages of that device and type names it. What Oathward keeps for itself is no use of it:
  it keeps whatever came.
- The envelope of a message says nothing of a person and is not listed.
- Facts that were removed, or never kept, are counted: what is not known is not called unused.

Deliberately absent: values; anything that makes a device send less.

Source: GDPR Art. 5(1)(c), data minimisation; 45 CFR 164.502(b), minimum necessary.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from oathward.core.db import read
from oathward.ledger import decided, head, scan
from oathward.policy.model import KEEP, TRANSPORT_CLASSES, Facts

if TYPE_CHECKING:
    from oathward.policy.bundle import Bundle
    from oathward.vault.opened import Opened

_BLOCK = 4_096
SENDERS_MAX = 50_000
"""Different devices and types that are told apart; more are counted as left."""


class Unused(NamedTuple):
    """What one device sends in one type of message and nobody uses. ``links``: those that get something of these messages."""

    device: str
    kind: str
    message_type: str
    classes: tuple[str, ...]
    links: tuple[str, ...]
    messages: int


@dataclass(slots=True)
class Sent:
    """What was sent of one device and type: classes, links that were permitted, how many messages."""

    kind: str = ""
    classes: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    messages: int = 0


@dataclass(slots=True)
class Sending:
    """What devices sent: (device, message type) -> what. ``unknown``: messages whose facts are not there any more."""

    sent: dict[tuple[str, str], Sent] = field(default_factory=dict)
    messages: int = 0
    unknown: int = 0
    left: int = 0


def unused(found: Sending, bundle: Bundle) -> list[Unused]:
    """List what no link uses, the most classes first."""
    named = {link.id: link.classes for link in bundle.links.values() if link.recipient != KEEP}
    rows = []
    for (device, type_), one in found.sent.items():
        links = sorted(one.links & named.keys())
        used = frozenset[str]().union(*(named[link] for link in links))
        classes = sorted(one.classes - used - TRANSPORT_CLASSES)
        if classes:
            rows.append(Unused(device, one.kind, type_, tuple(classes), tuple(links), one.messages))
    return sorted(rows, key=lambda row: (-len(row.classes), row.device, row.message_type))


def sending(site: Opened, since_us: int, *, records_max: int = 2**62) -> Sending:
    """Read what devices sent since a time, in blocks, each in a transaction of its own.

    Args:
        records_max: records of the ledger that are looked at, the last ones.
    """
    found = Sending()
    with read(site.engine) as db:
        start, stop = decided.first_since(db, site.site, since_us), head(db, site.site).size
    start = max(start, stop - records_max)
    for low in range(start, stop, _BLOCK):
        _block(site, low, min(stop, low + _BLOCK), since_us, found)
    return found


def _block(site: Opened, start: int, stop: int, since_us: int, found: Sending) -> None:
    entries = []
    with read(site.engine) as db:
        for _, _, at_us, _, stored in scan.between(db, site.site, start, stop, ("message.accepted",)):
            if at_us >= since_us:
                entries.append(orjson.loads(stored)["body"])
        wanted = {bytes.fromhex(one["facts"][0]) for one in entries if one["facts"]}
        bodies = decided.facts(db, site.site, wanted)
    facts = {digest: _facts(body) for digest, body in bodies.items()}
    for entry in entries:
        found.messages += 1
        known = facts.get(bytes.fromhex(entry["facts"][0])) if entry["facts"] else None
        note(found, known, _permitted(entry))


def note(found: Sending, facts: Facts | None, permitted: Iterable[str]) -> None:
    """Add one message: its facts, None where they are gone, and the links on which something was permitted."""
    if facts is None or facts.classes_present is None or not facts.device:
        found.unknown += 1
        return
    key = (facts.device, facts.message_type or "")
    if key not in found.sent and len(found.sent) >= SENDERS_MAX:
        found.left += 1
        return
    one = found.sent.setdefault(key, Sent(facts.device_kind or ""))
    one.classes |= facts.classes_present
    one.links |= set(permitted)
    one.messages += 1


def _permitted(entry: Mapping[str, Any]) -> list[str]:
    return [answer[0] for answer in entry["answers"] if answer[1] == "permit"]


def _facts(body: bytes | None) -> Facts | None:
    try:
        return Facts.from_body(body) if body is not None else None
    except ValueError:
        return None
