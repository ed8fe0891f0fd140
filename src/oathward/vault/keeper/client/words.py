"""The keeper's client for words about a patient that somebody else keeps sealed: ``client.words``; see ``keeper/words``."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from oathward.core.phi import Phi

Proof = Mapping[str, str]


class Words:
    """Operations of a person who is signed in."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def seal(self, kind: str, id_: str, subject: str, words: Phi[str], proof: Proof) -> bytes:
        """Seal words about a patient, to be kept by the caller.

        Raises:
            KeeperError: refused, with the reason.
        """
        told = {"kind": kind, "id": id_, "subject": subject, "words": words.reveal()}
        return base64.b64decode(self._call("words_seal", **told, proof=dict(proof)))

    def open(self, kind: str, id_: str, subject: str, sealed: bytes, proof: Proof) -> Phi[str] | None:
        """Open words, on record; None once the patient was erased."""
        asked = {"kind": kind, "id": id_, "subject": subject, "sealed": base64.b64encode(sealed).decode()}
        found = self._call("words_open", **asked, proof=dict(proof))
        return None if found is None else Phi(found)
