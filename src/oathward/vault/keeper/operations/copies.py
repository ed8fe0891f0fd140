"""What the command line may ask about the emergency copy, at the admin socket, each for a person.

A copy of a big house takes minutes: asking begins it, and who asked hears how far it is by the id they were given.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.policy.access import Thing
from oathward.vault.keeper import asking
from oathward.vault.keeper.copying import making, readings
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.operations import shapes
from oathward.vault.keeper.operations.operation import ID, WORD, Operation
from oathward.vault.keeper.proof import Caller

WAIT_S = 1.0
"""So long an answer waits for the end; then the asker asks again."""

_TIME = shapes.number(0, 2**53)


def make(keeper: Keeper, caller: Caller, folder: str, proof: Mapping[str, str]) -> str:
    """Begin a copy in a folder of the keeper's machine; gives the id by which one asks how far it is.

    Raises:
        KeeperError: not for this person, as ``asking.person``; otherwise as ``making.begin``.
    """
    by = asking.person(keeper, caller, proof, "emergency-copy.make", Thing("patient"))
    return making.begin(keeper, Path(folder), by.name).id


def made(keeper: Keeper, _caller: Caller, id: str) -> dict[str, Any]:  # noqa: A002  as it is called in the request
    """Say how far a copy is that was asked for: counts, at the end the file's name, and nothing of what is in it.

    Raises:
        KeeperError: ``NOT_FOUND``: nobody asked for it, or another was since. Otherwise why none was made.
    """
    mine = keeper.copy_asked
    if mine is None or mine.id != id:
        raise KeeperError("emergency copy", "is none that was asked for here", reason=Reason.NOT_FOUND)
    ended = mine.ended.wait(WAIT_S)
    if mine.refused is not None:
        raise mine.refused
    if ended and mine.made is None:
        raise KeeperError("emergency copy", "was not made", reason=Reason.INTERNAL)
    return {"done": mine.done, "made": mine.made, "of": mine.of}


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
    "copy_made": Operation(made, shapes.table(id=ID)),
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
