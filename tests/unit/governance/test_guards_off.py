"""The reverse: with a guard switched off, what its tests forbid happens."""

from dataclasses import replace

from tests.unit.governance.office import DUA, NOW, REGISTRY, YEAR

from oathward.core.db import read, write
from oathward.governance import actions, findings, views
from oathward.governance.model import Lifecycle


def test_without_the_look_at_owners_anything_becomes_active(office, monkeypatch):
    monkeypatch.setattr(actions, "mistakes", lambda *_: [])
    (row,) = office.change(state=Lifecycle.ACTIVE)
    assert (row.state, row.owner) == ("active", "")
    (row,) = office.change(state=Lifecycle.DRAFT)
    assert row.state == "draft", "not even the table of states holds"


def test_without_signed_documents_somebody_who_left_may_own(office, monkeypatch):
    office.person("p-ann", "left")
    monkeypatch.setattr(views, "living", lambda *_: {"p-ann": "Ann", "p-bob": "Bob"})
    with read(office.engine) as db:
        living = views.living(db, office.site)
    wanted = actions.Wanted(kind="link", id=REGISTRY, owner="p-ann", steward="p-bob", state=Lifecycle.ACTIVE)
    with write(office.engine) as db:
        assert actions.change(db, "demo", [wanted], by="p-cyd", now_us=NOW, living=living)


def test_without_the_look_at_what_it_covers_any_agreement_would_do(office, monkeypatch):
    office.agree(replace(DUA, purposes=frozenset({"TREAT"})))
    asked = (office.link, office.recipient)
    with read(office.engine) as db:
        assert views.covering_agreement(db, "demo", *asked, now_us=NOW) is None
        monkeypatch.setattr(views, "covers", lambda *_: ())
        assert views.covering_agreement(db, "demo", *asked, now_us=NOW) is not None


def test_without_the_look_at_its_digest_an_assessment_outlives_what_it_judged(office, monkeypatch):
    office.assess()
    asked = {"now_us": NOW, "about_digest": "0" * 64}
    with read(office.engine) as db:
        assert views.assessment(db, "demo", "link", REGISTRY, **asked) is None
        monkeypatch.setattr(views, "stands", lambda *_: ())
        assert views.assessment(db, "demo", "link", REGISTRY, **asked) is not None


def test_without_the_clock_nothing_is_overdue(office, monkeypatch):
    office.change(owner="p-ann", steward="p-bob", state=Lifecycle.ACTIVE)
    later = NOW + YEAR
    assert ("review.overdue", "attention") in office.findings(later)
    monkeypatch.setattr(findings, "_of_review", lambda *_: iter(()))
    assert ("review.overdue", "attention") not in office.findings(later)
