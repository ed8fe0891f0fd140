"""The keeper's client for the emergency copy: have one made, hand in what was read of one. ``client.copies``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Proof = Mapping[str, str]


class Copies:
    """Operations of the command line; see ``keeper/copying``."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def make(
        self, folder: Path, proof: Proof, told: Callable[[int, int], None] | None = None
    ) -> dict[str, Any]:
        """Have a copy made in a folder of the keeper's machine; gives file, counts and when it was witnessed.

        It waits for as long as that takes: each answer of the keeper comes within a second or so.

        Args:
            told: how many patients are done, of how many.
        """
        id_: str = self._call("copy_make", folder=str(folder), proof=dict(proof))
        while True:
            found: dict[str, Any] = self._call("copy_made", id=id_)
            if told is not None:
                told(found["done"], found["of"])
            if found["made"] is not None:
                return dict(found["made"])

    def reconcile(
        self, log: str, readings: Sequence[Mapping[str, Any]], broken: str, proof: Proof
    ) -> dict[str, int]:
        """Have readings of a log recorded; says how many were new and how many known."""
        found: dict[str, int] = self._call(
            "copy_reconcile",
            log=log,
            readings=[dict(one) for one in readings],
            broken=broken,
            proof=dict(proof),
        )
        return found
