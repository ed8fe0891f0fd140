"""Short-lived copies of the key store, so that a broken disk is not the end of every key.

Rules:
- A copy is made each day and lives ``KEPT_DAYS``: an erased subject's keys live no longer than that in one.
- Copies are useless without the site key, which is in none of them. A new site key opens no old copy, so
  all copies are destroyed and a new one is made when it changes.
- A restored copy serves only after it has buried what it lacks (``keeper``).
"""

from __future__ import annotations

import os
from pathlib import Path

from oathward.vault.keeper.store import Store
from oathward.vault.sign import sync_folder

KEPT_DAYS = 7
_DAY_US = 86_400_000_000


def make(store: Store, now_us: int) -> Path:
    """Make a copy now."""
    folder = _folder(store)
    path = folder / f"keeper-{now_us}.db"
    partial = folder / f"keeper-{now_us}.part"
    store.copy_to(partial)
    partial.replace(path)
    sync_folder(folder)
    return path


def keep_up(store: Store, now_us: int) -> None:
    """Destroy copies past their time and make the one of the day."""
    for path in copies(store):
        if now_us >= made_us(path) + KEPT_DAYS * _DAY_US:
            _destroy(path)
    newest = max(map(made_us, copies(store)), default=0)
    if now_us >= newest + _DAY_US:
        make(store, now_us)


def start_again(store: Store, now_us: int) -> None:
    """Destroy every copy and make one: the site key has changed."""
    for path in copies(store):
        _destroy(path)
    make(store, now_us)


def last_expiry_us(store: Store, now_us: int) -> int:
    """Say when the last copy that exists now will be gone."""
    return max((made_us(path) + KEPT_DAYS * _DAY_US for path in copies(store)), default=now_us)


def copies(store: Store) -> list[Path]:
    """List the copies, oldest first; half a copy that a crash left is removed."""
    for path in _folder(store).glob("*.part*"):
        _destroy(path)
    return sorted(_folder(store).glob("keeper-*.db"), key=made_us)


def made_us(path: Path) -> int:
    """Say when a copy was made."""
    return int(path.stem.removeprefix("keeper-"))


def _folder(store: Store) -> Path:
    folder = store.folder / "backups"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _destroy(path: Path) -> None:
    with path.open("r+b", buffering=0) as file:
        left = path.stat().st_size
        while left > 0:
            left -= file.write(bytes(min(left, 1 << 20)))
        os.fsync(file.fileno())
    path.unlink()
    sync_folder(path.parent)
