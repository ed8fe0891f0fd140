"""A site with people and the starter bundle in force, its keeper in this process; made once, copied for each test."""

import shutil
from dataclasses import dataclass

import pytest
from tests import founded
from tests.founded import FIRST
from tests.unit.policy.test_difference import edited

from oathward import activation, proposing
from oathward.app import build, create
from oathward.changes import views
from oathward.core.clock import micros
from oathward.core.db import read, write
from oathward.core.labels import Role
from oathward.core.settings import load
from oathward.governance import sql as register
from oathward.governance.derive import digest_of
from oathward.governance.model import (
    Acceptability,
    AgreementKind,
    AgreementRow,
    AssessedKind,
    AssessmentRow,
    EntryKind,
    EntryRow,
)
from oathward.vault.keeper.proof import admin_proof
from oathward.vault.opened import Opened

PEOPLE = FIRST | {
    "prue": Role.PRIVACY_OFFICER,
    "kim": Role.KEY_HOLDER,
    "audra": Role.AUDITOR,
    "clara": Role.CLINICIAN,
}
START = edited("policies/links.test.toml", 'message_type = "ORU^R40"', 'message_type = "ORU^R01"')
"""In force at the start: the starter bundle, whose tests say nothing of alarms."""

YEAR_US = 365 * 86_400_000_000


@dataclass
class People:
    """The site, and what its people do."""

    opened: Opened

    @property
    def keeper(self):
        return self.opened.keeper._transport._keeper

    @property
    def now_us(self):
        return micros(self.opened.clock.now())

    def as_(self, person, **how):
        return founded.signed_in(self.keeper, person, **how), person

    def draft(self, files, person="ines", why="less for the maker", **more):
        return proposing.draft(self.opened, files, why, person, **more)

    def proposed(self, files, person="ines", why="less for the maker"):
        row = self.draft(files, person, why)
        proposing.try_out(self.opened, row.id, person)
        return proposing.submit(self.opened, row.id, *self.as_(person))

    def through(self, files, person="ines", second="paul"):
        row = self.proposed(files, person)
        proposing.approve(self.opened, row.id, *self.as_(second))
        return proposing.activate(self.opened, row.id, *self.as_(person))

    def row(self, id_):
        with read(self.opened.engine) as db:
            return views.one(db, self.opened.site, id_).row

    def active(self):
        return proposing.in_force(self.opened)

    def active_files(self):
        from oathward.policy.bundle import unpack

        return unpack(self.active().bundle.body)

    def records(self, kind):
        import orjson

        with self.opened.engine.connect() as db:
            rows = db.exec_driver_sql(f"SELECT body FROM ledger_record WHERE kind = '{kind}' ORDER BY idx")
            return [orjson.loads(row[0])["body"] for row in rows]

    def own(self, *things, owner="ines", steward="paul"):
        """Enter owners; things are ``link/ehr``."""
        with write(self.opened.engine) as db:
            for one in things:
                kind, _, id_ = one.partition("/")
                row = EntryRow(EntryKind(kind), id_, owner=owner, steward=steward, version=1)
                register.put_entry(db, self.opened.site, row)

    def assess(self, thing, about=None, **more):
        """Enter an approved assessment of ``link/ehr``, as ``about`` would be."""
        kind, _, id_ = thing.partition("/")
        row = {
            "id": f"a-{kind}-{id_}".replace("|", "-").replace(" ", "-"),
            "kind": AssessedKind(kind),
            "about": id_,
            "about_digest": digest_of(about) if about is not None else "",
            "privacy": "fine",
            "security": "fine",
            "author": "ines",
            "approver": "paul",
            "at_us": 1,
            "approved_us": 2,
            "outcome": Acceptability.ACCEPTABLE,
            "valid_until_us": self.now_us + YEAR_US,
        }
        with write(self.opened.engine) as db:
            register.put_assessment(db, self.opened.site, AssessmentRow(**row | more))

    def agree(self, id_, party, destination, *purposes, **more):
        row = {
            "id": id_,
            "party": party,
            "kind": AgreementKind.BAA,
            "purposes": frozenset(purposes),
            "destinations": frozenset({destination}),
            "classes": frozenset({"*"}),
            "from_us": 1,
        }
        with write(self.opened.engine) as db:
            register.put_agreement(db, self.opened.site, AgreementRow(**row | more))


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("proposing") / "data"
    made.mkdir()
    create(load(made))
    site = build(load(made), "admin")
    bundle = activation.check(START)
    activation.activate(
        site.engine, site.site, site.keeper, bundle, [admin_proof("setup")], micros(site.clock.now())
    )
    founded.found(site.keeper, site.engine, micros(site.clock.now()), PEOPLE)
    site.keeper.close()
    site.engine.dispose()
    return made


@pytest.fixture
def site(folder, tmp_path):
    opened = build(load(shutil.copytree(folder, tmp_path / "data")), "admin")
    yield People(opened)
    opened.keeper.close()
    opened.engine.dispose()
