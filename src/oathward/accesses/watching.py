"""Which openings somebody always looks at, whatever explains them: of patients whose messages carry a label for that.

Rules:
- The labels are those of a bundle: ``CEL`` (a person others are curious about) and ``EMP`` (a patient who works here).
- They are looked for in the facts of what was opened, and of the patient's newest messages.

Deliberately absent: who a patient is. That somebody of the staff is a patient here is known by a label alone: staff
numbers and holders of the portal are never compared, or the review itself would tell who is whose patient.

Source: HL7 v3 ActCode, ActInformationSensitivityPolicy ``CEL`` (celebrity), ``EMP`` (employee).
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from oathward.accesses.model import Opening
from oathward.ledger import decided
from oathward.policy.model import Facts
from oathward.vault import care, kept

LABELS = ("CEL", "EMP")
NEWEST = 20
"""Of a patient's messages so many are looked at."""

NAMED_MAX = 40
"""Of the messages an opening names so many are."""


def watched(db: Connection, site: str, openings: Sequence[Opening]) -> dict[int, str]:
    """Give the label of each opening that is always looked at, by index."""
    newest: dict[str, tuple[str, ...]] = {}
    for subject in {one.subject for one in openings} - {""}:
        together = sorted(care.tied(db, site, subject, None))
        rows = kept.newest(db, site, together, limit=NEWEST)
        newest[subject] = tuple(row.message for row in rows)
    named = {one.index: one.messages[:NAMED_MAX] + newest.get(one.subject, ()) for one in openings}
    labels = _labels(db, site, sorted({message for some in named.values() for message in some}))
    found = {}
    for index, messages in named.items():
        carried = {label for message in messages for label in labels.get(message, ())}
        if hits := [label for label in LABELS if label in carried]:
            found[index] = hits[0]
    return found


def _labels(db: Connection, site: str, messages: Sequence[str]) -> dict[str, frozenset[str]]:
    digests = decided.of_messages(db, site, messages)
    bodies = decided.facts(db, site, set(digests.values()))
    by_digest = {digest: _of(body) for digest, body in bodies.items()}
    return {message: by_digest.get(digest, frozenset()) for message, digest in digests.items()}


def _of(body: bytes | None) -> frozenset[str]:
    try:
        return frozenset(Facts.from_body(body).sensitivity or ()) if body is not None else frozenset()
    except ValueError:  # of a version nobody reads any more
        return frozenset()
