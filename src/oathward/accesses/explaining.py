"""Say why openings were: every reason that applies, first by the published order. Pure.

Rules:
- Refused openings and searches are explained like others: somebody wanted to look.
- What nothing explains is not wrong; somebody looks at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import cast

from oathward.accesses.model import Evidence, Explained, Opening, ReasonOfAccess
from oathward.core.registry import collect
from oathward.ledger import Entry

MESSAGES_MAX = 500


@cache
def reasons() -> tuple[ReasonOfAccess, ...]:
    """Collect every reason, in the published order."""
    found = collect("oathward.accesses.reasons", "REASON").values()
    return tuple(sorted((cast("ReasonOfAccess", one) for one in found), key=lambda one: one.order))


def explain(openings: Sequence[Opening], evidence: Evidence) -> list[Explained]:
    """Explain each of some openings."""
    return [
        Explained(
            one, tuple(reason for reason in reasons() if one.subject and reason.explains(one, evidence))
        )
        for one in openings
    ]


def opening_of(entry: Entry) -> Opening:
    """Read an opening out of its record."""
    body = entry.body
    # A copy is read with the main system down, and told when it is back: who and when are what its log says.
    copied = entry.kind == "copy.read"
    named = body.get("messages") or [body.get("first"), body.get("last"), entry.message]
    return Opening(
        index=entry.index,
        kind=entry.kind,
        at_us=int(body.get("at", entry.at_us)) if copied else entry.at_us,
        person=str(body.get("reader" if copied else "person", "")),
        subject=entry.subject,
        purpose=str(body.get("purpose", "")),
        basis=str(body.get("basis", "")),
        unit=str(body.get("unit", "")),
        opened=int(body.get("opened", 0)),
        refused=str(body.get("why", "")),
        messages=tuple(dict.fromkeys(str(one) for one in named[:MESSAGES_MAX] if one)),
        why=str(body.get("reason", "")),
        access=str(body.get("access", "")),
    )
