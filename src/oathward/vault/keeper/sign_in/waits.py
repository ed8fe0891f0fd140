"""How long an account waits after wrong tries; nobody is told that it does.

Rules:
- Only what was compared and was wrong counts: a broken connection, an unknown challenge, an old form do not.
- The first ``[people] wrong_per_hour_max`` cost nothing. Each one after them makes a wait, a minute first, twice as long each
  time, up to an hour; while it lasts everything is refused as if it were wrong, and does not count.
- A right try, or a day without one, begins again. A passkey cannot be guessed: it never waits, so nobody is locked out
  by others.
- A login that nobody has is counted as any other, under a hash: what it costs says nothing.

Deliberately absent: a lock that somebody must undo.

Source: NIST SP 800-63B-4 §3.2.2 (throttling); OWASP ASVS 5.0 V6.3.1.
"""

from __future__ import annotations

import hashlib

from oathward.vault.keeper.store import Store

_MINUTE_US = 60_000_000
WAIT_US_MAX = 60 * _MINUTE_US
FORGET_US = 24 * 60 * _MINUTE_US
COUNTS_MAX = 100_000
"""Beyond so many the least wrong are forgotten first: logins that nobody has are as many as somebody tries."""

_FORGOTTEN_AT_ONCE = 1_000


def name_of(what: str, whose: str) -> str:
    """Name a count: for one kind of proof of one account or login."""
    return hashlib.sha256(f"{what}\0{whose}".encode()).hexdigest()


def reserve(store: Store, name: str, now_us: int, free_max: int) -> bool:
    """Count a try as wrong before it is compared, so that many at once count all; says whether it is to be judged."""
    with store.transaction():
        store.rows("DELETE FROM wrong WHERE last_us < ?", now_us - FORGET_US)
        count, until_us = store.one("SELECT count, until_us FROM wrong WHERE id = ?", name) or (0, 0)
        if until_us > now_us:
            return False
        if not count:
            _make_room(store)
        count += 1
        over = count - free_max
        wait_us = min(WAIT_US_MAX, _MINUTE_US << min(over - 1, 10)) if over > 0 else 0
        store.rows(
            "INSERT INTO wrong VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET count = excluded.count,"
            " until_us = excluded.until_us, last_us = excluded.last_us",
            *(name, count, now_us + wait_us if wait_us else 0, now_us),
        )
    return True


def give_back(store: Store, name: str) -> None:
    """Take back one count: nothing was compared after all."""
    with store.transaction():
        store.rows("UPDATE wrong SET count = count - 1, until_us = 0 WHERE id = ? AND count > 0", name)


def clear(store: Store, *names: str) -> None:
    """Begin again: it was right, or the account was reset."""
    with store.transaction():
        store.many("DELETE FROM wrong WHERE id = ?", [(name,) for name in names])


def _make_room(store: Store) -> None:
    (held,) = store.one("SELECT COUNT(*) FROM wrong") or (0,)
    if held >= COUNTS_MAX:
        least = "SELECT id FROM wrong ORDER BY count, last_us LIMIT ?"
        store.rows(f"DELETE FROM wrong WHERE id IN ({least})", _FORGOTTEN_AT_ONCE)  # noqa: S608  our own words
