"""Promises of opening: proof, limits, one subject, a record before the answer, all or nothing."""

from dataclasses import replace

import orjson
import pytest
from sqlalchemy import select
from tests.unit.vault.sites import ME, OTHER, asking, gateway

from oathward.core.db import connect, read
from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.ledger.tables import RECORD
from oathward.vault.keeper.proof import admin_proof


def records(site, *kinds):
    engine = connect(site.database_url)
    with read(engine) as db:
        query = select(RECORD.c.kind, RECORD.c.body).order_by(RECORD.c.idx)
        found = [(kind, orjson.loads(body)) for kind, body in db.execute(query)]
    engine.dispose()
    return [body for kind, body in found if kind in kinds]


def change(site, sql):
    engine = connect(site.database_url)
    with engine.connect() as db:
        db.exec_driver_sql(sql)
        db.commit()
    engine.dispose()


def refused(act) -> Reason:
    with pytest.raises(KeeperError) as caught:
        act()
    return caught.value.reason


@pytest.fixture
def kept(site):
    with gateway(site) as gate:
        yield gate


def test_what_the_gateway_sealed_the_keeper_opens_and_records(site, admin, kept):
    one = kept.keep("s1", b"MSH|one")
    two = kept.keep("s1", b"MSH|two")
    found = admin.open("s1", [two, one], "TREAT", ME)
    assert {o.message: o.data.reveal() for o in found} == {one: b"MSH|one", two: b"MSH|two"}
    assert "MSH" not in repr(found)
    (record,) = records(site, "keeper.opened")
    assert record["subject"] == "s1"
    body = record["body"]
    assert (body["person"], body["purpose"], body["opened"]) == ("ada", "TREAT", 2)
    assert sorted(body["messages"]) == [one, two]
    assert "uid" in body["process"]
    assert "MSH" not in str(record)


def test_nothing_is_answered_when_the_record_cannot_be_written(site, admin, kept):
    one = kept.keep("s1", b"MSH|one")
    change(site, "ALTER TABLE ledger_record RENAME TO away")
    assert refused(lambda: admin.open("s1", [one], "TREAT", ME)) is Reason.STORAGE_FAILED
    change(site, "ALTER TABLE away RENAME TO ledger_record")
    assert admin.open("s1", [one], "TREAT", ME)


@pytest.mark.parametrize(
    "proof",
    [
        {},
        {"kind": "admin"},
        {"kind": "admin", "person": ""},
        {"kind": "admin", "person": "a\nb"},
        {"kind": "admin", "person": "x" * 65},
        {"kind": "passkey", "person": "ada"},
        {"person": "ada"},
    ],
)
def test_without_a_proof_nothing_opens_and_the_refusal_is_recorded(site, admin, kept, proof):
    one = kept.keep("s1", b"MSH|one")
    assert refused(lambda: admin.open("s1", [one], "TREAT", proof)) is Reason.NOT_PERMITTED
    (record,) = records(site, "keeper.refused")
    assert record["body"]["why"] == "decision.not-permitted"
    assert record["body"]["person"] == ""
    assert not records(site, "keeper.opened")


def test_an_admin_proof_counts_on_the_admin_socket_alone(site, kept):
    one = kept.keep("s1", b"x")
    for role in ("gateway", "courier", "app", "nobody"):
        with asking(site, role) as other:
            assert refused(lambda other=other: other.open("s1", [one], "TREAT", ME)) is Reason.NOT_PERMITTED


def test_messages_of_another_subject_are_refused_whole(site, admin, kept):
    mine, hers = kept.keep("s1", b"mine"), kept.keep("s2", b"hers")
    assert refused(lambda: admin.open("s1", [mine, hers], "TREAT", ME)) is Reason.NOT_PERMITTED
    assert refused(lambda: admin.open("s1", [hers], "TREAT", ME)) is Reason.NOT_PERMITTED
    assert len(records(site, "keeper.refused")) == 2


