"""One operation of the keeper, and the shapes that many take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.operations import shapes

MESSAGES_MAX = 500
DOCUMENT_BYTES_MAX = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: the shapes of its arguments, and what does it."""

    run: Callable[..., Any]
    arguments: shapes.Shape


ID = shapes.text()
WORD = shapes.text(64)
IDS = shapes.listed(ID, MESSAGES_MAX, least=1)
DOCUMENT = shapes.table(
    kind=WORD, id=shapes.text(128), version=shapes.number(0, 2**53), body=shapes.raw(DOCUMENT_BYTES_MAX)
)
PROOFS = shapes.listed(shapes.proof, 16)


def note_destroyed(keeper: Keeper, kind: str, ids: list[str]) -> None:
    """Record keys that were destroyed, and leave no trace of them in the file."""
    if ids:
        keeper.store.forget_deleted()
        keeper.note("key.destroyed", {"ids": ids, "key": kind})
