"""Tell everybody who may see a patient's portal that there is news: a letter that says so, and nothing of care.

Rules:
- To each holder with an access in force now to that patient, or to one whom a confirmed merge makes the same; whose own
  record is hidden from their own phone, or whose access is over, hears nothing.
- One unread letter a day for each holder and cause: another goes out once they have signed in, or a day later. Whoever calls
  says where each counts (``every``): a broken glass.
- What is going on never waits for letters: where too many wait, these are given up, on record.

Deliberately absent: what there is to read (the ledger has it; the portal says it), addresses.
"""

from __future__ import annotations

from oathward.core.errors import KeeperError, OathwardError
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.portal import holders, letters, seats

DAY_US = 86_400_000_000


def tell(keeper: Keeper, subject: str, about: str, *, but: str = "", every: bool = False) -> int:
    """Queue a letter for each who may see it; gives how many. The caller's transaction holds what goes with it.

    Args:
        about: what it is about, one word; it stands in no letter. but: the holder who did it themselves.
        every: also where one of today is unread.
    """
    store, now_us, told = keeper.store, keeper.now_us(), 0
    with store.transaction():
        store.rows("DELETE FROM letter_told WHERE at_us < ?", now_us - DAY_US)
        for holder in sorted(_seeing(keeper, subject) - {but}):
            last = store.one("SELECT at_us FROM letter_told WHERE holder = ? AND about = ?", holder, about)
            known = holders.of(store, holder)
            if known is None or (last is not None and last[0] >= known.used_us and not every):
                continue
            try:
                letters.put(keeper, "notice", holder, {"about": about})
            except KeeperError:
                keeper.note("letter.given-up", {"kind": "notice"})
                continue
            store.rows("INSERT OR REPLACE INTO letter_told VALUES (?, ?, ?)", holder, about, now_us)
            told += 1
    return told


def _seeing(keeper: Keeper, subject: str) -> set[str]:
    """Find who may see this patient's portal now and has enrolled."""
    found = set()
    for one in _together(keeper, subject):
        for row in holders.seat_rows(keeper.store, subject=one):
            try:
                access = seats.read(keeper, row)
                stands = access is not None and seats.stands(keeper, row, access) == "in-force"
            except (
                OathwardError
            ):  # one that does not verify gives nothing, and keeps nobody else from being told
                continue
            holder = holders.of(keeper.store, row.holder)
            if stands and holder is not None and holder.used_us:
                found.add(row.holder)
    return found


def _together(keeper: Keeper, subject: str) -> frozenset[str]:
    """Give the subjects that are this patient by a person's word; the one alone where that cannot be read."""
    try:
        return keeper.register.confirmed(keeper, subject) if keeper.register else frozenset((subject,))
    except OathwardError:
        return frozenset((subject,))
