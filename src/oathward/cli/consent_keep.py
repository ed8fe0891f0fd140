"""Keep the originals of consents sealed, and open them again through the keeper: a person, a purpose, a record.

Rules:
- An original lies among the sealed bodies as a message's does (``vault.kept``), of its patient: who is erased, of whom it
  opens no more.
- The signed document names it by SHA-256 and id; what opens to other bytes is refused.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from oathward.cli.signed_in import proof_of
from oathward.core.errors import InputError, VaultError
from oathward.core.phi import Phi
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oathward.vault.authority import Document
    from oathward.vault.bodies import SegmentStore
    from oathward.vault.keeper.client import GatewayKeys
    from oathward.vault.opened import Opened
    from oathward.vault.table_store import TableStore


class Keeping:
    """Seals originals for the keeper, and has their rows ready for the transaction of what names them."""

    def __init__(self, site: Opened, keys: GatewayKeys) -> None:
        self._site, self._keys = site, keys
        self._store: SegmentStore | TableStore | None = None
        self._rows: dict[str, list[tuple[Any, ...]]] = {}
        self._wrapped: dict[str, list[Any]] = {}

    def __enter__(self) -> Self:
        """Nothing is open yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let other commands write."""
        if self._store is not None:
            self._store.close()

    def seal(self, drafts: Sequence[Document], originals: Mapping[str, tuple[str, Phi[bytes]]]) -> None:
        """Seal and flush what the drafts name of these originals: id -> (subject, bytes).

        Raises:
            StorageError: another command writes, or there is no room: nothing was stored.
        """
        from oathward.cli.asking import now_us
        from oathward.consent.model import ORIGINAL, originals_of
        from oathward.vault import kept
        from oathward.vault.seal import Sealer

        named = [(d.id, id_) for d in drafts for id_ in originals_of(d.body).values() if id_ in originals]
        if not named:
            return
        sealer = Sealer(self._site.site, self._keys.intake, self._keys.outbox)
        sealed = [
            sealer.seal_original(subject, id_, ORIGINAL, originals[id_][1].reveal()) for subject, id_ in named
        ]
        self._store = self._opened()
        refs = self._store.append([one.data for one in sealed])
        self._store.flush()
        at_us = now_us(self._site)
        for (subject, id_), body, ref in zip(named, sealed, refs, strict=True):
            row = kept.row(self._site.site, id_, subject, ORIGINAL, body, ref, at_us)
            self._rows.setdefault(subject, []).append(row)
        for key in sealer.pending_keys():
            self._wrapped.setdefault(key.subject, []).append(key)

    def store(self, db: Connection, documents: Sequence[Document]) -> None:
        """Store keys and rows of what these documents name, in their transaction."""
        from oathward.vault import intake, kept

        intake.insert_keys(db, [key for d in documents for key in self._wrapped.get(d.id, ())])
        kept.insert_rows(db, [row for d in documents for row in self._rows.get(d.id, ())])

    def _opened(self) -> SegmentStore | TableStore:
        from oathward.cli.consent_import import WRITER
        from oathward.core.db import read
        from oathward.vault import kept
        from oathward.vault.bodies import SegmentStore
        from oathward.vault.table_store import TableStore

        site = self._site
        store: SegmentStore | TableStore
        if site.engine.dialect.name == "sqlite":
            store = SegmentStore(site.settings.data / "bodies", "kept", WRITER)
        else:
            store = TableStore(site.engine, site.site, "kept", WRITER, alone=True)
        with read(site.engine) as db:
            store.discard_tail(kept.last_ref(db, store.store))
        return store


@dataclass(frozen=True, slots=True)
class Opening:
    """One original of a consent, opened. ``versions``: of the document, that name it."""

    subject: str
    id: str
    digest: str
    versions: tuple[int, ...]
    data: Phi[bytes]


def originals(site: Opened, subject: str, *, person: str, purpose: str, every: bool = False) -> list[Opening]:
    """Open the originals of what stands for a patient; the keeper decides, and records it first.

    Args:
        every: those of earlier versions too.

    Raises:
        KeeperError: refused; it is recorded.
        VaultError: what opened is not what was signed.
    """
    from oathward.consent import views
    from oathward.core.db import read
    from oathward.patients import views as patients

    with read(site.engine) as db:
        family = patients.family(db, site.site, subject)
        named = {
            one: views.originals(db, site.site, one, site.authority, site.seen, every=every) for one in family
        }
    found: list[Opening] = []
    for one, versions in named.items():
        if not versions:
            continue
        ids = list(versions)
        for start in range(0, len(ids), 100):
            some = ids[start : start + 100]
            for original in site.keeper.open(
                one, some, purpose, proof_of(site.settings, site.keeper, person)
            ):
                digest, numbers = versions[original.message]
                if sha256(original.data.reveal()).hexdigest() != digest:
                    where = f"original {original.message}"
                    raise VaultError(where, "is not what was signed", reason=Reason.SEAL_BROKEN)
                found.append(Opening(one, original.message, digest, numbers, original.data))
    return found


def write_out(found: Sequence[Opening], out: str) -> list[str]:
    """Write originals into a folder, each its owner's alone; or to stdout, one a line. Gives the names of the files.

    Raises:
        InputError: the folder cannot be made, or a file is there already.
    """
    if out == "-":
        for one in found:
            sys.stdout.buffer.write(b" ".join(one.data.reveal().split(b"\n")) + b"\n")
        sys.stdout.buffer.flush()
        return ["-"] * len(found)
    folder = Path(out)
    names = [f"{one.digest[:16]}.json" for one in found]
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for one, name in zip(found, names, strict=True):
            handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(one.data.reveal())
    except OSError as error:
        raise InputError("--out", "a folder to write new files to") from error
    return names
