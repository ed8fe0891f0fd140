"""The keeper's client for patients: find, open, and the second person above the limit. ``client.patients``.

Deliberately absent: any memory of what was opened; it is in the answer and nowhere else.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from oathward.core.phi import Phi
from oathward.vault.authority import Document
from oathward.vault.care import Relation
from oathward.vault.care_rows import Assignment
from oathward.vault.keeper.original import Original

Proof = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Opened:
    """What was opened of a patient, oldest first. ``more``: older ones are kept too. ``card``: None where there is none.

    ``withheld``: something is; nothing says what, or how much.
    """

    originals: tuple[Original, ...]
    more: bool
    relation: Relation | None
    card: Original | None
    withheld: bool = False


@dataclass(frozen=True, slots=True)
class Asking:
    """What waits for a second person. ``name``: who asks; ``own``: the viewer does."""

    id: str
    name: str
    reason: str
    at_us: int
    own: bool


class Patients:
    """Operations of the console for a person who is signed in; see ``keeper/patient_opening``."""

    def __init__(self, call: Callable[..., Any], document: Callable[[Mapping[str, Any]], Document]) -> None:
        self._call, self._document = call, document

    def merge_cards(
        self, edge: str, child: str, parent: str, proof: Proof
    ) -> tuple[Original | None, Original | None]:
        """Open the cards of a merge's two subjects, child first; None where there is none, or it was erased.

        Raises:
            KeeperError: refused, with the reason.
        """
        found = self._call("merge_cards", edge=edge, child=child, parent=parent, proof=dict(proof))
        child_card, parent_card = (
            original_of(found[name]) if found[name] else None for name in ("child", "parent")
        )
        return child_card, parent_card

    def merge_sign(self, edge: str, child: str, parent: str, proof: Proof) -> Document:
        """Have it signed that the two subjects of a merge are one.

        Raises:
            KeeperError: refused, with the reason.
        """
        found = self._call("merge_sign", edge=edge, child=child, parent=parent, proof=dict(proof))
        return self._document(found)

    def find(self, number: Phi[str], authority: str, type_: str, purpose: str, proof: Proof) -> str:
        """Find the subject of a number; empty where there is none that this person may know of."""
        found: str = self._call(
            "subject_find",
            number=number.reveal(),
            authority=authority,
            type=type_,
            purpose=purpose,
            proof=dict(proof),
        )
        return found

    def open(self, subject: str, after: str, limit: int, purpose: str, proof: Proof) -> Opened:
        """Open the newest originals of a patient after a message id.

        Raises:
            KeeperError: refused, with the reason; recorded.
        """
        found = self._call(
            "patient_open", subject=subject, after=after, limit=limit, purpose=purpose, proof=dict(proof)
        )
        relation = Relation(**found["relation"]) if found["relation"] else None
        card = original_of(found["card"]) if found["card"] else None
        originals = tuple(map(original_of, found["originals"]))
        return Opened(originals, found["more"], relation, card, found["withheld"])

    def open_ward(self, subjects: Sequence[str], purpose: str, proof: Proof) -> tuple[Original, ...]:
        """Open the card, or the newest original, of each patient one cares for, sixty at most; raises as ``open``."""
        found = self._call("ward_open", subjects_=list(subjects), purpose=purpose, proof=dict(proof))
        return tuple(map(original_of, found))

    def open_message(self, message: str, purpose: str, reason: str, proof: Proof) -> tuple[Original, ...]:
        """Open what is kept of one message; raises as ``open``."""
        found = self._call("message_open", message=message, purpose=purpose, reason=reason, proof=dict(proof))
        return tuple(map(original_of, found))

    def stamp(self, rows: Sequence[Assignment], proof: Proof) -> list[tuple[Assignment, bytes]]:
        """Have assignments stamped; at the admin socket, a thousand at most."""
        stamps = self._call("care_stamp", rows=[_row(one) for one in rows], proof=dict(proof))
        return [(one, base64.b64decode(stamp)) for one, stamp in zip(rows, stamps, strict=True)]

    def ask(self, reason: str, proof: Proof) -> str:
        """Ask for another allowance of openings."""
        id_: str = self._call("opening_ask", reason=reason, proof=dict(proof))
        return id_

    def asked(self, proof: Proof) -> list[Asking]:
        """List what waits for a second person."""
        return [Asking(**one) for one in self._call("opening_asked", proof=dict(proof))]

    def allow(self, id_: str, proof: Proof) -> None:
        """Allow another person as much again for an hour."""
        self._call("opening_allow", id=id_, proof=dict(proof))


def _row(one: Assignment) -> dict[str, Any]:
    return dict(
        zip(("id", "person", "unit", "subject", "from_us", "until_us", "source"), astuple(one), strict=True)
    )


def original_of(one: Mapping[str, str]) -> Original:
    """Read an opened original out of an answer."""
    return Original(one["message"], one["subject"], one["purpose"], Phi(base64.b64decode(one["data"])))
