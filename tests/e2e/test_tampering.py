"""Whoever can write to the database cannot bring back what was taken away: a denial, a bundle, a device."""

import time

import pytest
from tests.site import Site, bundle, local
from tests.wire import Client, Recipient, oru

from oathward.core.db import connect, write

X25519_BASE_POINT = b"\x09" + bytes(31)


@pytest.fixture
def site(tmp_path):
    drop = tmp_path / "drop"
    drop.mkdir()
    recipient = Recipient()
    site = Site.make(tmp_path / "s")
    site.drop, site.recipient = drop, recipient
    site.activate(bundle({"ehr": recipient.address}, research=(f"file:{drop}", X25519_BASE_POINT)))
    site.add(local())
    site.start()
    yield site
    site.stop()
    recipient.close()


def record(site, word, tmp_path):
    identifiers = tmp_path / "ids"
    identifiers.write_text("99999123^^^HOSP^MR\n")
    return site.cli(
        "consent", "record", word, "--purpose", "HRESCH", "--recipient", "research-registry", "--class", "*",
        "--identifier-file", str(identifiers),
    )["subject"]  # fmt: skip


def tamper(site, sql, *values):
    engine = connect(site.settings.database_url)
    with write(engine) as db:
        count = db.exec_driver_sql(sql, values).rowcount
    engine.dispose()
    return count


def answers(site):
    return {a[0]: a[1] for a in site.records("message.accepted")[-1]["body"]["answers"]}


def test_a_denial_that_was_deleted_is_missed(site, tmp_path):
    record(site, "--permit", tmp_path)
    subject = record(site, "--deny", tmp_path)
    newest = "SELECT max(version) FROM consent_fact WHERE subject = ?"
    assert (
        tamper(site, f"DELETE FROM consent_fact WHERE subject = ? AND version = ({newest})", subject, subject)
        == 1
    )
    time.sleep(1.5)
    with Client(site.port()) as client:
        assert client.send(oru("X1", mrn="99999123", name="Roe^Mary")) == "AA"
    assert answers(site)["research-registry"] in {"indeterminate", "deny", "held"}
    assert list(site.drop.iterdir()) == []
    site.wait(lambda: any(f["body"]["finding"] == "authority.stale" for f in site.records("finding.raised")))


def test_a_bundle_that_was_changed_or_put_back_holds_everything(site):
    files = bundle({"ehr": site.recipient.address})
    site.stop()
    site.activate(files)
    site.start()
    assert tamper(site, "DELETE FROM authority WHERE kind = 'bundle' AND version = 2") == 1
    site.wait(lambda: site.status("gateway")["trouble"] == "authority.stale", 60)
    with Client(site.port()) as client:
        assert client.send(oru("X2", value="77.5")) == "AA"
    assert site.cli("quarantine", "list")["held"][0]["reason"] == "decision.bundle-missing"
    assert b"77.5" not in site.recipient.values()
