"""Proposals as rows: where they may go, what is attached, files by digest, emergencies by their clock."""

import hashlib
from dataclasses import replace

import pytest

from oathward.changes import actions, sql, views
from oathward.changes.model import (
    ATTACHMENTS_MAX,
    FILE_BYTES_MAX,
    TRANSITIONS,
    AttachmentRow,
    EditRow,
    ProposalRow,
    ProposalState,
)
from oathward.core.db import read, write
from oathward.core.errors import InputError, OathwardError
from oathward.core.reasons import Reason

SITE = "s"
ROW = ProposalRow(
    id="p-1",
    kind="bundle",
    state=ProposalState.DRAFT,
    base_version=3,
    body="aa",
    base_body="bb",
    proposer="ada",
    reason="less for the maker",
    created_us=1,
    changed_us=1,
)
NOTE = AttachmentRow("note", "letter.pdf", "cc", "", "ben", 2)


def drafted(engine, **changes):
    row = replace(ROW, **changes)
    with write(engine) as db:
        actions.draft(db, SITE, row)
    return row


def moved(engine, state, id_="p-1", **more):
    with write(engine) as db:
        return actions.move(db, SITE, id_, state, by="ben", words="", now_us=9, **more)


def test_a_proposal_is_read_as_it_was_written(engine):
    drafted(engine)
    with write(engine) as db:
        actions.attach(db, SITE, "p-1", NOTE)
    with read(engine) as db:
        found = views.one(db, SITE, "p-1")
        assert views.proposals(db, "another") == []
    assert found.row == ROW
    assert found.attachments == (NOTE,)
    assert [(e.kind, e.by, e.words) for e in found.events] == [
        ("drafted", "ada", "less for the maker"),
        ("attached", "ben", "note letter.pdf"),
    ]
    with engine.connect() as db:
        kinds = [row[0] for row in db.exec_driver_sql("SELECT kind FROM ledger_record ORDER BY idx")]
    assert kinds == ["proposal.drafted", "proposal.attached"]


@pytest.mark.parametrize("after", ProposalState)
@pytest.mark.parametrize("before", ProposalState)
def test_a_proposal_goes_only_where_the_table_lets_it(engine, before, after):
    drafted(engine, state=before)
    if after in TRANSITIONS[before]:
        assert moved(engine, after).state is after
        return
    with pytest.raises(InputError) as caught:
        moved(engine, after)
    assert caught.value.reason is Reason.CONFLICT
    with read(engine) as db:
        assert views.one(db, SITE, "p-1").row.state is before


def test_without_the_table_it_would_go_anywhere(engine, monkeypatch):
    """The reverse."""
    drafted(engine, state=ProposalState.WITHDRAWN)
    monkeypatch.setattr(actions, "TRANSITIONS", dict.fromkeys(ProposalState, frozenset(ProposalState)))
    assert moved(engine, ProposalState.ACTIVE).state is ProposalState.ACTIVE


BAD = [
    ("reason missing", lambda db: actions.draft(db, SITE, replace(ROW, id="x", reason=" ")), Reason.INPUT_INVALID),
    ("reason too long", lambda db: actions.draft(db, SITE, replace(ROW, id="x", reason="y" * 201)), Reason.INPUT_INVALID),
    ("reason not printable", lambda db: actions.draft(db, SITE, replace(ROW, id="x", reason="a\x1bb")), Reason.INPUT_INVALID),
    ("no such proposal", lambda db: actions.attach(db, SITE, "none", NOTE), Reason.NOT_FOUND),
    ("attachment of no kind", lambda db: actions.attach(db, SITE, "p-1", replace(NOTE, kind="virus")), Reason.INPUT_INVALID),
    ("attachment without a name", lambda db: actions.attach(db, SITE, "p-1", replace(NOTE, name="")), Reason.INPUT_INVALID),
    ("attachment of a long name", lambda db: actions.attach(db, SITE, "p-1", replace(NOTE, name="x" * 121)), Reason.INPUT_INVALID),
    ("file too large", lambda db: actions.keep_file(db, SITE, bytes(FILE_BYTES_MAX + 1), now_us=1), Reason.LIMIT_EXCEEDED),
    ("edit too large", lambda db: actions.save_edit(db, SITE, EditRow("ada", 1, {"a": "x" * (FILE_BYTES_MAX + 1)}, 1)), Reason.LIMIT_EXCEEDED),
    ("no emergency", lambda db: actions.assessed(db, SITE, "p-1", by="ben", now_us=1), Reason.CONFLICT),
    ("unknown file", lambda db: views.file(db, SITE, "00"), Reason.NOT_FOUND),
]  # fmt: skip


