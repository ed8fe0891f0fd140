"""What is asked before a person has a delivery tried again: as at delivery, and unsure is no refusal."""

import dataclasses
from hashlib import sha256

import pytest
from tests.outbox import waiting
from tests.unit.policy import small

from oathward import ledger
from oathward.activation import Active
from oathward.consent.views import UNKNOWN, Consents
from oathward.core.clock import Clock
from oathward.core.db import connect, create_tables, write
from oathward.core.reasons import Reason
from oathward.courier import again
from oathward.plans import Plans, route_of
from oathward.policy.decide import decide
from oathward.policy.memo import Memo

SITE, LINK = "s", "research-registry"
STANDS = (1, (small.consent(),))


@pytest.fixture
def engine(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/t.db")
    create_tables(engine)
    return engine


@pytest.fixture
def row(engine):
    """Permitted under another bundle, by a consent that stands."""
    bundle, facts = small.bundle(), small.facts(consents=(small.consent(),))
    link = bundle.links[LINK]
    plan = Plans().of(route_of(bundle, link, "hl7v2"), link, decide(bundle, link, facts, small.NOW_US))
    with write(engine) as db:
        ledger.append(db, SITE, [], facts={sha256(body).digest(): body for body in (facts.body(), plan.body)})
    key = sha256(facts.body()).digest()
    return waiting("w", link=LINK, subject="p", bundle="b@0", consent_version=1, facts=key, plan=plan.key)


@pytest.fixture
def asked(engine, monkeypatch):
    def ask(row, *, bundle=None, said=STANDS):
        one = bundle or dataclasses.replace(small.bundle(), answers=Memo(), verdicts=Memo())
        active = Active(one, 2, 1)
        monkeypatch.setattr(again, "load_active", lambda *_: active)
        monkeypatch.setattr(Consents, "of", lambda *_: said)
        return again.Again(engine, SITE, None, Clock())(row)

    return ask


def test_what_policy_and_consent_permit_may_be_tried(asked, row):
    assert asked(row) is None


def test_what_they_withhold_is_refused_with_the_reason(asked, row):
    assert asked(row, bundle=dataclasses.replace(small.bundle(), links={})) is Reason.NO_LINK
    assert asked(row, said=(2, ())) is Reason.NO_CONSENT


def test_what_cannot_be_told_now_is_no_refusal(asked, row, engine, monkeypatch):
    assert asked(row, said=UNKNOWN) is None
    monkeypatch.setattr(again, "load_active", lambda *_: None)
    assert again.Again(engine, SITE, None, Clock())(row) is None
