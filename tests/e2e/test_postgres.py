"""The same main job with PostgreSQL as the database: the same code by URL."""

import time

from tests.e2e.test_portal_choice import ADDRESS, MORE, enrolled
from tests.faults.load import Sender, judge
from tests.postgres import needs_postgres, postgres_server, postgres_url  # noqa: F401  fixtures
from tests.site import Site, bundle, local
from tests.wire import Client, Recipient, oru

pytestmark = needs_postgres


def test_the_main_job_on_postgresql(tmp_path, postgres_url):  # noqa: F811  the fixture
    recipient = Recipient()
    site = Site.make(tmp_path / "s", more=f'[database]\nurl = "{postgres_url}"')
    site.activate(bundle({"ehr": recipient.address}))
    site.add(local())
    site.start()
    senders = [Sender(f"{name}x", site.port, 20) for name in "abcd"]
    try:
        with Client(site.port()) as client:
            assert client.send(b"not HL7") == "AR"
            assert [client.send(oru("D1", value="d0")) for _ in range(2)] == ["AA", "AA"]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(60)
        site.wait(lambda: site.rows("SELECT count(*) FROM outbox WHERE state = 'pending'") == [(0,)], 30)
        site.wait(lambda: len(recipient.kept) >= 81)
        found = judge(senders, recipient)
        assert (found.lost, found.repeated, found.twice_with_other_ids, found.out_of_order) == ([], 0, [], [])
        [held] = site.cli("quarantine", "list")["held"]
        assert held["reason"] == "message.header-missing"
        assert site.cli("ledger", "verify")["ok"]
    finally:
        for sender in senders:
            sender.stop = True
        site.stop()
        recipient.close()


def test_a_patients_no_at_the_portal_counts_on_postgresql(tmp_path, postgres_url):  # noqa: F811  the fixture
    recipient = Recipient()
    site = Site.make(tmp_path / "s", more=f'{MORE}[database]\nurl = "{postgres_url}"\n')
    site.activate(bundle({"ehr": recipient.address}))
    site.add(local())
    site.start()
    try:
        with Client(site.port()) as client:
            assert client.send(oru("FIRST", name="")) == "AA"
            site.wait(lambda: recipient.values() == [b"72"])
            mine = enrolled(site, tmp_path, ADDRESS)
            mine.get("/choices/TREAT.ehr").send("/choices/TREAT.ehr", answer="not-allowed")
            assert "From now on this place may not see the data." in mine.page
            site.wait(lambda: "seconds. We measured it." in mine.get("/choices/TREAT.ehr/done").page)
            assert client.send(oru("NO", name="", value="73")) == "AA"
            mine.get("/choices/TREAT.ehr").send("/choices/TREAT.ehr", answer="allowed")
            site.wait(lambda: site.records("consent.recorded")[1:])
            time.sleep(1.0)  # a yes has as long as a no
            assert client.send(oru("YES", name="", value="74")) == "AA"
        site.wait(lambda: b"74" in recipient.values())
        assert recipient.values() == [b"72", b"74"]
        assert site.rows("SELECT count(*) FROM consent_effect") != [(0,)]
    finally:
        site.stop()
        recipient.close()
