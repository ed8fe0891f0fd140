"""A site with an authority key, and what its patients said."""

from dataclasses import dataclass, field

import pytest

import oathward.consent.sql
import oathward.ledger.tables  # noqa: F401  declares its tables
from oathward.consent import actions
from oathward.consent.model import statement
from oathward.consent.views import Consents
from oathward.core.db import connect, create_tables, direct, read, write
from oathward.core.ids import uuid7
from oathward.vault.authority import Document, Seen, signing_input
from oathward.vault.sign import Signer

SITE = "north"
NOW = 1_800_000_000_000_000


def says(permit=True, purposes=("HRESCH",), recipients=("*",), classes=("*",), **more):
    if not permit:
        purposes, recipients, classes = more.pop("of", ((), (), ()))
    return statement(permit=permit, purposes=purposes, recipients=recipients, classes=classes, **more)


@dataclass
class Office:
    """Signs as the keeper would, and records what patients say."""

    engine: object
    signer: Signer = field(default_factory=lambda: Signer.create("north/authority"))
    seen: Seen = field(default_factory=Seen)
    versions: dict = field(default_factory=dict)
    families: dict = field(default_factory=dict)

    def __post_init__(self):
        self.consents = self.process()

    def process(self, seen=None):
        return Consents(SITE, self.signer, seen or self.seen, family=lambda s: self.families.get(s, (s,)))

    def sign(self, draft):
        version = self.versions[draft.id] = self.versions.get(draft.id, 0) + 1
        blank = Document(SITE, "consent", draft.id, version, draft.body, b"", NOW)
        return Document(
            SITE, "consent", draft.id, version, draft.body, self.signer.sign(signing_input(blank)), NOW
        )

    def draft(self, subject, *statements, replaces=False):
        with read(self.engine) as db:
            return actions.draft(
                db, SITE, subject, statements, authority=self.signer, seen=self.seen, replaces=replaces
            )

    def record(self, subject, *statements, replaces=False):
        draft = self.draft(subject, *statements, replaces=replaces)
        if draft is not None:
            self.store(self.sign(draft))

    def store(self, *documents):
        with write(self.engine) as db:
            actions.store(db, SITE, documents, by="tester", now_us=NOW)
        self.refresh()

    def refresh(self):
        with read(self.engine) as db:
            return self.consents.refresh(db)

    def of(self, *subjects):
        return self.consents.of(self.engine, subjects)

    def sql(self, text, *args):
        with write(self.engine) as db:
            direct(db, text, args)


@pytest.fixture
def office(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/site.db")
    create_tables(engine)
    yield Office(engine)
    engine.dispose()


@pytest.fixture
def ann():
    return uuid7()


@pytest.fixture
def bob():
    return uuid7()
