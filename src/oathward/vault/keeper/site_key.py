"""The site key: one 32-byte file that wraps every secret in the keeper's store.

Rules:
- Files are ``site-000001.key`` and so on, mode 0600, in the keeper's folder (0700). The store says which
  number is in force, so changing the key is one commit of the store.
- A key that is no longer in force is overwritten, flushed and unlinked.
- It is in no backup of ours: the administrator keeps a copy elsewhere (``docs/how-to``), or a lost disk
  means that nothing can ever be opened.

Deliberately absent: HSM and KMS (they will hold this one key), proof that a disk has forgotten a block.
"""

from __future__ import annotations

import os
from pathlib import Path

from oathward.core.errors import VaultError
from oathward.core.points import point
from oathward.vault.primitives import KEY_BYTES
from oathward.vault.sign import read_private, sync_folder, write_file


def key_path(folder: Path, generation: int) -> Path:
    """Give the file of one generation of the site key."""
    return folder / f"site-{generation:06d}.key"


def create(folder: Path, generation: int) -> bytes:
    """Make a new site key, durable before it is used."""
    key = os.urandom(KEY_BYTES)
    write_file(key_path(folder, generation), key, 0o600)
    return key


def load(folder: Path, generation: int) -> bytes:
    """Read the site key of a generation.

    Raises:
        VaultError: absent, of another length, or open to others.
    """
    path = key_path(folder, generation)
    key = read_private(path)
    if len(key) != KEY_BYTES:
        raise VaultError(path.name, f"a site key has {KEY_BYTES} bytes")
    return key


def destroy_others(folder: Path, in_force: int) -> int:
    """Destroy every site key but the one in force; gives how many."""
    others = [p for p in folder.glob("site-*.key") if p != key_path(folder, in_force)]
    for path in others:
        with path.open("r+b", buffering=0) as file:
            file.write(os.urandom(path.stat().st_size))
            os.fsync(file.fileno())
        point("site-key.overwritten")
        path.unlink()
    # What a crash left half written is no key yet, but may hold one's bytes.
    for path in folder.glob(".site-*.part"):
        path.unlink()
    if others:
        sync_folder(folder)
    return len(others)
