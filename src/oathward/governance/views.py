"""Read the register: who owns a thing, which agreement covers a link, which assessment stands.

Rules:
- Who is a living person is read from signed documents; one that does not verify is nobody.
- What follows from the bundle and the settings is in the register before anybody wrote it, as a draft of nobody's.

Deliberately absent: counters of traffic (``messages`` owns those rows), and names of persons from anywhere else.
"""

from __future__ import annotations

from sqlalchemy import Connection

from oathward.governance import sql
from oathward.governance.covering import covers, stands
from oathward.governance.model import AgreementRow, AssessmentRow, EntryRow
from oathward.policy.model import Link, Recipient


def owner_of(db: Connection, site: str, kind: str, id_: str) -> EntryRow | None:
    """Give the entry of a thing, with its owner, steward and state; nothing where nobody wrote one.

    Args:
        kind: of ``model.EntryKind``: ``link``, ``recipient``, ``data-set`` …
    """
    return sql.entry_row(db, site, kind, id_)


def covering_agreement(
    db: Connection, site: str, link: Link, recipient: Recipient, *, now_us: int
) -> AgreementRow | None:
    """Give the agreement a link names, where it covers the link now."""
    row = sql.agreement_row(db, site, link.agreement) if link.agreement else None
    return row if row is not None and not covers(row, link, recipient, now_us) else None


def not_covered(
    db: Connection, site: str, link: Link, recipient: Recipient, *, now_us: int
) -> tuple[str, ...]:
    """Say in words why no agreement covers a link; nothing where one does."""
    if not link.agreement:
        return ("names no agreement",)
    row = sql.agreement_row(db, site, link.agreement)
    if row is None:
        return (f"names {link.agreement}, which is not in the register",)
    return tuple(f"{row.id} {words}" for words in covers(row, link, recipient, now_us))


def assessment(
    db: Connection, site: str, kind: str, id_: str, *, now_us: int, about_digest: str = ""
) -> AssessmentRow | None:
    """Give the newest assessment that stands for a thing.

    Args:
        kind: of ``model.AssessedKind``. id_: ``Acme|Vista 3`` of a device model.
        about_digest: of the thing as it is or would be (``derive.digest_of``); another one does not stand.
    """
    rows = sql.assessments(db, site, kind=kind, about=id_)
    return next((row for row in rows[:1] if not stands(row, now_us, about_digest)), None)
