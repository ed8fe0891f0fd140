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

    def make(self, folder: Path, proof: Proof) -> dict[str, Any]:
        """Have a copy made in a folder of the keeper's machine; gives file, counts and when it was witnessed."""
        found: dict[str, Any] = self._call("copy_make", folder=str(folder), proof=dict(proof))
        return found

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
