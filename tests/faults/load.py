"""Senders that behave as devices do, and what must be true afterwards, judged from their own lists."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from tests.wire import Client, Recipient, oru


@dataclass(eq=False)
class Sender(threading.Thread):
    """Send numbered messages in order; after a broken connection send the same one again, as devices do."""

    name_: str
    port: object  # gives the gateway's port now
    count: int
    acked: list[str] = field(default_factory=list)
    resent: int = 0
    stop: bool = False

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def run(self) -> None:
        client, number = None, 0
        while number < self.count and not self.stop:
            value = f"{self.name_}{number}"
            try:
                client = client or Client(self.port(), timeout_s=5.0)
                code = client.send(
                    oru(f"{self.name_}-{number}", sender=self.name_, value=value, mrn=f"7000{number % 7:04d}")
                )
            except (OSError, KeyError, ValueError):
                code = "closed"
            if code == "AA":
                self.acked.append(value)
                number += 1
                continue
            if client is not None:
                client.close()
            client = None
            self.resent += 1
            time.sleep(0.05)
        if client is not None:
            client.close()


@dataclass
class Judgement:
    lost: list[str]
    twice_with_other_ids: list[str]
    repeated: int
    out_of_order: list[str]


def judge(senders: list[Sender], recipient: Recipient) -> Judgement:
    """Compare what senders know was acknowledged with what the recipient kept."""
    values = [v.decode() for v in recipient.values()]
    ids: dict[str, set[bytes]] = defaultdict(set)
    for value, id_ in zip(values, recipient.ids(), strict=True):
        ids[value].add(id_)
    acked = [value for sender in senders for value in sender.acked]
    disorder = []
    for sender in senders:
        first_seen = list(dict.fromkeys(v for v in values if v.startswith(sender.name_)))
        if first_seen != sorted(first_seen, key=lambda v: int(v.removeprefix(sender.name_))):
            disorder.append(sender.name_)
    counts = Counter(values)
    return Judgement(
        lost=[v for v in acked if v not in counts],
        twice_with_other_ids=[v for v, seen in ids.items() if len(seen) > 1],
        repeated=sum(n - 1 for n in counts.values()),
        out_of_order=disorder,
    )