@pytest.mark.parametrize(
    ("messages", "purpose", "reason"),
    [
        (["m-none"], "TREAT", Reason.NOT_FOUND),
        ([], "TREAT", Reason.INPUT_INVALID),
        ([f"m{n}" for n in range(501)], "TREAT", Reason.INPUT_INVALID),
        (["m1"], "CURIOSITY", Reason.INPUT_INVALID),
        (["m1"], "", Reason.INPUT_INVALID),
    ],
)
def test_odd_requests_are_refused(site, admin, kept, messages, purpose, reason):
    kept.keep("s1", b"x", message="m1")
    assert refused(lambda: admin.open("s1", messages, purpose, ME)) is reason


def test_five_hundred_messages_are_one_request_and_one_record(site, admin, kept):
    many = [kept.keep("s1", b"%d" % n) for n in range(20)]
    assert len(admin.open("s1", many, "TREAT", ME)) == 20
    assert len(records(site, "keeper.opened")) == 1


def test_openings_are_limited_per_person_and_overall(site, admin, kept):
    keeper = admin._transport._keeper
    limits = replace(site.keeper, openings_per_person_per_hour_max=2, openings_per_hour_max=3)
    keeper.settings = replace(site, keeper=limits)
    one = kept.keep("s1", b"x")
    admin.open("s1", [one], "TREAT", ME)
    admin.open("s1", [one], "TREAT", ME)
    assert refused(lambda: admin.open("s1", [one], "TREAT", ME)) is Reason.RATE_OF_OPENING
    admin.open("s1", [one], "TREAT", OTHER)
    assert refused(lambda: admin.open("s1", [one], "TREAT", admin_proof("cy"))) is Reason.RATE_OF_OPENING
    keeper.store.rows("UPDATE opening SET at_us = at_us - 3600000001")
    admin.open("s1", [one], "TREAT", ME)
    assert len(records(site, "keeper.refused")) == 2


def test_a_release_opens_messages_of_any_subject_with_a_reason(site, admin, kept):
    one = kept.keep("s1", b"one", purpose="quarantine")
    two = kept.keep("s2", b"two", purpose="quarantine")
    kept.keep("s2", b"two", purpose="keep", message=two)
    found = admin.export_open([one, two], "SYSADMIN", "release.device-adopted", ME, sealed_for="quarantine")
    assert {(o.subject, o.purpose, o.data.reveal()) for o in found} == {
        ("s1", "quarantine", b"one"),
        ("s2", "quarantine", b"two"),
    }
    (record,) = records(site, "keeper.opened")
    assert record["body"]["reason"] == "release.device-adopted"
    assert refused(lambda: admin.export_open([one], "SYSADMIN", "", ME)) is Reason.INPUT_INVALID


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE kept_body SET subject = 's2' WHERE message = 'm1'",
        "UPDATE kept_body SET purpose = 'other' WHERE message = 'm1'",
        "UPDATE kept_body SET key_id = (SELECT key_id FROM kept_body WHERE message = 'm3') WHERE message = 'm1'",
        (
            "UPDATE kept_body SET (segment, offset_bytes, length_bytes, sha256) = "
            "(SELECT segment, offset_bytes, length_bytes, sha256 FROM kept_body WHERE message = 'm2') WHERE message = 'm1'"
        ),
        "UPDATE kept_body SET sha256 = zeroblob(32) WHERE message = 'm1'",
        "UPDATE kept_body SET length_bytes = 99999999999 WHERE message = 'm1'",
        "UPDATE kept_body SET store = '../x/y' WHERE message = 'm1'",
    ],
)
def test_a_row_changed_in_the_database_opens_nothing(site, admin, kept, sql):
    """Who can write the database cannot have one patient's words shown as another's."""
    kept.keep("s1", b"one", message="m1")
    kept.keep("s1", b"two", message="m2")
    kept.keep("s2", b"six", message="m3")
    assert admin.open("s1", ["m1"], "TREAT", ME)
    change(site, sql)
    for subject in ("s1", "s2"):
        with pytest.raises(KeeperError):
            admin.open(subject, ["m1"], "TREAT", ME)