@pytest.mark.parametrize(("what", "do", "reason"), BAD, ids=[row[0] for row in BAD])
def test_bad_input_changes_nothing(engine, what, do, reason):
    drafted(engine)
    with pytest.raises(OathwardError) as caught, write(engine) as db:
        do(db)
    assert caught.value.reason is reason, what
    with read(engine) as db:
        assert [row.id for row in views.proposals(db, SITE)] == ["p-1"]
        assert views.one(db, SITE, "p-1").attachments == ()


def test_what_was_proposed_takes_no_more_attachments(engine):
    drafted(engine, state=ProposalState.PROPOSED)
    with pytest.raises(InputError) as caught, write(engine) as db:
        actions.attach(db, SITE, "p-1", NOTE)
    assert caught.value.reason is Reason.CONFLICT


def test_attachments_have_an_end(engine):
    drafted(engine)
    with write(engine) as db:
        for _ in range(ATTACHMENTS_MAX):
            actions.attach(db, SITE, "p-1", NOTE)
    with pytest.raises(InputError) as caught, write(engine) as db:
        actions.attach(db, SITE, "p-1", NOTE)
    assert caught.value.reason is Reason.LIMIT_EXCEEDED


def test_a_file_is_kept_by_what_it_is(engine):
    with write(engine) as db:
        digest = actions.keep_file(db, SITE, b"one", now_us=1)
        assert actions.keep_file(db, SITE, b"one", now_us=2) == digest == hashlib.sha256(b"one").hexdigest()
        assert views.file(db, SITE, digest) == b"one"


@pytest.mark.parametrize("body", ["X'6f6e66'", "'one'", "X''"])
def test_a_file_that_was_tampered_with_is_not_given_out(engine, body):
    with write(engine) as db:
        digest = actions.keep_file(db, SITE, b"onf" if "66" in body else b"one?", now_us=1)
        db.exec_driver_sql(f"UPDATE change_file SET body = {body}")
    if body == "X'6f6e66'":
        with read(engine) as db:
            assert views.file(db, SITE, digest) == b"onf", "the same bytes are fine"
        return
    with pytest.raises(OathwardError) as caught, read(engine) as db:
        views.file(db, SITE, digest)
    assert caught.value.reason is Reason.PROPOSAL_ALTERED


def test_what_starts_from_another_version_goes_stale(engine):
    for number, (state, base) in enumerate(
        [
            (ProposalState.DRAFT, 3),
            (ProposalState.PROPOSED, 3),
            (ProposalState.APPROVED, 4),
            (ProposalState.REFUSED, 3),
        ]
    ):
        drafted(engine, id=f"p-{number}", state=state, base_version=base)
    with write(engine) as db:
        assert actions.stale(db, SITE, version=4, now_us=5) == 2
    with read(engine) as db:
        states = {row.id: row.state for row in views.proposals(db, SITE)}
    assert [states[f"p-{n}"] for n in range(4)] == ["stale", "stale", "approved", "refused"]


def test_an_emergency_is_due_and_then_overdue(engine):
    drafted(engine, emergency=True, state=ProposalState.ACTIVE, due_us=100)
    drafted(engine, id="p-2", state=ProposalState.ACTIVE)
    with read(engine) as db:
        assert [row.id for row in views.unassessed(db, SITE)] == ["p-1"]
        assert views.overdue(db, SITE, 99) == []
        assert [row.id for row in views.overdue(db, SITE, 100)] == ["p-1"]
    with write(engine) as db:
        actions.assessed(db, SITE, "p-1", by="ben", now_us=101)
    with read(engine) as db:
        assert views.unassessed(db, SITE) == views.overdue(db, SITE, 999) == []
        assert views.one(db, SITE, "p-1").row.approver == "ben"


def test_what_somebody_writes_is_theirs_alone(engine):
    row = EditRow("ada", 3, {"links/ehr.toml": 'id = "ehr"'}, 5)
    with write(engine) as db:
        actions.save_edit(db, SITE, replace(row, files={}))
        actions.save_edit(db, SITE, row)
        assert views.edit_of(db, SITE, "ada") == row
        assert views.edit_of(db, SITE, "ben") is None
        actions.drop_edit(db, SITE, "ada")
        assert views.edit_of(db, SITE, "ada") is None


def test_lists_page_from_the_newest(engine):
    for number in range(5):
        drafted(engine, id=f"p-{number}")
    with read(engine) as db:
        first = [row.id for row in views.proposals(db, SITE, limit=2)]
        rest = [row.id for row in views.proposals(db, SITE, after=first[-1], limit=9)]
        assert sql.listed(db, SITE, states=[ProposalState.ACTIVE], limit=9) == []
    assert (first, rest) == (["p-4", "p-3"], ["p-2", "p-1", "p-0"])
