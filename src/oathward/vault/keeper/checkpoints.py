"""Sign the ledger's head every second or so many records, only when it continues what was signed last.

Rules:
- What was signed last stands in the keeper's own store, written before the signature leaves: a ledger that
  was cut, forked or restored in the database gets no signature.
- Signing the same head again gives the same bytes; a checkpoint lost between store and database is made again.
- After ``ledger restore-declare`` two people let the keeper begin at the new origin (``restart``).

Deliberately absent: repair. A ledger that does not continue makes the keeper unhealthy until people act.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from oathward import ledger
from oathward.core.db import read, write
from oathward.core.errors import KeeperError
from oathward.core.points import point
from oathward.core.reasons import Reason
from oathward.ledger import checkpoint, note
from oathward.ledger.checkpoint import Checkpoint
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.proof import Person

META = "checkpoint"
"""Where the keeper's store has what was signed last."""


def sign_next(keeper: Keeper) -> Checkpoint | None:
    """Sign the head if anything was appended; gives what was signed.

    Raises:
        LedgerError: the ledger does not continue what was signed last; nothing is signed.
    """
    store = keeper.store
    text = store.meta(META)
    last = checkpoint.parse(text) if text else None
    with read(keeper.engine) as db:
        following = checkpoint.propose(db, keeper.site, last)
        newest = checkpoint.latest(db, keeper.site)
    if following is None:
        if last is None or (newest is not None and newest.size >= last.size):
            return None
        following = last  # signed before a crash, and not kept
    with store.transaction():
        store.set_meta(META, following.text)
    point("checkpoint.decided")
    signed = note.sign(following.text, keeper.ledger_key)
    with write(keeper.engine) as db:
        checkpoint.store(db, keeper.site, signed)
    return following


def restart(keeper: Keeper, people: list[Person]) -> None:
    """Let checkpoints begin again after a declared restore.

    Raises:
        KeeperError: ``NOT_PERMITTED``; it takes two different people.
    """
    if len({person.name for person in people}) < 2:
        raise KeeperError("proofs", "two different people must agree", reason=Reason.NOT_PERMITTED)
    with keeper.store.transaction():
        keeper.store.set_meta(META, "")
    keeper.note("checkpoint.restarted", {"people": sorted(person.name for person in people)})


@dataclass(slots=True)
class Pace:
    """When the next checkpoint is due: so many seconds or records after the last."""

    keeper: Keeper
    last_s: float = field(default_factory=time.monotonic)
    size: int = 0

    def due(self) -> bool:
        """Say whether it is time."""
        limits = self.keeper.settings.keeper
        if time.monotonic() - self.last_s >= limits.checkpoint_every_s:
            return True
        with read(self.keeper.engine) as db:
            size = ledger.head(db, self.keeper.site).size
        return size - self.size >= limits.checkpoint_every_records

    def sign(self) -> None:
        """Sign what was appended.

        Raises:
            LedgerError: as ``sign_next``.
        """
        self.last_s = time.monotonic()
        signed = sign_next(self.keeper)
        if signed is not None:
            self.size = signed.size
