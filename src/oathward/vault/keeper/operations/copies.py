"""What the command line may ask about the emergency copy, at the admin socket, each for a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from oathward.policy.access import Thing
from oathward.vault.keeper import asking
from oathward.vault.keeper.copying import making, readings
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.operations import shapes
from oathward.vault.keeper.operations.operation import ID, WORD, Operation
from oathward.vault.keeper.proof import Caller

_TIME = shapes.number(0, 2**53)


def make(keeper: Keeper, caller: Caller, folder: str, proof: Mapping[str, str]) -> dict[str, Any]:
    """Make a copy in a folder of the keeper's machine; the asker gets its name, and nothing of it.

    Raises:
        KeeperError: not for this person, as ``asking.person``; otherwise as ``making.make``.
    """
    by = asking.person(keeper, caller, proof, "emergency-copy.make", Thing("patient"))
    return asdict(making.make(keeper, Path(folder), by.name))


_READING = shapes.table(
    n=shapes.number(1, 2**31),
    at_us=_TIME,
    subject=shapes.text(128, empty=True),
    run=shapes.text(128),
    age_s=_TIME,
    reader=shapes.text(200),
    reason=WORD,
    what=WORD,
)

TABLE: Mapping[str, Operation] = {
    "copy_make": Operation(make, shapes.table(folder=shapes.text(4_096), proof=shapes.proof)),
    "copy_reconcile": Operation(
        readings.reconcile,
        shapes.table(
            log=ID,
            readings=shapes.listed(_READING, readings.READINGS_MAX),
            broken=shapes.text(100, empty=True),
            proof=shapes.proof,
        ),
    ),
}
"""Of the admin socket."""
