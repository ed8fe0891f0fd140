"""The ledger's records about the patient a holder looks at, and of nobody else.

Rules:
- A patient is the subject of the access, with whom joins and merges that a person confirmed make one; a merge that waits
  shows nothing of the other.
- Kinds are named by whoever asks: a record of another kind is not found, whoever it is about.

Deliberately absent: what records mean (``told``, ``looks``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from oathward.core.errors import InputError, LedgerError
from oathward.core.reasons import Reason
from oathward.ledger import Entry, Query, entry, search
from oathward.patients import views as patients

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oathward.web.portal.view import View


def family(view: View, db: Connection) -> frozenset[str]:
    """Give the subjects that are this patient.

    Raises:
        AuthorityError: a confirmation of a merge does not verify.
    """
    assert view.seat is not None, "the frame lets nobody else here"
    site = view.site
    return frozenset(patients.confirmed_family(db, site.site, view.seat.subject, site.authority, site.seen))


def about(
    view: View, db: Connection, kinds: Iterable[str], *, before: int | None = None, limit: int = 100
) -> list[Entry]:
    """Find records of some kinds about this patient, newest first; raises as ``family``."""
    wanted = [(subject, kind) for subject in sorted(family(view, db)) for kind in kinds]
    found = [
        one
        for subject, kind in wanted
        for one in search(db, view.site.site, Query(subject=subject, kind=kind), before=before, limit=limit)
    ]
    return sorted(found, key=lambda one: -one.index)[:limit]


def one_about(view: View, db: Connection, kinds: Iterable[str], index: int) -> Entry:
    """Give one record, where it is of these kinds and about this patient.

    Raises:
        InputError: ``NOT_FOUND``: it is not, or there is none; the same answer. As ``family``.
    """
    try:
        found = entry(db, view.site.site, index)
    except LedgerError as error:
        raise InputError(reason=Reason.NOT_FOUND) from error
    if found.rule is not None or found.kind not in kinds or found.subject not in family(view, db):
        raise InputError(reason=Reason.NOT_FOUND)
    return found


def before_of(view: View) -> int | None:
    """Read from the address below which record a page goes on; None for the newest."""
    asked = view.request.query_params.get("before", "")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) <= 18 else None
