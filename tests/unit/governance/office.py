"""A site with an authority key, its people, a bundle, and the register on it."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

from tests.unit.policy import small

from oathward.core.db import read, write
from oathward.core.settings import load
from oathward.governance import actions, views
from oathward.governance.derive import digest_of
from oathward.governance.model import (
    Acceptability,
    AgreementKind,
    AgreementRow,
    AssessedKind,
    AssessmentRow,
    EntryKind,
)
from oathward.policy.people import PERSON, Person
from oathward.vault.authority import Document, Seen, put, signing_input
from oathward.vault.sign import Signer

SITE = "demo"
NOW = small.NOW_US
DAY = small.DAY_US
YEAR = 365 * DAY
REGISTRY = "research-registry"

DUA = AgreementRow(
    id="DUA-2026-001",
    party="Example University",
    kind=AgreementKind.DUA,
    purposes=frozenset({"HRESCH"}),
    destinations=frozenset({REGISTRY}),
    classes=frozenset({"*"}),
    country="US",
    safeguards="standard contractual clauses",
    from_us=NOW - DAY,
    until_us=NOW + YEAR,
    review_due_us=NOW + 90 * DAY,
    digest="0" * 64,
    file="dua.pdf",
)


def assessed(kind=AssessedKind.LINK, about=REGISTRY, **more) -> AssessmentRow:
    said = {
        "id": "",
        "privacy": "pseudonyms, no names",
        "security": "sealed end to end",
        "author": "p-ann",
        "at_us": 0,
        "outcome": Acceptability.ACCEPTABLE,
        "valid_until_us": NOW + YEAR,
    }
    return AssessmentRow(kind=kind, about=about, **said | more)


@dataclass
class Office:
    """Signs persons as the keeper would, and writes the register."""

    engine: object
    folder: object
    signer: Signer = field(default_factory=lambda: Signer.create("demo/authority"))
    seen: Seen = field(default_factory=Seen)
    versions: dict = field(default_factory=dict)

    def __post_init__(self):
        self.bundle = small.bundle()
        self.settings = load(self.folder)
        self.site = SimpleNamespace(
            site=SITE, settings=self.settings, authority=self.signer, seen=self.seen, engine=self.engine
        )
        for id_ in ("p-ann", "p-bob", "p-cyd"):
            self.person(id_)

    @property
    def link(self):
        return self.bundle.links[REGISTRY]

    @property
    def recipient(self):
        return self.bundle.recipients[REGISTRY]

    @property
    def about(self):
        return digest_of(self.link)

    def person(self, id_, state="active"):
        version = self.versions[id_] = self.versions.get(id_, 0) + 1
        body = Person(id=id_, name=f"Name of {id_}", state=state).body()
        blank = Document(SITE, PERSON, id_, version, body, b"", NOW)
        with write(self.engine) as db:
            put(db, replace(blank, signature=self.signer.sign(signing_input(blank))))

    def living(self):
        with read(self.engine) as db:
            return views.living(db, self.site)

    def change(self, kind="link", id_=REGISTRY, by="p-cyd", now_us=NOW, **what):
        wanted = actions.Wanted(kind=EntryKind(kind), id=id_, **what)
        living = self.living()
        with write(self.engine) as db:
            return actions.change(
                db, SITE, [wanted], by=by, now_us=now_us, living=living, drafts=(), review_days=365
            )

    def agree(self, row=DUA, **more):
        with write(self.engine) as db:
            return actions.put_agreement(db, SITE, row, by="p-cyd", now_us=NOW, **more)

    def assess(self, row=None, *, approver="p-bob", now_us=NOW):
        with write(self.engine) as db:
            made = actions.assess(db, SITE, row or assessed(about_digest=self.about), now_us=now_us)
        if approver:
            with write(self.engine) as db:
                made = actions.approve_assessment(db, SITE, made.id, by=approver, now_us=now_us)
        return made

    def register(self):
        with read(self.engine) as db:
            return views.register(db, self.site, self.bundle)

    def findings(self, now_us=NOW, about=REGISTRY, kind="link"):
        with read(self.engine) as db:
            rows = views.findings(db, self.site, now_us, bundle=self.bundle)
        return [(row.code, str(row.severity)) for row in rows if (row.kind, row.about) == (kind, about)]

    def records(self):
        with read(self.engine) as db:
            return [
                row.kind
                for row in db.exec_driver_sql("SELECT kind FROM ledger_record ORDER BY idx").fetchall()
            ]
