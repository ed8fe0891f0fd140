"""What the keeper has the outside witness hold: the ledger's checkpoints, and how many subjects were erased.

Rules:
- The list of tombstones is a small transparency log of its own: its signed lines are the leaves, its key is
  ``trust/tombstones.pub``. The witness cosigns only what continues it, so it holds count and root.
- A key store that holds fewer tombstones than the witness knows of, or others, is an old copy: it does not
  serve. Bring ``trust/tombstones`` up to date, and a start buries what is missing.
- Until the witness has been asked once since the start, nothing is opened; sealing goes on without it.
- A witness that cannot be reached is said in the status and tried again; one that contradicts us makes the
  keeper unhealthy.

Deliberately absent: a witness of our own making under the same administrator, which would prove nothing.

Source: C2SP tlog-checkpoint, tlog-witness; RFC 9162 §2.1 (tree of the lines).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import Engine

from oathward.core.errors import AuthorityError, KeeperError, LedgerError, SettingsError
from oathward.core.reasons import Reason
from oathward.core.settings import Settings
from oathward.ledger import checkpoint, merkle, note, witness_client
from oathward.ledger.checkpoint import Checkpoint
from oathward.vault.keeper import subjects, tombstones
from oathward.vault.keeper.store import Store
from oathward.vault.sign import Signer, Verifier


@dataclass(frozen=True, slots=True)
class Tree:
    """The tombstones as a log: what a checkpoint of it says, and proofs."""

    origin: str
    leaves: tuple[bytes, ...]

    @classmethod
    def of(cls, store: Store, site: str, authority: Signer, origin: str) -> Tree:
        """Build it from the store."""
        lines = [tombstones.line(stone, site, authority) for stone in subjects.tombstones(store)]
        return cls(origin, tuple(hashlib.sha256(b"\x00" + line).digest() for line in lines))

    def at(self, size: int) -> Checkpoint:
        """Give the checkpoint of the first ``size`` lines."""
        return Checkpoint(self.origin, size, merkle.root_at(self._tiles(), size))

    def consistency(self, old: int) -> list[bytes]:
        """Prove that all lines continue the first ``old``."""
        return merkle.prove_consistency(self._tiles(), old, len(self.leaves))

    def _tiles(self) -> merkle.TileReader:
        levels = {0: list(self.leaves)} | merkle.grow(0, [], self.leaves)

        def tile(level: int, index: int) -> bytes:
            first = index * merkle.TILE_WIDTH
            return b"".join(levels[level][first : first + merkle.TILE_WIDTH])

        return tile


class Line:
    """The line to the configured witness.

    Raises:
        SettingsError: its public key file cannot be read.
    """

    def __init__(self, settings: Settings, own: Signer) -> None:
        self._address, self._own = settings.witness.address, own
        self._key = witness_key(settings)

    def held(self) -> Checkpoint:
        """Ask how many tombstones the witness knows of; size 0 if none.

        Raises:
            LedgerError: ``witness.unavailable``.
            AuthorityError: what it says is not signed by it and by us.
        """
        try:
            signed = witness_client.ask_held(self._address, self._own.name)
        except LedgerError as error:
            if error.reason is Reason.NOT_FOUND:
                return Checkpoint(self._own.name, 0, merkle.EMPTY_ROOT)
            raise
        text, signatures = note.split(signed, "witness tombstones")
        note.check_cosignature(text, signatures, self._key, "witness tombstones")
        return checkpoint.read_note(signed, [self._own], "witness tombstones")

    def hand_over(self, tree: Tree, old: int) -> None:
        """Have the witness cosign the tombstones there are.

        Raises:
            LedgerError, AuthorityError: as ``witness_client.submit``.
        """
        signed = note.sign(tree.at(len(tree.leaves)).text, self._own)
        witness_client.submit(self._address, signed, old, tree.consistency(old), self._key)

    def cosign_ledger(self, engine: Engine, site: str, old: int) -> int:
        """Have the witness cosign the ledger's latest checkpoint; gives its size.

        Raises:
            LedgerError, AuthorityError: as ``witness_client.cosign_latest``.
        """
        return witness_client.cosign_latest(engine, site, self._address, self._key, old=old)


def check_not_behind(tree: Tree, held: Checkpoint) -> None:
    """Return nothing when this store has every tombstone the witness knows of.

    Raises:
        KeeperError: ``CONFLICT``; this store is an old copy, or of another history.
    """
    own = len(tree.leaves)
    if own < held.size:
        raise KeeperError(
            "keeper store",
            f"is an old copy: it has {own} erasures, the witness knows {held.size};"
            " bring the list trust/tombstones up to date and start again",
            reason=Reason.CONFLICT,
        )
    if tree.at(held.size).root != held.root:
        raise KeeperError("keeper store", "has other erasures than the witness knows", reason=Reason.CONFLICT)


def witness_key(settings: Settings) -> Verifier:
    """Load the configured witness's public key; a relative path is one in the data folder.

    Raises:
        SettingsError: no file is named, it cannot be read, or it holds no verifier key; names the path.
    """
    where = "oathward.toml [witness] public_key_file"
    if not settings.witness.public_key_file:
        raise SettingsError(where, "name the file with the witness's public key, its `witness.pub`")
    path = settings.data / settings.witness.public_key_file
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(where, f"{path} cannot be read") from error
    try:
        name, _, public = note.decode_key(text)
    except AuthorityError as error:
        raise SettingsError(where, f"{path} {error.why}") from error
    return Verifier(name, public)
