"""A site with an authority key, its inventory, and a process that looks at it."""

from dataclasses import dataclass, field

import pytest

import oathward.inventory.sql
import oathward.ledger.tables  # noqa: F401  declares its tables
from oathward.core.db import connect, create_tables, read, write
from oathward.inventory import actions
from oathward.inventory.model import Device
from oathward.inventory.snapshot import Snapshot
from oathward.vault.authority import Document, Seen, signing_input
from oathward.vault.sign import Signer

SITE = "north"
NOW = 1_800_000_000_000_000


@dataclass
class Inventory:
    """Signs as the keeper would: the next version of each id, a signature over all of it."""

    engine: object
    signer: Signer = field(default_factory=lambda: Signer.create("north/authority"))
    versions: dict = field(default_factory=dict)

    def __post_init__(self):
        self.seen = Seen()
        self.snapshot = Snapshot(SITE, self.signer, self.seen)
        self.refresh()

    def sign(self, drafts):
        return [self.signed(d.id, d.body) for d in drafts]

    def signed(self, id_, body, version=0):
        version = version or self.versions.get(id_, 0) + 1
        self.versions[id_] = max(version, self.versions.get(id_, 0))
        blank = Document(SITE, "device", id_, version, body, b"", NOW)
        return Document(SITE, "device", id_, version, body, self.signer.sign(signing_input(blank)), NOW)

    def add(self, *devices: Device, changes=False):
        with read(self.engine) as db:
            drafts = actions.plan(db, SITE, devices, changes=changes)
        kind = "device.changed" if changes else "device.added"
        self.store(self.sign(drafts), kind)

    def store(self, documents, kind="device.added", **more):
        with write(self.engine) as db:
            actions.store(db, SITE, documents, kind=kind, by="tester", now_us=NOW, **more)
        self.refresh()

    def run(self, act, *args, **more):
        with write(self.engine) as db:
            return act(db, SITE, *args, **more)

    def refresh(self):
        with read(self.engine) as db:
            return self.snapshot.refresh(db)

    def sql(self, text, *args):
        with write(self.engine) as db:
            db.exec_driver_sql(text, args)

    def kinds(self):
        with read(self.engine) as db:
            return [kind for (kind,) in db.exec_driver_sql("SELECT kind FROM ledger_record ORDER BY idx")]


@pytest.fixture
def engine(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/site.db")
    create_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def inventory(engine):
    return Inventory(engine)
