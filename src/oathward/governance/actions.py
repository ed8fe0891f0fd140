"""What changes the register: an entry, an agreement, an assessment; each is a record.

Rules:
- An entry goes where ``TRANSITIONS`` lets it, and nothing becomes or stays active without an owner and a steward who are
  living persons.
- An owner or steward that is written is a living person; who left stays until somebody else is written.
- An assessment is approved by another person than its author.
- Records hold ids, words of tables, counts and digests; the history has the fields for people to read.

Deliberately absent: who may ask (``policy.access`` at the frame), and files (``files``).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from oathward.core.errors import InputError
from oathward.core.ids import uuid7
from oathward.core.labels import Purpose, expand
from oathward.core.reasons import Reason
from oathward.governance import sql
from oathward.governance.covering import day
from oathward.governance.model import (
    ID,
    TEXT_LENGTH_MAX,
    TRANSITIONS,
    WORDS_LENGTH_MAX,
    Acceptability,
    AgreementRow,
    AssessedKind,
    AssessmentRow,
    ChangeRow,
    EntryKind,
    EntryRow,
    Lifecycle,
)
from oathward.ledger import Record, append, prepare

AGREEMENT, ASSESSMENT = "agreement", "assessment"
"""Kinds of the history beside those of entries."""

SET_SIZE_MAX = 500
_DAY_US = 86_400_000_000
_COUNTRY = re.compile(r"[A-Z]{2}").fullmatch
_SETS = ("purposes", "destinations", "classes", "sub_recipients")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be written of one entry; None leaves a field as it is."""

    kind: EntryKind
    id: str
    title: str | None = None
    owner: str | None = None
    steward: str | None = None
    state: Lifecycle | None = None
    classification: tuple[str, ...] | None = None
    review_due_us: int | None = None


Mistake = tuple[str, str, Reason]
"""Field, what is wanted, and why."""

FIELDS = ("title", "owner", "steward", "state", "classification", "review_due_us")


def mistakes(before: EntryRow, wanted: Wanted, living: Collection[str]) -> list[Mistake]:
    """Find everything that forbids a change of an entry."""
    found: list[Mistake] = []
    if not ID(wanted.id):
        found.append(("id", "letters, digits, dot, dash and underscore, at most 64", Reason.INPUT_INVALID))
    after = merged(before, wanted)
    for name in ("title", "classification"):
        value = getattr(after, name)
        if not all(short(text) for text in ((value,) if isinstance(value, str) else value)):
            why = f"printable words of at most {TEXT_LENGTH_MAX} characters"
            found.append((name, why, Reason.INPUT_INVALID))
    for name in ("owner", "steward"):
        who = getattr(wanted, name)
        if who and who != getattr(before, name) and who not in living:
            found.append(
                (name, "must be the id of a person who is active here", Reason.GOVERNANCE_OWNER_MISSING)
            )
    return found + _state_mistakes(before, after, living)


def _state_mistakes(before: EntryRow, after: EntryRow, living: Collection[str]) -> list[Mistake]:
    found: list[Mistake] = []
    if after.state != before.state and after.state not in TRANSITIONS[before.state]:
        may = ", ".join(sorted(TRANSITIONS[before.state])) or "nothing: it is over"
        found.append(("state", f"from {before.state} it may become {may}", Reason.GOVERNANCE_TRANSITION))
    becomes = after.state is Lifecycle.ACTIVE and before.state is not Lifecycle.ACTIVE
    for name in ("owner", "steward"):
        who = getattr(after, name)
        taken = after.state is Lifecycle.ACTIVE and not who
        if taken or (becomes and who not in living):
            why = f"nothing is active without a living {name}"
            found.append((name, why, Reason.GOVERNANCE_OWNER_MISSING))
    return list(dict.fromkeys(found))


def merged(before: EntryRow, wanted: Wanted) -> EntryRow:
    """Give an entry as it would be."""
    given = {name: value for name in FIELDS if (value := getattr(wanted, name)) is not None}
    return replace(before, **given)


def change(
    db: Connection,
    site: str,
    wanted: Sequence[Wanted],
    *,
    by: str,
    now_us: int,
    living: Collection[str],
    drafts: Collection[EntryRow] = (),
    review_days: int = 0,
) -> list[EntryRow]:
    """Write entries and record it; the last call before the caller's commit. What is written the same stays as it is.

    Args:
        living: ids of persons who are active. drafts: entries nobody has written yet, as they follow from the bundle.
        review_days: when what becomes active without a day of review is due.

    Raises:
        InputError: the first mistake of the first entry that has one; nothing is written.
    """
    known = {(row.kind, row.id): row for row in drafts}
    written, leaves, history = [], [], []
    for one in wanted:
        before = sql.entry_row(db, site, one.kind, one.id) or known.get((one.kind, one.id))
        before = before or EntryRow(one.kind, one.id)
        for field, why, reason in mistakes(before, one, living):
            raise InputError(f"{one.kind}/{one.id} {field}", why, reason=reason)
        after = merged(before, one)
        if after.state is Lifecycle.ACTIVE and not after.review_due_us and review_days:
            after = replace(after, review_due_us=now_us + review_days * _DAY_US)
        rows = field_changes(str(one.kind), one.id, before, after, FIELDS, by, now_us)
        if not rows and before.version:
            continue
        after = replace(after, changed_us=now_us, version=before.version + 1)
        sql.put_entry(db, site, after)
        written.append(after)
        history += rows
        body = {"by": by, "entry": f"{one.kind}/{one.id}", "fields": [row.field for row in rows]}
        body |= {"owner": after.owner, "steward": after.steward, "state": str(after.state)}
        links = (one.id,) if one.kind is EntryKind.LINK else ()
        leaves.append(prepare(Record("governance.changed", body, now_us, links=links)))
    sql.add_changes(db, site, history)
    if leaves:
        append(db, site, leaves)
    return written


