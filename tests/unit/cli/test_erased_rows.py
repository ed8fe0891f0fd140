"""What of the database is deleted with a subject's keys, table by table: whoever adds a table says here what becomes of it."""

from sqlalchemy import Boolean, LargeBinary, Text, or_, select

import oathward.app  # noqa: F401  declares every table
from oathward.cli.keys import _forget
from oathward.core.db import METADATA, connect, create_tables, read, write
from oathward.patients import actions

WHO = "subject-that-is-erased"
NAMES = ("subject", "because", "other", "child", "parent")
OF_DEVICES = "endpoint"
"""Tables whose ``other``, ``child`` and ``parent`` are endpoints of the inventory, never a subject."""

STAYS = {
    "consent_fact": "what was said goes on counting for deliveries that wait, and shows later that it was said",
    "consent_arrival": "a Consent that waits for a person withholds until somebody decides; its original opens no more",
    "consent_effect": "measures, of an id that names nobody",
    "consent_changed": "the newest changes alone, of an id that names nobody",
    "consent_person": "the follower of the ledger deletes it, by the record of the erasure",
    "care_tie": "edges between ids: compared with the ledger, as subject_edge is",
    "created_once": "its retention",
    "deid_unit": "a random id: what left of a folder leads to nobody by it",
    "intake_key": "the keeper deletes it with its keys",
    "kept_body": "the keeper marks it: it opens no more",
    "ledger_record": "codes of an id that names nobody",
    "message": "its retention",
    "outbox": "until it is delivered or discarded",
    "subject_canary": "an invented patient is nobody",
}
"""Table -> why its rows stay where somebody is erased, or who else deletes them."""


def whose(table):
    return [table.c[name] for name in NAMES if name in table.c]


def value(column):
    if isinstance(column.type, Text):
        return WHO if column.name in {*NAMES, "id"} else "x"
    if isinstance(column.type, Boolean):
        return False
    return b"x" if isinstance(column.type, LargeBinary) else 1


def test_what_stays_of_who_is_erased_is_what_is_written_here(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/t.db")
    create_tables(engine)
    tables = [
        table
        for table in METADATA.sorted_tables
        if whose(table) and table.name != "subject_edge" and not table.name.startswith(OF_DEVICES)
    ]
    with write(engine) as db:
        for table in [METADATA.tables["subject"], *tables]:
            db.execute(table.insert().values({c.name: value(c) for c in table.columns} | {"site": "s"}))
    with write(engine) as db:
        actions.forget(db, "s", WHO, source="test", now_us=1)
        _forget(db, "s", (WHO,))
    with read(engine) as db:
        left = {
            table.name
            for table in tables
            if db.execute(select(table).where(or_(*(one == WHO for one in whose(table))))).first()
        }
    engine.dispose()
    assert left == set(STAYS)
