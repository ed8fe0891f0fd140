"""A CSV file says all its mistakes at once and imports nothing while it has one; what goes out no spreadsheet runs."""

import re

import pytest
from tests.unit.governance.office import DUA, NOW, REGISTRY

from oathward.core.clock import from_micros
from oathward.core.db import read, write
from oathward.governance import actions, sheet, sql
from oathward.governance.model import EntryKind, EntryRow, Lifecycle

LIVING = {"p-ann", "p-bob"}
HEAD = "kind,id,title,owner,steward,state,classification,review_due\n"


def entries(text, known=()):
    return sheet.entries(text.encode(), {(row.kind, row.id): row for row in known}, LIVING)


def said(found):
    return [(error.line, error.column) for error in found.errors]


def test_entries_are_read_by_their_headers():
    found = entries(
        'ID;Kind;Owner;Steward;State;Review due;Classification\nehr;link;p-ann;p-bob;active;2027-05-31;"a;b"\n'
    )
    assert not found.errors
    (row,) = found.rows
    assert (row.kind, row.id, row.state) == (EntryKind.LINK, "ehr", Lifecycle.ACTIVE)
    assert row.classification == ("a", "b")
    assert f"{from_micros(row.review_due_us):%Y-%m-%d}" == "2027-05-31"
    assert row.title is None, "what the file does not say is left"


def test_every_mistake_is_said_at_once():
    found = entries(
        HEAD
        + "link,ehr,,p-ann,p-bob,active,,\n"
        + "thing,x,,,,,,\n"
        + "link,no id,,,,,,\n"
        + "link,b,,p-nobody,,,,\n"
        + "link,c,,,,active,,\n"
        + "link,d,,,,suspended,,\n"
        + "link,e,,,,,,31.5.2027\n"
        + "link,ehr,,,,,,\n"
        + "link,f,,,,,,,one,too,many\n"
    )
    assert said(found) == [
        (3, "kind"), (4, "id"), (5, "owner"), (6, "owner"), (6, "steward"), (7, "state"), (8, "review_due"),
        (9, "id"), (10, ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"\xff\xfe", (0, "")),
        (b"kind,id\nlink,\0", (0, "")),
        (b"kind,id,colour\n", (1, "colour")),
        (b"kind,id,id\n", (1, "id")),
        (b"kind\n", (1, "id")),
        (b'kind,id\nlink,"open\n', (2, "")),
        (b"", (1, "id")),
    ],
)
def test_what_is_no_such_file_is_refused(data, where):
    found = sheet.entries(data, {}, LIVING)
    assert where in said(found)
    assert found.rows == ()


def test_what_stands_already_is_not_written_again():
    there = EntryRow(EntryKind.LINK, "ehr", owner="p-ann", version=1)
    assert entries("kind,id,owner\nlink,ehr,p-ann\n", [there]).rows == ()
    assert len(entries("kind,id,owner\nlink,ehr,p-bob\n", [there]).rows) == 1


def test_a_formula_comes_back_as_it_went_and_no_spreadsheet_runs_it():
    text = sheet.write(("kind", "id", "title"), [("link", "ehr", "=HYPERLINK(1)"), ("link", "b", "'quoted")])
    assert ",'=HYPERLINK(1)" in text
    found = entries(text)
    assert [row.title for row in found.rows] == ["=HYPERLINK(1)", "'quoted"]


@pytest.mark.parametrize("title", ["Acme;=HYPERLINK(1)", "Acme; \uff1d1", "Acme|@x", "\uff0bx"])
def test_no_part_of_a_cell_is_a_formula_where_another_separator_is_usual(title):
    text = sheet.write(("kind", "id", "title"), [("link", "ehr", title)])
    assert not re.search(r"(^|[;,|] *)\"?[=+@\uff1d\uff0b]", text, re.MULTILINE)
    assert [row.title for row in entries(text).rows] == [title]


AGREED = "id,party,kind,purposes,destinations,classes,from,until\n"


def test_agreements_are_read_and_stored(office):
    found = sheet.agreements(
        (AGREED + f"DUA-2026-001,Example University,dua,HRESCH,{REGISTRY},*,2026-01-01,\n").encode()
    )
    assert not found.errors
    with write(office.engine) as db:
        actions.put_agreement(db, "demo", found.rows[0], by="p-cyd", now_us=NOW)
    with read(office.engine) as db:
        (row,) = sql.agreements(db, "demo")
    assert (row.kind, row.party, row.until_us) == (DUA.kind, DUA.party, None)


def test_every_mistake_of_agreements_is_said_at_once():
    found = sheet.agreements(
        (
            AGREED
            + "a,P,DUA,CURIOSITY,r,*,2026-01-01,\n"
            + "b,P,LOAN,HRESCH,r,*,2026-01-01,\n"
            + "c,P,DUA,HRESCH,r,patient.shoes,2026-01-01,\n"
            + "d,,DUA,HRESCH,r,*,2026-01-01,2025-01-01\n"
            + "e,P,DUA,HRESCH,r,*,,\n"
            + "a,P,DUA,HRESCH,r,*,2026-01-01,\n"
        ).encode()
    )
    assert said(found) == [
        (2, "purposes"), (3, "kind"), (4, "classes"), (5, "party"), (5, "until"), (6, "from"), (7, "id"),
    ]  # fmt: skip