def put_agreement(
    db: Connection, site: str, row: AgreementRow, *, by: str, now_us: int, changes: bool = False
) -> AgreementRow:
    """Write an agreement and record it; the last call before the caller's commit.

    Args:
        changes: one that is there may change; else it is a conflict.

    Raises:
        InputError: a field cannot be meant; or ``conflict``.
    """
    for field, why in agreement_mistakes(row):
        raise InputError(field, why)
    before = sql.agreement_row(db, site, row.id)
    if before is not None and not changes:
        raise InputError(row.id, "there is such an agreement already", reason=Reason.CONFLICT)
    version = before.version + 1 if before else 1
    row = replace(row, by=by, added_us=now_us, version=version)
    return _put_agreement(db, site, before, row, "agreement.changed" if before else "agreement.added", by)


def end_agreement(db: Connection, site: str, id_: str, *, by: str, now_us: int) -> AgreementRow:
    """End an agreement now; links that name it are findings from then on. The last call before commit.

    Raises:
        InputError: ``not-found``, or ``conflict`` where it was ended.
    """
    before = sql.agreement_row(db, site, id_)
    if before is None:
        raise InputError(id_, "there is no such agreement", reason=Reason.NOT_FOUND)
    if before.ended_us:
        raise InputError(id_, f"was ended on {day(before.ended_us)}", reason=Reason.CONFLICT)
    row = replace(before, ended_us=now_us, by=by, added_us=now_us, version=before.version + 1)
    return _put_agreement(db, site, before, row, "agreement.ended", by)


def agreement_mistakes(row: AgreementRow) -> list[tuple[str, str]]:
    """Find everything of an agreement that cannot be meant: field, and what is wanted."""
    found = []
    if not ID(row.id):
        found.append(("id", "letters, digits, dot, dash and underscore, at most 64"))
    if not row.party or not short(row.party):
        found.append(("party", "say with whom, as the recipient's `party` says it"))
    needed = ("purposes", "destinations", "classes")
    found += [(name, "name at least one") for name in needed if not getattr(row, name)]
    for name in _SETS:
        words = getattr(row, name)
        if len(words) > SET_SIZE_MAX or not all(word and short(word) for word in words):
            found.append((name, f"at most {SET_SIZE_MAX} printable words"))
    wrong = sorted(row.purposes - set(Purpose))
    if wrong:
        found.append(("purposes", f"no purpose {', '.join(wrong)}; known: {', '.join(Purpose)}"))
    wrong = sorted(word for word in row.classes if not _names_classes(word))
    if wrong:
        found.append(("classes", f"no element class {', '.join(wrong)}"))
    if row.country and not _COUNTRY(row.country):
        found.append(("country", "two letters of ISO 3166, such as DE"))
    if not short(row.safeguards):
        found.append(("safeguards", f"printable words of at most {TEXT_LENGTH_MAX} characters"))
    if row.until_us is not None and row.until_us <= row.from_us:
        found.append(("until", "must be later than from"))
    return found


