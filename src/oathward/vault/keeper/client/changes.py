"""Changes that take two people, as the console and the command line ask for them; ``client.changes``.

Deliberately absent: what a proposal must have attached (``oathward.proposing``), storing what was signed (the caller).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from oathward.vault.authority import Document

Proof = Mapping[str, str]
Wanted = tuple[str, str, int, bytes]
"""Kind, id, version (0 for the next) and body of a document to sign."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """A proposal as the keeper has it; ``body`` is its document. States: ``keeper/proposals``."""

    id: str
    body: bytes
    state: str
    proposer: str
    proposed_us: int
    approver: str
    approved_us: int
    version: int


class Changes:
    """What a client may ask about changes.

    Args:
        call: asks the keeper. document: reads and verifies a document of an answer.
    """

    def __init__(self, call: Callable[..., Any], document: Callable[[Mapping[str, Any]], Document]) -> None:
        self._call, self._document = call, document

    def propose(self, body: bytes, proof: Proof) -> Proposed:
        """Take a proposal down: canonical JSON, as ``keeper/proposals`` says.

        Raises:
            KeeperError: it is misshapen, from another version, or may not be proposed.
        """
        return _proposed(self._call("propose", body=_b64(body), proof=dict(proof)))

    def approve(self, id_: str, proof: Proof) -> Proposed:
        """Approve what another proposed; assess an emergency.

        Raises:
            KeeperError: ``ACCESS_OWN``, ``ACCESS_ROLE``, ``ACCESS_STEP_UP``, ``CONFLICT``.
        """
        return _proposed(self._call("approve", proposal=id_, proof=dict(proof)))

    def withdraw(self, id_: str, reason: str, proof: Proof) -> Proposed:
        """Take one's own back, or refuse another's."""
        return _proposed(self._call("withdraw", proposal=id_, reason=reason, proof=dict(proof)))

    def sign(self, id_: str, bodies: Sequence[bytes], proof: Proof) -> list[Document]:
        """Have signed what was approved; the caller stores it."""
        answer = self._call(
            "sign_proposed", proposal=id_, bodies=[_b64(body) for body in bodies], proof=dict(proof)
        )
        return [self._document(one) for one in answer]

    def roll_back(self, reason: str, proof: Proof) -> Document:
        """Have the bundle before the one in force signed again; the caller stores it."""
        return self._document(self._call("roll_back", reason=reason, proof=dict(proof)))

    def listed(self, proof: Proof, *, open_only: bool = False) -> list[Proposed]:
        """List proposals, the newest first."""
        return [_proposed(one) for one in self._call("proposals", open_only=open_only, proof=dict(proof))]

    def one(self, id_: str, proof: Proof) -> Proposed:
        """Read one; ``NOT_FOUND`` where there is none."""
        return _proposed(self._call("proposal", proposal=id_, proof=dict(proof)))

    def sign_people(self, documents: Sequence[Wanted], proof: Proof) -> list[Document]:
        """Have person records signed for somebody, or a service, that may bring them in."""
        return self._signed("sign_people", documents, proof)

    def found(self, documents: Sequence[Wanted], proof: Proof) -> list[Document]:
        """Make the first people of a site; at the admin socket alone."""
        return self._signed("found", documents, proof)

    def founding_invitations(self, proof: Proof) -> dict[str, str]:
        """Give each of the first people a key to enrol with, until one has."""
        found: dict[str, str] = self._call("founding_invitations", proof=dict(proof))
        return found

    def _signed(self, operation: str, documents: Sequence[Wanted], proof: Proof) -> list[Document]:
        rows = [
            {"kind": kind, "id": id_, "version": version, "body": _b64(body)}
            for kind, id_, version, body in documents
        ]
        return [self._document(one) for one in self._call(operation, documents=rows, proof=dict(proof))]


def _proposed(one: Mapping[str, Any]) -> Proposed:
    return Proposed(**{**one, "body": base64.b64decode(one["body"])})


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
