"""Reverse tests: each guard switched off, and the bad outcome that the other tests would see."""

import os
from dataclasses import replace

import pytest
from tests.unit.policy import small
from tests.unit.policy.small import DAY_US, NOW_US, consent, facts

from oathward.cli.bundle_folder import read_folder
from oathward.core.labels import OBSERVATION_CLASSES
from oathward.policy import bundle as bundles
from oathward.policy import checks
from oathward.policy import decide as steps
from oathward.policy.decide import decide
from oathward.policy.errors import PolicyErrors
from oathward.policy.memo import Memo
from oathward.policy.model import Deny, Indeterminate, Permit

BUNDLE = small.bundle()
EHR, REGISTRY = BUNDLE.links["ehr"], BUNDLE.links["research-registry"]


def fresh():
    return replace(BUNDLE, answers=Memo(), verdicts=Memo())


def test_unknown_consents_would_hide_a_denial(monkeypatch: pytest.MonkeyPatch):
    denial = consent("d", permit=False, purposes="TREAT", recipients="ehr", classes="note.text")
    known = decide(fresh(), EHR, facts(consents=(denial,)), NOW_US)
    unknown = facts(consents=None)
    assert isinstance(decide(fresh(), EHR, unknown, NOW_US), Indeterminate)
    monkeypatch.setattr(steps, "_known", lambda *_: None)
    wide = decide(fresh(), EHR, unknown, NOW_US)
    assert isinstance(wide, Permit)
    assert wide.classes > known.classes


def test_a_memory_without_dates_would_outlive_consent(monkeypatch: pytest.MonkeyPatch):
    row = facts(consents=(consent(end_us=NOW_US + DAY_US),))
    later = NOW_US + 2 * DAY_US
    bundle = fresh()
    assert isinstance(decide(bundle, REGISTRY, row, NOW_US), Permit)
    assert isinstance(decide(bundle, REGISTRY, row, later), Deny)
    bundle = fresh()
    decide(bundle, REGISTRY, row, NOW_US)
    key, (_, _, answer) = next(iter(bundle.answers._held.items()))
    bundle.answers.put(key, (0, steps.FOREVER_US, answer))
    assert isinstance(decide(bundle, REGISTRY, row, later), Permit)


def test_an_unsure_clock_would_prolong_consent():
    ended = consent(end_us=NOW_US)
    unsure, back = facts(consents=(ended,), clock_sure=False), NOW_US - DAY_US
    assert isinstance(decide(fresh(), REGISTRY, unsure, back), Indeterminate)
    assert isinstance(decide(fresh(), REGISTRY, replace(unsure, clock_sure=True), back), Permit)


def test_half_observations_would_pass(monkeypatch: pytest.MonkeyPatch):
    denial = consent("d", permit=False, purposes="TREAT", recipients="ehr", classes="observation.time")
    admission = facts(consents=(denial,), classes_present=frozenset({"patient.name"}))
    assert not decide(fresh(), EHR, admission, NOW_US).classes & OBSERVATION_CLASSES
    monkeypatch.setattr(steps, "_whole", lambda classes: classes)
    assert decide(fresh(), EHR, admission, NOW_US).classes & OBSERVATION_CLASSES


def test_a_john_doe_would_reach_research(monkeypatch: pytest.MonkeyPatch):
    link = replace(BUNDLE.links["vendor-cloud"], classes=REGISTRY.classes)
    unknown = facts(subject_kind="holding")
    assert isinstance(decide(fresh(), link, unknown, NOW_US), Indeterminate)
    monkeypatch.setattr(steps, "_subject", lambda *_: None)
    assert isinstance(decide(fresh(), link, unknown, NOW_US), Permit)


def test_a_link_below_its_minimum_would_load(monkeypatch: pytest.MonkeyPatch):
    weak = small.changed("recipients/ehr.toml", 'certificate = "courier.pem"\nkey = "courier.key"\n', "")
    with pytest.raises(PolicyErrors):
        bundles.load(weak)
    monkeypatch.setattr(checks, "protections", lambda *_: None)
    assert bundles.load(weak).recipients["ehr"].protection == "tls"


def test_a_link_in_the_folder_would_draw_a_file_in(tmp_path, monkeypatch: pytest.MonkeyPatch):
    secret = tmp_path / "secret"
    secret.write_text("private")
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "README.md").symlink_to(secret)
    with pytest.raises(PolicyErrors, match="is a link"):
        read_folder(folder)
    monkeypatch.setattr(os, "O_NOFOLLOW", 0)
    assert read_folder(folder) == {"README.md": b"private"}
