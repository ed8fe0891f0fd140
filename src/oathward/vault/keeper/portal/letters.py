"""Letters to holders that are due: the keeper queues them, another process sends them (``app/letters``).

Rules:
- A row names its kind and its holder; what fills the text stands sealed, the address is read from the holder's card only
  when the letter is taken.
- A letter that was taken and not settled is due again; each has few tries and an end, after which it is forgotten.
- A letter to nobody costs what a letter to somebody costs, and is forgotten when it would be sent.
- Records name the kind, and nothing of whom.

Deliberately absent: words and languages, connections.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from oathward.core.errors import KeeperError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.portal import holders
from oathward.vault.keeper.proof import Caller

KINDS = ("code", "invitation", "notice")
TAKEN_MAX = 20
TRIES_MAX = 5
LEASE_US = 60_000_000
AGAIN_US = 30_000_000
KEPT_US = 3 * 86_400_000_000
WAITING_MAX = 10_000


def put(keeper: Keeper, kind: str, holder: str, values: Mapping[str, str], *, live_us: int = KEPT_US) -> None:
    """Queue a letter; to nobody where ``holder`` is empty. The caller's transaction holds what goes with it.

    Raises:
        KeeperError: ``LIMIT_EXCEEDED``: too many wait; nothing sends them.
    """
    assert kind in KINDS, "a kind has a text"
    store, now_us, id_ = keeper.store, keeper.now_us(), uuid7()
    (waiting,) = store.one("SELECT COUNT(*) FROM letter") or (0,)
    if waiting >= WAITING_MAX:
        raise KeeperError("letters", "too many wait to be sent", reason=Reason.LIMIT_EXCEEDED)
    store.rows(
        "INSERT INTO letter VALUES (?, ?, ?, ?, ?, ?, 0)",
        *(id_, kind, holder, store.wrap("letter", "body", id_, orjson.dumps(dict(values)))),
        *(now_us, now_us + live_us),
    )


def take(keeper: Keeper, _caller: Caller) -> list[dict[str, Any]]:
    """Give the letters that are due now, a few; each is due again in a minute unless it is settled."""
    store, now_us = keeper.store, keeper.now_us()
    found = []
    with store.transaction():
        over = [
            kind
            for (kind,) in store.rows("SELECT kind FROM letter WHERE until_us <= ? AND holder <> ''", now_us)
        ]
        store.rows("DELETE FROM letter WHERE until_us <= ? OR holder = ''", now_us)
        sql = "SELECT id, kind, holder, body, tries FROM letter WHERE due_us <= ? ORDER BY due_us, id LIMIT ?"
        for id_, kind, who, body, tries in store.rows(sql, now_us, TAKEN_MAX):
            holder = holders.of(store, who)
            if holder is None or tries >= TRIES_MAX:
                store.rows("DELETE FROM letter WHERE id = ?", id_)
                over.append(kind)
                continue
            store.rows("UPDATE letter SET due_us = ?, tries = tries + 1 WHERE id = ?", now_us + LEASE_US, id_)
            card = holder.card.reveal()
            values = orjson.loads(store.unwrap("letter", "body", id_, body))
            found.append(
                {
                    "address": card.address,
                    "id": id_,
                    "kind": kind,
                    "language": card.language,
                    "tries": tries,
                    "values": values | ({"name": card.name} if kind == "invitation" else {}),
                }
            )
        for kind in over:
            keeper.note("letter.given-up", {"kind": kind})
    return found


def settle(keeper: Keeper, _caller: Caller, id: str, sent: bool) -> None:  # noqa: A002, FBT001  names on the wire
    """Note what became of a letter that was taken.

    Raises:
        KeeperError: ``NOT_FOUND``: it was settled, or has ended.
    """
    store = keeper.store
    with store.transaction():
        row = store.one("SELECT kind, tries FROM letter WHERE id = ?", id)
        if row is None:
            raise KeeperError("letter", "there is no such", reason=Reason.NOT_FOUND)
        kind, tries = row
        if not sent and tries < TRIES_MAX:
            due_us = keeper.now_us() + (AGAIN_US << tries)
            store.rows("UPDATE letter SET due_us = ? WHERE id = ?", due_us, id)
            return
        store.rows("DELETE FROM letter WHERE id = ?", id)
        keeper.note("letter.sent" if sent else "letter.given-up", {"kind": kind})
