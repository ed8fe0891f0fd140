"""A site with an authority key and its people: signs as the keeper would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

import oathward.ledger.tables
import oathward.people.sql
from oathward.core.db import connect, create_tables, read, write
from oathward.people import actions, sheet
from oathward.people.actions import ImportPlan
from oathward.policy.people import Person
from oathward.vault.authority import Document, Seen, signing_input
from oathward.vault.sign import Signer

SITE = "north"
NOW = 1_800_000_000_000_000
DAY = 86_400_000_000
ISSUER = "https://id.hospital.example"


@dataclass
class People:
    """Plans, signs and stores people on a database."""

    engine: Engine
    signer: Signer = field(default_factory=lambda: Signer.create("north/authority"))
    versions: dict[tuple[str, str], int] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)
    now: int = NOW

    def signed(self, draft: Document) -> Document:
        version = self.versions.get((draft.kind, draft.id), 0) + 1
        self.versions[draft.kind, draft.id] = version
        blank = Document(SITE, draft.kind, draft.id, version, draft.body, b"")
        return Document(
            SITE, draft.kind, draft.id, version, draft.body, self.signer.sign(signing_input(blank)), self.now
        )

    def add(self, *people: Person) -> None:
        with read(self.engine) as db:
            drafts = actions.plan(db, SITE, people)
        self.store(drafts)

    def store(self, drafts: Sequence[Document], **more: Any) -> None:
        signed = [self.signed(draft) for draft in drafts]
        with write(self.engine) as db:
            actions.store(db, SITE, signed, by="tester", now_us=self.now, **more)

    def plan(self, text: str, **more: Any) -> ImportPlan:
        with read(self.engine) as db:
            return actions.plan_import(db, SITE, sheet.parse(text.encode(), ISSUER), self.now, **more)

    def bring(self, text: str, **more: Any) -> ImportPlan:
        found = self.plan(text, **more)
        assert found.errors == ()
        if found.documents:
            self.store(found.documents)
        return found

    def by_number(self, number: str) -> Person:
        with read(self.engine) as db:
            rows = [row.person for row in oathward.people.sql.rows(db, SITE)]
        return next(person for person in rows if person.number == number)

    def records(self) -> list[tuple[str, str]]:
        with read(self.engine) as db:
            rows = db.exec_driver_sql("SELECT kind, body FROM ledger_record ORDER BY idx").all()
        return [(kind, bytes(body).decode()) for kind, body in rows]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = connect(f"sqlite:///{tmp_path}/site.db")
    create_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def people(engine: Engine) -> People:
    return People(engine)