def assess(db: Connection, site: str, row: AssessmentRow, *, now_us: int) -> AssessmentRow:
    """Add an assessment; it stands once another person approved it. The last call before commit.

    Args:
        row: its id is made here; ``author`` is who asks.

    Raises:
        InputError: a field cannot be meant.
    """
    for field, why in assessment_mistakes(row, now_us):
        raise InputError(field, why)
    row = replace(row, id=uuid7(now_us // 1_000), at_us=now_us, approver="", approved_us=0, reopened_us=0)
    return _put_assessment(db, site, None, row, "assessment.added", row.author, now_us)


def approve_assessment(db: Connection, site: str, id_: str, *, by: str, now_us: int) -> AssessmentRow:
    """Approve an assessment. The last call before commit.

    Raises:
        InputError: ``not-found``; ``access.own``: its author asks; ``conflict`` where it was approved or reopened.
    """
    before = _assessment(db, site, id_)
    if by == before.author:
        raise InputError(id_, "an assessment is approved by another person", reason=Reason.ACCESS_OWN)
    if before.approver or before.reopened_us:
        why = "is approved already" if before.approver else "was reopened: write another"
        raise InputError(id_, why, reason=Reason.CONFLICT)
    row = replace(before, approver=by, approved_us=now_us)
    return _put_assessment(db, site, before, row, "assessment.approved", by, now_us)


def reopen_assessment(db: Connection, site: str, id_: str, *, by: str, now_us: int) -> AssessmentRow:
    """Say that an assessment stands no longer: something changed that its digest does not show. The last call before commit.

    Raises:
        InputError: ``not-found``, or ``conflict`` where it was reopened.
    """
    before = _assessment(db, site, id_)
    if before.reopened_us:
        raise InputError(id_, f"was reopened on {day(before.reopened_us)}", reason=Reason.CONFLICT)
    row = replace(before, reopened_us=now_us)
    return _put_assessment(db, site, before, row, "assessment.reopened", by, now_us)


def assessment_mistakes(row: AssessmentRow, now_us: int) -> list[tuple[str, str]]:
    """Find everything of an assessment that cannot be meant: field, and what is wanted."""
    found = []
    if not row.about or not short(row.about):
        found.append(("about", "say what it is about"))
    if row.kind is AssessedKind.PURPOSE and row.about not in set(Purpose):
        found.append(("about", f"no purpose {row.about}; known: {', '.join(Purpose)}"))
    if row.kind is AssessedKind.DEVICE_MODEL and not all(map(str.strip, row.about.partition("|")[::2])):
        found.append(("about", "make and model as the inventory writes them: `Acme|Vista 3`"))
    found += [
        (name, f"say what was found, in 1 to {WORDS_LENGTH_MAX} characters")
        for name in ("privacy", "security")
        if not 0 < len(getattr(row, name).strip()) <= WORDS_LENGTH_MAX
    ]
    if row.outcome is Acceptability.WITH_MEASURES and not row.measures.strip():
        found.append(("measures", "say which"))
    if len(row.measures) > WORDS_LENGTH_MAX:
        found.append(("measures", f"at most {WORDS_LENGTH_MAX} characters"))
    if row.valid_until_us <= now_us:
        found.append(("valid until", "must be later than today"))
    return found


def _put_agreement(
    db: Connection, site: str, before: AgreementRow | None, row: AgreementRow, kind: str, by: str
) -> AgreementRow:
    blank = AgreementRow(
        id=row.id, party="", kind=row.kind, purposes=frozenset(), destinations=frozenset(), classes=frozenset(), from_us=0
    )  # fmt: skip
    names = (
        "party",
        *_SETS,
        "country",
        "safeguards",
        "from_us",
        "until_us",
        "review_due_us",
        "digest",
        "ended_us",
    )
    sql.put_agreement(db, site, row)
    rows = field_changes(AGREEMENT, row.id, before or blank, row, names, by, row.added_us)
    sql.add_changes(db, site, rows)
    body = {
        "agreement": row.id,
        "by": by,
        "digest": row.digest,
        "kind": str(row.kind),
        "version": row.version,
    }
    body |= {"purposes": sorted(row.purposes), "destinations": len(row.destinations)}
    append(db, site, [prepare(Record(kind, body, row.added_us))])
    return row


def _put_assessment(
    db: Connection,
    site: str,
    before: AssessmentRow | None,
    row: AssessmentRow,
    kind: str,
    by: str,
    now_us: int,
) -> AssessmentRow:
    sql.put_assessment(db, site, row)
    blank = replace(row, outcome=Acceptability.NOT_ACCEPTABLE, valid_until_us=0, digest="")
    names = ("outcome", "valid_until_us", "digest") if before is None else ("approver", "reopened_us")
    rows = field_changes(ASSESSMENT, row.id, before or blank, row, names, by, now_us)
    sql.add_changes(db, site, rows)
    about = f"{row.kind}/{row.about}"
    body = {"assessment": row.id, "by": by, "about": about, "about_digest": row.about_digest}
    body |= {"digest": row.digest, "outcome": str(row.outcome)}
    links = (row.about,) if row.kind is AssessedKind.LINK else ()
    append(db, site, [prepare(Record(kind, body, now_us, links=links))])
    return row


def _assessment(db: Connection, site: str, id_: str) -> AssessmentRow:
    row = sql.assessment_row(db, site, id_)
    if row is None:
        raise InputError(id_, "there is no such assessment", reason=Reason.NOT_FOUND)
    return row


def field_changes(
    kind: str, about: str, before: object, after: object, names: Sequence[str], by: str, now_us: int
) -> list[ChangeRow]:
    """Give the history of a change: a row for each of these fields that became another."""
    pairs = [
        (name, _shown(name, getattr(before, name)), _shown(name, getattr(after, name))) for name in names
    ]
    return [
        ChangeRow(uuid7(now_us // 1_000), kind, about, now_us, by, name.removesuffix("_us"), old, new)
        for name, old, new in pairs
        if old != new
    ]


def _shown(name: str, value: object) -> str:
    if name.endswith("_us"):
        return day(value) if isinstance(value, int) and value else ""
    if isinstance(value, tuple | frozenset):
        return ", ".join(sorted(value))
    return str(value or "")


def short(text: str) -> bool:
    """Say whether a text is printable and no longer than a title may be."""
    return len(text) <= TEXT_LENGTH_MAX and text.isprintable()


def _names_classes(word: str) -> bool:
    try:
        expand([word])
    except KeyError:
        return False
    return True
